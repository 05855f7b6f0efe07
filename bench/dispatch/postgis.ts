import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startPostgres, testFolder, type PostgresServer } from '../../infra/index.ts';

/** Where Debian and its kin put each version of PostgreSQL. */
const INSTALLED = '/usr/lib/postgresql';
const SHARED = '/usr/share/postgresql';

/** A server of our own that knows PostGIS, synced to disk as in production. Gone, with its data, after `stop`. */
export async function startPostgis(): Promise<PostgresServer> {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a)) : [];
  const version = versions.find((each) => existsSync(join(SHARED, each, 'extension', 'postgis.control')));
  if (!version) throw new Error('no PostGIS to compare with: apt-get install postgresql-15-postgis-3');
  const bin = join(INSTALLED, version, 'bin');
  const dir = testFolder('-bench-dispatch');
  const server = await startPostgres({
    dir,
    port: await freePort(),
    durable: true,
    installed: { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb') },
    settings: { shared_buffers: '256MB' },
  });
  const stop = async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { ...server, stop };
}
