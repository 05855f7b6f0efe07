import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from './objects.ts';

const FOLDER = join(import.meta.dirname, '..', 'overlays');
export const OVERLAYS = readdirSync(FOLDER).sort();

export const hasKubectl = () => spawnSync('kubectl', ['version', '--client']).status === 0;
export const KUBECTL_MISSING = 'kubectl is missing: https://kubernetes.io/docs/tasks/tools/';

export const folderOf = (overlay: string) => join(FOLDER, overlay);

/**
 * What `kubectl apply -k <folder>` would apply.
 * @throws Error with what kustomize says, when it can't be built
 */
export function build(folder: string): KubernetesObject[] {
  const { status, stdout, stderr, error } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw new Error(KUBECTL_MISSING);
  if (status !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
}

/** What an overlay would apply, built once for the tests of one run. */
export function render(overlay: string): KubernetesObject[] {
  const objects = rendered.get(overlay) ?? build(folderOf(overlay));
  rendered.set(overlay, objects);
  return objects;
}

const rendered = new Map<string, KubernetesObject[]>();
