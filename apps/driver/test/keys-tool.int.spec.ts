import { execFile } from 'node:child_process';
import { randomUUIDv7 } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPlatform, type Platform } from './harness.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

/** The command as `npx nx run tools:keys -- …` runs it. */
async function keys(command: string, token: string) {
  const { url } = platform.services[0]!;
  const options = { cwd: ROOT, env: { ...process.env, CABSTAND_TOKEN: token } };
  const { stdout } = await run(process.execPath, ['tools/keys.ts', command, 'driver', '--url', url], options);
  return stdout.trimEnd().split('\n');
}

it('`tools:keys -- rotate driver` publishes a key that will sign, and says when', async () => {
  const operator = await platform.issuer.token('operator', randomUUIDv7());
  const [current, ...others] = await keys('list', operator);
  expect(current).toMatch(/^[\w-]{43} {2}ES256 {2}current {3}signs from \d{4}-/);
  expect(others).toEqual([]);
  const rotated = await keys('rotate', operator);
  expect(rotated).toEqual([expect.stringMatching(/ {2}next {6}signs from /), current]);
  expect(await keys('rotate', operator)).toEqual(rotated);
  const { body } = await platform.call<{ keys: { kid: string }[] }>('GET', '/.well-known/jwks.json');
  expect(body.keys.map(({ kid }) => kid)).toEqual(rotated.map((line) => line.split(' ')[0]));
});

it('is for operators', async () => {
  const driver = await platform.issuer.token('driver', randomUUIDv7());
  await expect(keys('rotate', driver)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('ROLE_FORBIDDEN') as string,
  });
});
