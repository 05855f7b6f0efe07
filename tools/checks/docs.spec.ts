import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  // One that is deleted but not yet committed is still listed.
  .filter((page) => page && existsSync(join(ROOT, page)));

/** Where the page points: its links, and what it names as a path of the workspace. */
function targets(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const links = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link));
  const paths = [...text.matchAll(/`((?:apps|libs|tools|infra|docs|k8s)\/[\w./-]+)`/g)]
    .map(([, path]) => path!)
    // The service that the reader is shown how to add.
    .filter((path) => !path.startsWith('apps/payment'));
  return [...links.map((link) => join(dirname(page), link)), ...paths];
}

it('the documents point at what is there', () => {
  expect(PAGES).toContain('docs/architecture.md');
  const broken = PAGES.flatMap((page) =>
    targets(page)
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});
