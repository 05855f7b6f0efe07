/**
 * node security/src/weaken.ts [CLASS]...
 *
 * Takes one protection after the other out of a copy of the working tree, builds that, and sees its class of attacks
 * get through. Whatever doesn't is an attack suite that shows nothing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { LOCAL, ROOT, startTestRuntime, testFolder } from '../../infra/index.ts';
import { WEAKENINGS, type Weakening } from './weakenings.ts';

const COPY = join(LOCAL, 'security', String(process.pid));
const chosen = WEAKENINGS.filter(
  ({ class: name }) => process.argv.length === 2 || process.argv.slice(2).includes(name),
);

/** What git knows of or would, with packages that lead to the originals, and workspace packages that don't. */
function copyTree(): void {
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  for (const file of files
    .trim()
    .split('\n')
    .filter((name) => existsSync(join(ROOT, name)))) {
    cpSync(join(ROOT, file), join(COPY, file));
  }
  const packages = join(ROOT, 'node_modules');
  const own = join(packages, '@cabstand');
  mkdirSync(join(COPY, 'node_modules', '@cabstand'), { recursive: true });
  for (const name of readdirSync(packages).filter((name) => name !== '@cabstand')) {
    symlinkSync(join(packages, name), join(COPY, 'node_modules', name));
  }
  for (const name of readdirSync(own))
    symlinkSync(readlinkSync(join(own, name)), join(COPY, 'node_modules', '@cabstand', name));
}

async function runInCopy(args: string[]): Promise<number | null> {
  const child = spawn(process.execPath, args, { cwd: COPY, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

/** @returns why it shows nothing, or undefined when the attacks got through */
async function attempt({ class: name, edits }: Weakening): Promise<string | undefined> {
  const originals = new Map(edits.map(({ file }) => [file, readFileSync(join(COPY, file), 'utf8')]));
  try {
    for (const { file, find, replace } of edits) {
      const text = readFileSync(join(COPY, file), 'utf8');
      if (text.split(find).length !== 2) return `${file} holds not one \`${find}\`: bring weakenings.ts up to date`;
      writeFileSync(
        join(COPY, file),
        text.replace(find, () => replace),
      );
    }
    const built = await Promise.all(SERVICES.map((service) => runInCopy([join('tools', 'build.ts'), service])));
    if (built.some((code) => code !== 0)) return 'it does not build';
    const json = join(COPY, 'figures.json');
    rmSync(json, { force: true });
    await runInCopy([join('security', 'src', 'main.ts'), '--quick', '--class', name, '--seed', '1', '--json', json]);
    if (!existsSync(json)) return 'the attacks did not come to their end';
    const { figures } = JSON.parse(readFileSync(json, 'utf8')) as { figures: { name: string; value: number }[] };
    const through = figures.find((figure) => figure.name === `${name}: through`)!.value;
    console.log(`${through > 0 ? 'noticed' : 'MISSED '}  ${name}: ${edits[0]!.file}: ${through} through`);
    return through > 0 ? undefined : 'nothing got through';
  } finally {
    for (const [file, text] of originals) writeFileSync(join(COPY, file), text);
  }
}

let stopServers = (): Promise<void> => Promise.resolve();
const missed: string[] = [];
try {
  mkdirSync(dirname(COPY), { recursive: true });
  copyTree();
  if (!process.env.CABSTAND_TEST_RUNTIME) {
    const { stop, ...runtime } = await startTestRuntime(testFolder('-security'), console.log);
    stopServers = stop;
    process.env.CABSTAND_TEST_RUNTIME = JSON.stringify(runtime);
  }
  for (const weakening of chosen) {
    const failure = await attempt(weakening);
    if (failure) missed.push(`${weakening.class}, ${weakening.what}: ${failure}`);
  }
} finally {
  await stopServers();
  rmSync(COPY, { recursive: true, force: true });
}
for (const line of missed) console.error(`MISSED: ${line}`);
console.log(`${chosen.length - missed.length} of ${chosen.length} weakened builds were noticed`);
process.exit(missed.length === 0 && chosen.length > 0 ? 0 : 1);
