/**
 * node tools/bootstrap.js SCRIPT [ARGUMENTS]
 *
 * Runs one of the repository's scripts on the Node.js 24 that comes with its packages, and installs these first when
 * they are missing or the lock file has changed. Has no dependencies and runs on Node.js 20.19: it is what works
 * before node_modules exists. It tells what it does on stderr; stdout is the script's.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.cabstand-lock');
const runtime = join(modules, '.bin', 'node');

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function checkMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    stop(`Node.js ${process.versions.node} is too old: Cabstand needs 20.19 or later to install its own Node.js 24`);
  if (spawnSync('npm', ['--version'], { stdio: 'ignore' }).status !== 0)
    stop('npm was not found on the PATH; it comes with Node.js');
}

/** A lock file that was installed on one platform says nothing about another (a shared or copied folder). */
function fingerprint() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256').update(lock).update(`${process.platform}-${process.arch}`).digest('hex');
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Whether npm itself has put here what the lock file asks for (`npm install` by hand leaves no stamp of ours). */
function isInstalledByHand() {
  const installed = JSON.parse(read(join(modules, '.package-lock.json')) || '{}').packages || {};
  const wanted = JSON.parse(read(join(root, 'package-lock.json'))).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional, link }]) =>
      !path.startsWith('node_modules/') || optional || link || (installed[path] && installed[path].version === version),
  );
}

function install() {
  if (existsSync(runtime) && read(stampFile) === fingerprint()) return;
  if (!existsSync(runtime) || !isInstalledByHand()) {
    const startedAt = Date.now();
    process.stderr.write('Installing packages (npm ci): the lock file is new here\n');
    const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      // stdout is the script's own.
      stdio: ['ignore', 2, 2],
    });
    if (status !== 0) stop('npm ci failed; what it printed above says why');
    process.stderr.write(`Installed in ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);
  }
  writeFileSync(stampFile, fingerprint());
}

function run(script, args) {
  const child = spawn(runtime, [join(root, script), ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${join(modules, '.bin')}${delimiter}${process.env.PATH}` },
  });
  // The terminal sends its signals to both of us, `kill` to this process alone: the script expects to hear it twice.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // npm that was ended by force hands on nothing: nobody is left to stop the script.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (!process.env.npm_lifecycle_event || process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 1000);
  watch.unref();
  child.on('error', (error) => stop(`${runtime}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(signal ? 1 : code));
}

const [script, ...args] = process.argv.slice(2);
if (!script) stop('usage: node tools/bootstrap.js SCRIPT [ARGUMENTS]');
checkMachine();
install();
run(script, args);
