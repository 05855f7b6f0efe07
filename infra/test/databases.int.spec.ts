import { randomBytes } from 'node:crypto';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import pg from 'pg';
import { ensureServiceDatabases, withAdmin } from '../index.ts';
import { testRuntime } from './test-servers.ts';

const { postgresUrl } = testRuntime();
const prefix = `p1_${randomBytes(4).toString('hex')}_`;
let urls: Record<ServiceName, string>;

beforeAll(async () => {
  urls = await ensureServiceDatabases(postgresUrl, (service) => `secret-of-${service}`, prefix);
});

afterAll(() =>
  withAdmin(postgresUrl, async (admin) => {
    for (const service of SERVICES) {
      await admin.query(`DROP DATABASE ${prefix}${service} WITH (FORCE)`);
      await admin.query(`DROP ROLE ${prefix}${service}`);
    }
  }),
);

/** The role of one service, in some database. Answers who it is there, or the server's reason for refusing. */
async function connectAs(service: ServiceName, database: string): Promise<string> {
  const url = new URL(urls[service]);
  url.pathname = `/${database}`;
  const client = new pg.Client({ connectionString: url.href });
  try {
    await client.connect();
    const { rows } = await client.query<{ current_user: string }>('SELECT current_user');
    return rows[0]!.current_user;
  } catch (error) {
    return (error as pg.DatabaseError).code ?? String(error);
  } finally {
    await client.end();
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';
const pairs = SERVICES.flatMap((role) => SERVICES.map((database) => ({ role, database })));

describe('P1: a service owns its data', () => {
  it.each(pairs)("the $role service's role and the $database service's database", async ({ role, database }) => {
    const expected = role === database ? `${prefix}${role}` : INSUFFICIENT_PRIVILEGE;
    expect(await connectAs(role, `${prefix}${database}`)).toBe(expected);
  });

  it.each(pairs)("the $role service's role and the tables of the $database service", async ({ role, database }) => {
    const url = new URL(postgresUrl);
    url.pathname = `/${prefix}${database}`;
    await withAdmin(url.href, async (admin) => {
      await admin.query(`SET ROLE ${prefix}${database}; CREATE TABLE IF NOT EXISTS things (id int); RESET ROLE`);
      const rights = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'];
      const { rows } = await admin.query<{ tables: boolean[]; creates: boolean; becomes: boolean }>(
        `SELECT array_agg(has_table_privilege($1, 'things', kind)) AS tables,
           has_schema_privilege($1, 'public', 'CREATE') AS creates, pg_has_role($1, $2, 'MEMBER') AS becomes
         FROM unnest($3::text[]) AS kind`,
        [`${prefix}${role}`, `${prefix}${database}`, rights],
      );
      const own = role === database;
      expect(rows[0]).toEqual({ tables: rights.map(() => own), creates: own, becomes: own });
    });
  });

  it.each(SERVICES)("the %s service's role reaches none of the cluster's own databases", async (role) => {
    expect(await connectAs(role, 'postgres')).toBe(INSUFFICIENT_PRIVILEGE);
    expect(await connectAs(role, 'template1')).toBe(INSUFFICIENT_PRIVILEGE);
  });

  it.each(SERVICES)("the %s service's role may not make databases or roles", async (role) => {
    const { rows } = await withAdmin(postgresUrl, (admin) =>
      admin.query(
        'SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1',
        [`${prefix}${role}`],
      ),
    );
    expect(Object.values(rows[0] as object)).toEqual([false, false, false, false, false]);
  });

  it('stands when it is set up a second time', async () => {
    urls = await ensureServiceDatabases(postgresUrl, (service) => `new-secret-of-${service}`, prefix);
    expect(await connectAs('trip', `${prefix}trip`)).toBe(`${prefix}trip`);
    expect(await connectAs('trip', `${prefix}driver`)).toBe(INSUFFICIENT_PRIVILEGE);
  });
});
