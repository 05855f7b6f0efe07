/**
 * Builds an application's pages with Vite, compresses their files once for all who will ask for them, and holds them to
 * how much may come before the first sight of them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Plugin, type Rolldown } from 'vite';

/** Of JavaScript, compressed, that a browser loads before it shows anything; the map comes later. */
const INITIAL_LIMIT_BYTES = 300 * 1024;

/** The files that the pages are made of. @throws Error when their initial JavaScript is over the limit */
export async function buildPages(folder: string): Promise<string[]> {
  // React asks for it, and Vite takes it from whoever builds: a test's would make pages for development.
  process.env.NODE_ENV = 'production';
  const built = await build({
    configFile: join(folder, 'vite.config.ts'),
    logLevel: 'warn',
    mode: 'production',
    plugins: [compressed()],
  });
  const outputs = [built].flat().flatMap((each) => ('output' in each ? each.output : []));
  const chunks = outputs.filter((output) => output.type === 'chunk');
  const bytes = initialBytes(chunks);
  const shown = `${Math.round(bytes / 1024)} KB of initial JavaScript, compressed`;
  if (bytes > INITIAL_LIMIT_BYTES) throw new Error(`${shown}: the limit is ${INITIAL_LIMIT_BYTES / 1024} KB`);
  console.log(shown);
  return chunks.flatMap(({ moduleIds }) => moduleIds);
}

/** The entry with the largest of its pages, and whatever they import at once. */
function initialBytes(chunks: Rolldown.OutputChunk[]): number {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const reach = (chunk: Rolldown.OutputChunk | undefined, reached: Set<Rolldown.OutputChunk>) => {
    if (!chunk || reached.has(chunk)) return;
    reached.add(chunk);
    for (const name of chunk.imports) reach(byName.get(name), reached);
  };
  const entries = chunks.filter(({ isEntry }) => isEntry);
  const pages = entries.flatMap(({ dynamicImports }) => dynamicImports);
  return Math.max(
    ...pages.map((page) => {
      const reached = new Set<Rolldown.OutputChunk>();
      for (const entry of entries) reach(entry, reached);
      reach(byName.get(page), reached);
      return [...reached].reduce((sum, { code }) => sum + gzipSync(code).length, 0);
    }),
  );
}

/** Files beside the files, where the server of the pages looks; small ones would hardly get smaller. */
const compressed = (): Plugin => ({
  name: 'compressed',
  writeBundle({ dir = '' }, bundle) {
    for (const name of Object.keys(bundle).filter((each) => /\.(js|css)$/.test(each))) {
      const content = readFileSync(join(dir, name));
      if (content.length >= 1_024) writeFileSync(join(dir, `${name}.gz`), gzipSync(content, { level: 9 }));
    }
  },
});
