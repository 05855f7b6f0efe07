import { spawnSync } from 'node:child_process';
import { canInstallPackages, installPackages } from '../install.ts';

/** Prometheus's own checker of rules, which Debian packages with the server. */
export const hasPromtool = () => spawnSync('promtool', ['--version']).status === 0;

/** Answers how things stand with it, for whoever runs the platform tests. */
export async function ensurePromtool(say: (line: string) => void): Promise<string> {
  if (hasPromtool()) return 'promtool is there';
  if (!canInstallPackages()) return 'no promtool: the alerts stay unchecked';
  await installPackages(['prometheus'], ['prometheus.service'], say);
  return 'installed prometheus, for its promtool';
}
