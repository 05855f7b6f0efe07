import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../infra/index.ts';
import { build, hasKubectl, OVERLAYS } from '../src/kustomize.ts';

/** Jest's global set-up: asks kustomize once for what all test files read. */
export default function renderAll(): void {
  if (!hasKubectl()) return;
  const folder = join(ROOT, 'dist', 'k8s');
  mkdirSync(folder, { recursive: true });
  for (const overlay of OVERLAYS) writeFileSync(join(folder, `${overlay}.json`), JSON.stringify(build(overlay)));
  process.env.CABSTAND_RENDERED = folder;
}
