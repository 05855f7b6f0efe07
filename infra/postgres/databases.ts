import { SERVICES, type ServiceName } from '@cabstand/contracts';
import pg from 'pg';
import type { CertificateFiles } from '../tls/certificates.ts';

/** One database and the one role that may connect to it. */
export interface OwnedDatabase {
  name: string;
  role: string;
  /** None where the role is known by its certificate: no password lets it in then. */
  password?: string;
}

/** The same server, another user and database. */
export function databaseUrl(adminUrl: string, { name, role, password }: OwnedDatabase): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = password ?? '';
  url.pathname = `/${name}`;
  return url.href;
}

/** The same, as whom the certificate names. Every program that takes the URL presents it and checks the server's. */
export function withCertificate(plainUrl: string, { cert, key, ca }: CertificateFiles): string {
  const url = new URL(plainUrl);
  url.search = String(new URLSearchParams({ sslmode: 'verify-full', sslcert: cert, sslkey: key, sslrootcert: ca }));
  return url.href;
}

export async function withAdmin<T>(adminUrl: string, work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: adminUrl });
  // A server that is ended meanwhile would end this process, too: the query reports it.
  admin.on('error', () => undefined);
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

/**
 * Makes a role and a database that it owns, which no other role can connect to (promise P1). Run again, it
 * sets the password and the rights anew.
 */
export async function ensureDatabase(admin: pg.Client, { name, role, password }: OwnedDatabase): Promise<void> {
  const [database, owner] = [admin.escapeIdentifier(name), admin.escapeIdentifier(role)];
  const has = async (query: string, value: string) => ((await admin.query(query, [value])).rowCount ?? 0) > 0;
  const verb = (await has('SELECT 1 FROM pg_roles WHERE rolname = $1', role)) ? 'ALTER' : 'CREATE';
  await admin.query(
    `${verb} ROLE ${owner} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${password === undefined ? 'NULL' : admin.escapeLiteral(password)}`,
  );
  if (!(await has('SELECT 1 FROM pg_database WHERE datname = $1', name))) {
    // An administrator who isn't superuser may give away only what its own roles may have.
    await admin.query(`GRANT ${owner} TO CURRENT_USER`).catch(() => undefined);
    await admin.query(`CREATE DATABASE ${database} OWNER ${owner}`);
  }
  await admin.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  await admin.query(`GRANT CONNECT ON DATABASE ${database} TO ${owner}`);
}

/** Closes the databases that come with the cluster too, so that a service's role reaches its own and nothing else. */
export async function closeDefaultDatabases(admin: pg.Client): Promise<void> {
  for (const name of ['postgres', 'template1']) await admin.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
}

/** The three services' databases, named for them. Answers their URLs. */
export async function ensureServiceDatabases(
  adminUrl: string,
  passwordOf: (service: ServiceName) => string | undefined,
  prefix = '',
): Promise<Record<ServiceName, string>> {
  return withAdmin(adminUrl, async (admin) => {
    const urls: Partial<Record<ServiceName, string>> = {};
    for (const service of SERVICES) {
      const owned = { name: `${prefix}${service}`, role: `${prefix}${service}`, password: passwordOf(service) };
      await ensureDatabase(admin, owned);
      urls[service] = databaseUrl(adminUrl, owned);
    }
    return urls as Record<ServiceName, string>;
  });
}
