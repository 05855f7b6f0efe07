import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '@cabstand/testing';
import { ROOT } from '../../../infra/paths.ts';
import { addKey } from '../../../tools/rotate-data.ts';
import { query } from '../src/agreement.ts';
import { newPassenger, profile, type NewPassenger } from '../src/people.ts';
import { Platform } from '../src/platform.ts';
import { sendJson } from '../src/requests.ts';

const folder = mkdtempSync(join(tmpdir(), 'cabstand-keys-'));
const ring = join(folder, 'ring');
let platform: Platform;

beforeAll(async () => {
  writeFileSync(ring, randomBytes(32).toString('base64'));
  platform = await Platform.start({ env: { KEY_ENCRYPTION_KEY: `file:${ring}` }, replicas: { passenger: 2 } });
}, 120_000);
afterAll(async () => {
  await platform.stop();
  rmSync(folder, { recursive: true });
});

const versions = () =>
  query<{ version: number; n: number }>(
    platform.databases.passenger.url,
    'SELECT get_byte(data_key, 0) AS version, count(*)::int AS n FROM passengers GROUP BY 1 ORDER BY 1',
  );

const rotate = () =>
  promisify(execFile)(process.execPath, ['tools/keys.ts', 'rotate-data', 'passenger'], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...platform.environments.passenger,
      DATABASE_URL_PASSENGER: platform.environments.passenger['DATABASE_URL'],
    },
  });

/** Reads and changes an account over and over, and registers others, until told to stop. Counts what went wrong. */
async function write(person: NewPassenger, isOver: () => boolean): Promise<string[]> {
  const wrong: string[] = [];
  for (let n = 0; !isOver(); n++) {
    const urls = platform.urlsOfReplica('passenger', n % 2);
    const token = await person.api.session.token();
    const name = `Ada Number${n}`;
    const changed = await sendJson('PATCH', `${urls.passenger}/v1/passengers/me`, JSON.stringify({ name }), token);
    const read = await sendJson('GET', `${urls.passenger}/v1/passengers/me`, undefined, token);
    const registered = await sendJson('POST', `${urls.passenger}/v1/passengers`, JSON.stringify(profile()));
    for (const { status, text } of [changed, read, registered]) if (status >= 300) wrong.push(`${status} ${text}`);
    if (read.json?.['name'] !== name) wrong.push(`wrote ${name}, read ${read.text}`);
  }
  return wrong;
}

it('rewraps every data key under a running service, and what has an old key in it opens without that key', async () => {
  const people = await Promise.all(Array.from({ length: 3 }, () => newPassenger(platform.urls)));
  expect(await versions()).toEqual([{ version: 1, n: 3 }]);

  let isOver = false;
  const writing = people.map((person) => write(person, () => isOver));
  expect(addKey(ring)).toBe(2);
  // Both replicas have noticed when they write by the new key.
  await eventually(async () => {
    expect((await versions()).map(({ version }) => version)).toContain(2);
  });
  const { stdout } = await rotate();
  expect(stdout).toMatch(/passengers {2}\d+ rows/);
  isOver = true;
  expect((await Promise.all(writing)).flat()).toEqual([]);
  expect((await versions()).map(({ version }) => version)).toEqual([2]);

  const { 2: newest } = JSON.parse(readFileSync(ring, 'utf8')) as Record<string, string>;
  writeFileSync(`${ring}.next`, JSON.stringify({ 2: newest }));
  renameSync(`${ring}.next`, ring);
  const [first] = platform.services.passenger;
  await first.stop();
  await first.start();
  for (const { api, profile: own } of people) {
    api.session.forget();
    const token = await api.session.token();
    const me = await sendJson('GET', `${platform.urls.passenger}/v1/passengers/me`, undefined, token);
    expect(me.json).toMatchObject({ email: own.email, phone: own.phone });
  }
}, 180_000);
