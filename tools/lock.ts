import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What package-lock.json says of an installed package. */
export interface LockedPackage {
  /** Where the folder has another name than the package. */
  name?: string;
  version: string;
  license?: string;
  /** Subresource Integrity: `sha512-<base64>`. */
  integrity?: string;
  /** Only what is needed for development leads to it. */
  dev?: boolean;
}

/** By the folder that the package is in: `node_modules/typeorm/node_modules/uuid`. */
export function lockedPackages(): Record<string, LockedPackage> {
  const lock = readFileSync(join(import.meta.dirname, '..', 'package-lock.json'), 'utf8');
  return (JSON.parse(lock) as { packages: Record<string, LockedPackage> }).packages;
}

/** The folder of the package that a file is part of, as package-lock.json names it; undefined for a file of ours. */
export function packageFolder(file: string): string | undefined {
  return /\/(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
}
