import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { hasPromtool } from '../observability/promtool.ts';

const FOLDER = join(import.meta.dirname, '..', 'observability');

function promtool(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' });
  if (status !== 0) throw new Error(`promtool ${args.join(' ')}:\n${stdout}${stderr}`);
}

if (hasPromtool() || process.env.CI) {
  it('the alerts are valid rules', () => promtool('check', 'rules', 'alerts.yaml'));
  it('each alert fires when it should, and not before', () => promtool('test', 'rules', 'alerts.test.yaml'));
} else {
  it('the alerts are not checked here: promtool is missing (apt-get install prometheus)', () => undefined);
}
