/**
 * Bundles a service into `dist/apps/<service>`, with everything it needs from node_modules inside: `node main.js`
 * works wherever that folder is copied to, and starts fast, because Node reads one file instead of thousands. An
 * application with pages is the server of these, and has them beside it.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown, type InputOptions, type OutputOptions, type Plugin } from 'rolldown';
import { lockedPackages, packageFolder } from './lock.ts';
import { bundleSbom } from './sbom.ts';

const root = join(import.meta.dirname, '..');

const sourceOf = (app: string) => join(root, 'apps', app);
const hasPages = (app: string) => existsSync(join(sourceOf(app), 'vite.config.ts'));

/** Where `nx build` puts a service. */
export const bundleFolder = (app: string) => join(root, 'dist', 'apps', app);

/**
 * Nest, Fastify and TypeORM try to load packages for features that nobody here uses (websockets, other
 * databases). What isn't installed stays an import that fails when it is reached, as it does without a bundle. So does
 * what only development has installed: a bundle is the same with it and, as in the image, without.
 */
function leaveOutMissingPackages(): Plugin {
  const packages = lockedPackages();
  const isForDevelopment = (file: string) => packages[packageFolder(file) ?? '']?.dev === true;
  return {
    name: 'leave-out-missing-packages',
    resolveId: {
      filter: { id: /^[@a-z]/ },
      async handler(id, importer, options) {
        if (!importer?.includes('/node_modules/')) return null;
        const found = await this.resolve(id, importer, { ...options, skipSelf: true });
        return found && !isForDevelopment(found.id) ? found : { id, external: true };
      },
    },
  };
}

/** TypeORM brings drivers for some twenty databases: a third of its code, all of it in memory, for the one in use. */
function leaveOutOtherDatabases(): Plugin {
  return {
    name: 'leave-out-other-databases',
    load: {
      filter: { id: /\/typeorm\/driver\/(?!postgres\/)[\w-]+\/\w+Driver\.js$/ },
      handler: () => 'module.exports = {};',
    },
  };
}

/**
 * V8 keeps a script's text for good, and Node.js reads it into two bytes a character once a single one is beyond ASCII.
 * What the minifier leaves are names in notices of copyright.
 */
function onlyAscii(): Plugin {
  return {
    name: 'only-ascii',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle))
        if (chunk.type === 'chunk')
          chunk.code = chunk.code.replace(
            /[\u0080-\uffff]/g,
            (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
          );
    },
  };
}

export function inputOptions(app: string): InputOptions {
  return {
    input: join(sourceOf(app), hasPages(app) ? 'server' : 'src', 'main.ts'),
    cwd: root,
    platform: 'node',
    // The nearest tsconfig.json says how: legacy decorators with metadata, from which Nest injects.
    tsconfig: true,
    transform: { target: 'node24' },
    plugins: [leaveOutMissingPackages(), leaveOutOtherDatabases(), onlyAscii()],
    // Nest's own RabbitMQ transport and its other HTTP adapter, which only the benchmarks compare ours with. npm counts
    // them among Nest's optional peers, and so never as development's alone.
    external: ['amqp-connection-manager', '@nestjs/platform-express'],
    onLog(level, log, report) {
      // Packages that use eval or this at top level are theirs to mend.
      if (level === 'warn' && !log.id?.includes('/node_modules/')) report(level, log);
    },
  };
}

export function outputOptions(folder: string): OutputOptions {
  return {
    file: join(folder, 'service.js'),
    format: 'esm',
    codeSplitting: false,
    sourcemap: true,
    // TypeORM names tables, and Nest names providers and log contexts, after their classes.
    keepNames: true,
    // Lines and names stay, so that stack traces can be read.
    comments: { legal: true, annotation: false, jsdoc: false },
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: false, asciiOnly: true } },
  };
}

/**
 * Runs the bundle with Node's cache of compiled code, which halves the start from the second one on. The heap grows by a
 * third of what is alive before garbage is collected, where V8 would let it double, and more, on a machine with memory.
 */
const STARTER = `import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
setFlagsFromString('--heap-growing-percent=30');
enableCompileCache();
await import('./service.js');
`;

/** The browsable page at /docs is the only thing that a service reads from files of its own. */
const DOCS_PAGE = ['swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE'];
const packagedFile = (name: string) => join(root, 'node_modules', 'swagger-ui-dist', name);

/** Everything of a service's folder besides the bundle itself. */
export async function writeSurroundings(folder: string): Promise<void> {
  await mkdir(join(folder, 'swagger-ui'), { recursive: true });
  await writeStarter(folder);
  for (const file of DOCS_PAGE) {
    await cp(packagedFile(file), join(folder, 'swagger-ui', file));
  }
}

async function writeStarter(folder: string): Promise<void> {
  await writeFile(join(folder, 'main.js'), STARTER);
  await writeFile(join(folder, 'package.json'), `{ "type": "module" }\n`);
}

/** Answers the files of other packages that were laid beside the bundle. */
async function writeBeside(app: string, folder: string): Promise<string[]> {
  if (!hasPages(app)) {
    await writeSurroundings(folder);
    return DOCS_PAGE.map(packagedFile);
  }
  await writeStarter(folder);
  // Loaded only here: services are built often, and without it.
  const { buildPages } = await import('./build-pages.ts');
  return buildPages(sourceOf(app));
}

export async function build(app: string): Promise<void> {
  const folder = bundleFolder(app);
  await rm(folder, { recursive: true, force: true });
  await using bundle = await rolldown(inputOptions(app));
  const { output } = await bundle.write(outputOptions(folder));
  const [{ code, moduleIds }] = output;
  const files = [...moduleIds, ...(await writeBeside(app, folder))];
  await writeFile(join(folder, 'sbom.cdx.json'), bundleSbom(app, code, files));
}

if (import.meta.main) {
  const [app] = process.argv.slice(2);
  if (!app) throw new Error('usage: node tools/build.ts <service>');
  const startedAt = performance.now();
  await build(app);
  console.log(`dist/apps/${app} built in ${Math.round(performance.now() - startedAt)} ms`);
}
