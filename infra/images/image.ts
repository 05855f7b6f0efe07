/**
 * npx nx run trip:image [-- --with buildah] [-- arguments for the builder]
 *
 * Builds the image of a service with Docker, Podman or Buildah, whichever is there, and puts the list of what is in it
 * (CycloneDX) and its id beside it, in dist/images. The same commit gives the same image, as long as the two images
 * that it is built from are the same: all its times are the commit's.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../paths.ts';
import { buildArguments, BUILDERS, findBuilder, isBuilder, type Source } from './builders.ts';

const FOLDER = join(ROOT, 'dist', 'images');

const git = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${args[0]}: ${stderr.trim() || 'git is missing'}`);
  return stdout.trim();
};

/** What the image is built from. What isn't committed has no commit to be named for. */
function source(): Source {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const isDirty = git('status', '--porcelain') !== '';
  return {
    version,
    revision: git('rev-parse', 'HEAD') + (isDirty ? '-dirty' : ''),
    committedAtS: Number(git('log', '-1', '--format=%ct')),
  };
}

function buildImage(service: string, args: string[]): void {
  const at = args.indexOf('--with');
  const wanted = at < 0 ? undefined : args.splice(at, 2)[1];
  if (at >= 0 && !isBuilder(wanted)) throw new Error(`--with takes ${BUILDERS.join(', ')}`);
  const builder = isBuilder(wanted) ? wanted : findBuilder();
  if (!builder) throw new Error(`no image builder: start Docker, or install Podman or Buildah`);

  mkdirSync(FOLDER, { recursive: true });
  const idFile = join(FOLDER, `${service}.id`);
  const command = buildArguments(builder, service, source(), idFile, args);
  const { status, error } = spawnSync(builder, command, { cwd: ROOT, stdio: 'inherit' });
  if (error) throw new Error(`${builder}: ${error.message}`);
  if (status !== 0) throw new Error(`${builder} could not build the image of ${service}; what it says above is why`);

  const sbom = join(FOLDER, `${service}.cdx.json`);
  copyFileSync(join(ROOT, 'dist', 'apps', service, 'sbom.cdx.json'), sbom);
  console.log(`cabstand/${service} ${readFileSync(idFile, 'utf8').trim()}`);
}

const [service, ...args] = process.argv.slice(2);
try {
  if (!service)
    throw new Error('usage: node infra/images/image.ts <service> [--with docker|podman|buildah] [arguments]');
  buildImage(service, args);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
