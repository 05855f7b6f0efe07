import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { hasPromtool } from '../../infra/observability/promtool.ts';

const ALERTS = join(import.meta.dirname, '..', 'components', 'monitoring', 'backups.yaml');
const TESTS = join(import.meta.dirname, 'backups.test.yaml');

if (hasPromtool() || process.env.CI) {
  it('each alert about backups fires when it should, and not before', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cabstand-alerts-'));
    try {
      // promtool reads rules, and not the object that holds them for Prometheus's operator.
      const { spec } = parse(readFileSync(ALERTS, 'utf8')) as { spec: object };
      writeFileSync(join(folder, 'rules.yaml'), stringify(spec));
      copyFileSync(TESTS, join(folder, 'tests.yaml'));
      const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'tests.yaml'], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
} else {
  it('alerts about backups', ({ skip }) => skip('promtool is missing: apt-get install prometheus'));
}
