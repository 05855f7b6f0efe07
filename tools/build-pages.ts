/** Builds an application's pages with Vite, and holds them to how much may come before the first sight of them. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';

/** Of JavaScript, compressed, that a browser loads before it shows anything; the map comes later. */
const INITIAL_LIMIT_BYTES = 300 * 1024;

/** The files that the pages are made of. @throws Error when their initial JavaScript is over the limit */
export async function buildPages(folder: string): Promise<string[]> {
  // React asks for it, and Vite takes it from whoever builds: a test's would make pages for development.
  process.env.NODE_ENV = 'production';
  const built = await build({ configFile: join(folder, 'vite.config.ts'), logLevel: 'warn', mode: 'production' });
  const outputs = [built].flat().flatMap((each) => ('output' in each ? each.output : []));
  const chunks = outputs.filter((output) => output.type === 'chunk');
  const bytes = initialBytes(chunks);
  const shown = `${Math.round(bytes / 1024)} KB of initial JavaScript, compressed`;
  if (bytes > INITIAL_LIMIT_BYTES) throw new Error(`${shown}: the limit is ${INITIAL_LIMIT_BYTES / 1024} KB`);
  console.log(shown);
  return chunks.flatMap(({ moduleIds }) => moduleIds);
}

/** The entry, and whatever it imports at once. */
function initialBytes(chunks: Rolldown.OutputChunk[]): number {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const reached = new Set<Rolldown.OutputChunk>();
  const reach = (chunk: Rolldown.OutputChunk | undefined) => {
    if (!chunk || reached.has(chunk)) return;
    reached.add(chunk);
    for (const name of chunk.imports) reach(byName.get(name));
  };
  chunks.filter(({ isEntry }) => isEntry).forEach(reach);
  return [...reached].reduce((sum, { code }) => sum + gzipSync(code).length, 0);
}
