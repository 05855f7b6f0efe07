import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { asyncapi } from '../asyncapi.ts';

describe('generated documents', () => {
  it('say what the code says', () => {
    const script = join(import.meta.dirname, '..', 'generate.ts');
    const { stdout, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(stdout + stderr).toBe('');
  }, 60_000);
});

describe('AsyncAPI', () => {
  it('points only at what it defines', () => {
    const document = asyncapi();
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
    expect(refs.length).toBeGreaterThan(100);
    for (const path of refs) {
      const target = path.split('/').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
      expect({ path, target }).toEqual({ path, target: expect.any(Object) });
    }
  });
});
