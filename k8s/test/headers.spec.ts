import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

it('every manifest says in its first lines whether it was executed, or only validated', () => {
  const manifests = ['base', 'components', 'overlays'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => join(folder, file))
      // One that only lists others says nothing of its own.
      .filter((file) => !file.endsWith('kustomization.yaml') || /^ +(patch: |-? *op: |- \{ op: )/m.test(read(file))),
  );
  expect(manifests.length).toBeGreaterThan(20);
  const silent = manifests.filter((file) => {
    const [first, second] = read(file).split('\n');
    return !/^# (Validated only|Executed here) /m.test(`${first}\n${second}`);
  });
  expect(silent).toEqual([]);
});
