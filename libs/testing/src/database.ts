import { randomBytes } from 'node:crypto';
import { databaseUrl, ensureDatabase, withAdmin } from '../../../infra/index.ts';
import { Link } from './link.ts';
import { testRuntime } from './runtime.ts';

export interface TestDatabase {
  /** Of the role that owns the database, as a service would get it. */
  url: string;
  /** Cuts the way to the database, as if the server had stopped. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** The service's way to the server, for making it bad instead of cutting it. */
  link: Link;
  drop(): Promise<void>;
}

/**
 * An empty database with a role of its own on the shared test server, or on another one. Call `drop` when the file is done.
 * `direct`: its URL leads past the link, which costs time that a benchmark would count.
 */
export async function createTestDatabase(
  service: string,
  postgresUrl = testRuntime().postgresUrl,
  { direct = false } = {},
): Promise<TestDatabase> {
  const name = `${service}_${randomBytes(6).toString('hex')}`;
  const owned = { name, role: name, password: randomBytes(12).toString('hex') };
  await withAdmin(postgresUrl, (admin) => ensureDatabase(admin, owned));
  const link = await Link.to(postgresUrl);
  const url = databaseUrl(postgresUrl, owned);
  return {
    url: direct ? url : link.through(url),
    stop: () => link.stop(),
    start: () => link.start(),
    link,
    drop: async () => {
      await link.stop();
      await withAdmin(postgresUrl, async (admin) => {
        await admin.query(`DROP DATABASE IF EXISTS ${admin.escapeIdentifier(name)} WITH (FORCE)`);
        await admin.query(`DROP ROLE IF EXISTS ${admin.escapeIdentifier(name)}`);
      });
    },
  };
}
