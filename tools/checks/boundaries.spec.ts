import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** What nobody may write, by the file that it is planted in, and the rule that has to notice. */
const PLANTED = [
  {
    file: 'apps/trip/src/planted/sibling.ts',
    code: `import { driverSecret } from '../../../driver/src/planted.ts';\nexport const stolen = driverSecret;\n`,
    noticed: /Projects cannot be imported by a relative or absolute path/,
  },
  {
    file: 'apps/trip/src/planted/sibling-package.ts',
    code: `import { driverSecret } from '@cabstand/driver/src/planted.ts';\nexport const stolen = driverSecret;\n`,
    noticed: /An application is not imported/,
  },
  {
    file: 'apps/web/src/planted/service.tsx',
    code: `import { driverSecret } from '../../../driver/src/planted.ts';\nexport const Stolen = () => <p>{driverSecret}</p>;\n`,
    noticed: /Projects cannot be imported by a relative or absolute path/,
  },
  {
    file: 'apps/trip/src/planted/testing.ts',
    code: `import { eventually } from '@cabstand/testing';\nexport const wait = eventually;\n`,
    noticed: /Production code never imports the testing library/,
  },
  {
    file: 'apps/trip/src/planted/planted.machine.ts',
    code: `import { Injectable } from '@nestjs/common';\nexport const impure = Injectable;\n`,
    noticed: /This file is pure/,
  },
  {
    file: 'apps/trip/src/planted/environment.ts',
    code: `export const port = process.env['PORT'];\n`,
    noticed: /Only config\.ts reads the environment/,
  },
  {
    file: 'libs/contracts/src/planted.ts',
    code: `import pg from 'pg';\nexport const driver = pg;\n`,
    noticed: /"type:contract" is not allowed to import "pg"/,
  },
  {
    file: 'libs/contracts/src/planted-layer.ts',
    code: `import { Outbox } from '@cabstand/messaging';\nexport const upsideDown = Outbox;\n`,
    noticed: /Circular dependency between "contracts" and "messaging"/,
  },
  {
    file: 'libs/messaging/src/planted.ts',
    code: `import { freePort } from '../../../infra/index.ts';\nexport const port = freePort;\n`,
    noticed: /Projects cannot be imported by a relative or absolute path/,
  },
];

/** In a copy of the workspace, so that a lint that runs meanwhile doesn't see what is planted. */
function copyOfWorkspace(): string {
  const copy = mkdtempSync(join(tmpdir(), 'cabstand-boundaries-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of new Set(files.split('\0').filter(Boolean))) {
    // A file that is deleted but not yet committed is still listed.
    cpSync(join(ROOT, file), join(copy, file), { recursive: true, force: true, errorOnExist: false });
  }
  mkdirSync(join(copy, 'node_modules', '@cabstand'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name !== '@cabstand') symlinkSync(join(ROOT, 'node_modules', name), join(copy, 'node_modules', name));
  }
  for (const name of readdirSync(join(ROOT, 'node_modules', '@cabstand'))) {
    const real = relative(ROOT, realpathSync(join(ROOT, 'node_modules', '@cabstand', name)));
    symlinkSync(join(copy, real), join(copy, 'node_modules', '@cabstand', name));
  }
  return copy;
}

/** What `nx lint` does with these files: the boundary rule reads the graph that Nx has left, and is silent without one. */
function lint(workspace: string) {
  // What the Nx that runs this test tells its tasks would point the inner one at the real workspace.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NX_')));
  const run = (program: string, ...args: string[]) =>
    spawnSync(process.execPath, [join(workspace, 'node_modules', program), ...args], {
      cwd: workspace,
      env,
      encoding: 'utf8',
    });
  const graph = run('nx/dist/bin/nx.js', 'show', 'projects');
  if (graph.status !== 0) throw new Error(graph.stdout + graph.stderr);
  const { status, stdout, stderr } = run('eslint/bin/eslint.js', ...PLANTED.map(({ file }) => file));
  // ESLint's report is a paragraph for each file.
  return { status, paragraphs: (stdout + stderr).split(/\n\s*\n/) };
}

describe('module boundaries', () => {
  let workspace: string;
  let result: ReturnType<typeof lint>;

  beforeAll(() => {
    workspace = copyOfWorkspace();
    for (const { file, code } of PLANTED) {
      mkdirSync(dirname(join(workspace, file)), { recursive: true });
      writeFileSync(join(workspace, file), code);
    }
    writeFileSync(join(workspace, 'apps/driver/src/planted.ts'), 'export const driverSecret = 1;\n');
    result = lint(workspace);
  }, 120_000);

  afterAll(() => rmSync(workspace, { recursive: true, force: true }));

  it('fails the lint', () => expect(result.status).not.toBe(0));

  it.each(PLANTED)('notices $file', ({ file, noticed }) => {
    expect(result.paragraphs.find((paragraph) => paragraph.includes(file))).toMatch(noticed);
  });
});
