import { createDecipheriv } from 'node:crypto';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import pg from 'pg';
import type { Platform } from './platform.ts';

/** Something that was written down somewhere, in the words in which whoever gets hold of it can read it. */
export interface Written {
  where: string;
  text: string;
}

type Row = Record<string, unknown>;

/** Every row of every table of every service, as whoever steals a copy of the databases reads it. */
export const stored = (platform: Platform): Promise<Written[]> => everyRow(platform, (_service, _table, row) => row);

/**
 * The same for whoever steals the key-encryption keys too. Opens by a few lines of its own what the services have
 * sealed, so that a test sees what is really left of somebody.
 */
export const openable = (platform: Platform): Promise<Written[]> =>
  everyRow(platform, (service, table, row) => {
    const key = Buffer.from(platform.environments[service]['KEY_ENCRYPTION_KEY']!, 'base64');
    return { ...row, ...opened(table, row, key) };
  });

async function everyRow(
  { databases }: Platform,
  read: (service: ServiceName, table: string, row: Row) => Row,
): Promise<Written[]> {
  const written: Written[] = [];
  for (const service of SERVICES) {
    const client = new pg.Client({ connectionString: databases[service].url });
    await client.connect();
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT quote_ident(relname) AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'm', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
    );
    for (const { name } of tables) {
      const { rows } = await client.query<Row>(`SELECT * FROM ${name}`);
      for (const row of rows) written.push({ where: `${service}.${name}`, text: textOf(read(service, name, row)) });
    }
    await client.end();
  }
  return written;
}

/** Bytes are read as the characters that they may be, like `strings` does. */
const textOf = (row: Row): string =>
  Object.entries(row)
    .map(([column, value]) => `${column}=${Buffer.isBuffer(value) ? value.toString('latin1') : JSON.stringify(value)}`)
    .join(' ');

const PRIMARY_KEYS: Record<string, string[]> = { ratings: ['trip_id', 'rater_role'] };

function opened(table: string, row: Row, key: Buffer): Row {
  if (table === 'idempotency_keys' && row['body'])
    return {
      body: open(key, row['body'] as Buffer, `idempotency_keys.body ${String(row['scope'])} ${String(row['key'])}`, 1),
    };
  if (table === 'dead_letters' && row['sealed'])
    return { body: open(key, row['body'] as Buffer, `dead_letters.body ${String(row['id'])}`, 1) };
  const wrapped = row['data_key'] as Buffer | null | undefined;
  if (!wrapped) return {};
  const id = (PRIMARY_KEYS[table] ?? ['id']).map((column) => String(row[column])).join(' ');
  const dataKey = open(key, wrapped, `${table}.data_key ${id}`, 1);
  const sealed = Object.entries(row).filter(
    ([column, value]) => Buffer.isBuffer(value) && value[0] === 1 && column !== 'data_key' && column !== 'email_index',
  );
  return Object.fromEntries(
    sealed.map(([column, value]) => [column, open(dataKey, value as Buffer, `${table}.${column} ${id}`).toString()]),
  );
}

function open(key: Buffer, box: Buffer, place: string, version?: number): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(1, 13))
    .setAAD(Buffer.from(version === undefined ? place : `${version} ${place}`))
    .setAuthTag(box.subarray(13, 29));
  return Buffer.concat([decipher.update(box.subarray(29)), decipher.final()]);
}

/** Which of the canaries sing where: in clear, or in a wrapping that everybody knows how to take off. */
export function singing(written: Written[], canaries: Record<string, string>): string[] {
  const found = new Set<string>();
  const songs = Object.entries(canaries).map(([name, canary]) => ({
    name,
    forms: [canary, encodeURIComponent(canary), Buffer.from(canary).toString('hex'), ...inBase64(canary)].map((form) =>
      form.toLowerCase(),
    ),
  }));
  for (const { where, text } of written) {
    const low = text.toLowerCase();
    for (const { name, forms } of songs) if (forms.some((form) => low.includes(form))) found.add(`${name} in ${where}`);
  }
  return [...found].sort();
}

/** However many bytes come before it: what stays the same at each of the three offsets. */
const inBase64 = (text: string): string[] =>
  [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)])
      .toString('base64')
      .replace(/=+$/, '');
    return encoded.slice(offset === 0 ? 0 : offset + 1, -1);
  });
