import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { ROOT } from '../infra/index.ts';

/**
 * Imports a module of a service into a script. Node runs TypeScript by leaving the types out, which is not enough
 * for decorators: the module and the workspace's libraries are compiled first, packages are taken as installed.
 */
export async function load(file: string): Promise<Record<string, unknown>> {
  const compiled = join(ROOT, 'dist', 'tools', file.replace(/\.ts$/, '.js'));
  await mkdir(dirname(compiled), { recursive: true });
  await using bundle = await rolldown({
    input: join(ROOT, file),
    cwd: ROOT,
    platform: 'node',
    tsconfig: true,
    // The decorators' helpers come with the compiler, not with node_modules.
    external: (id) => /^[@a-z]/.test(id) && !/^@(cabstand|oxc-project)\//.test(id),
  });
  await bundle.write({ file: compiled, format: 'esm', codeSplitting: false, keepNames: true, sourcemap: 'inline' });
  // The query keeps Node from answering with an earlier build.
  return (await import(`${pathToFileURL(compiled).href}?${Date.now()}`)) as Record<string, unknown>;
}
