/** The half of `nx run tools:keys -- rotate-data SERVICE` that looks after a service's database. */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { DataSource } from 'typeorm';

const BATCH = 200;
/** Longer than a service goes on with the keys that it read before. */
export const NOTICED_AFTER_MS = 1_500;

/** What of the services' own code (`PersonalData`, `KeyRing`) is used here. */
interface Keys {
  version: number;
  seal(plaintext: Buffer, context: string): Buffer;
  open(box: Buffer, context: string): Buffer;
  sealBare(plaintext: Buffer, context: string): Buffer;
  openBare(box: Buffer, context: string): Buffer;
}
interface PersonalData {
  keys: Keys;
  rewrap(table: string, id: string, dataKey: Buffer): Buffer;
}

/** Rows that hold something sealed by a key-encryption key itself. */
interface SealedTable {
  table: string;
  primaryKey: { name: string; type: string }[];
  column: string;
  /** Versions are written in front of all but the signing keys, which are few. */
  hasVersion: boolean;
  /** A condition for the rows that are sealed, where some are not. */
  only?: string;
  reseal: (ids: string[], box: Buffer) => Buffer;
}

/** Adds a key to the ring in the file, and returns its version. Services that run notice. */
export function addKey(file: string): number {
  const text = readFileSync(file, 'utf8').trim();
  const ring = (text.startsWith('{') ? JSON.parse(text) : { 1: text }) as Record<string, string>;
  const version = Math.max(...Object.keys(ring).map(Number)) + 1;
  const next = `${file}.next`;
  writeFileSync(next, `${JSON.stringify({ ...ring, [version]: randomBytes(32).toString('base64') })}\n`, {
    mode: 0o600,
  });
  // Nobody reads half a file.
  renameSync(next, file);
  return version;
}

/**
 * Wraps by the newest key what older ones have wrapped, a few rows at a time and holding no lock between them, until
 * nothing is left; whoever writes meanwhile wins. Returns how many rows it was for each table.
 */
export async function rewrapAll(dataSource: DataSource): Promise<Record<string, number>> {
  const personalData = dataSource.subscribers.find((one): one is typeof one & PersonalData => 'rewrap' in one);
  if (!personalData) throw new Error('this service seals nothing');
  const done: Record<string, number> = {};
  for (const sealed of tablesOf(dataSource, personalData)) {
    let rewrapped = await pass(dataSource, personalData.keys, sealed);
    done[sealed.table] = rewrapped;
    while (sealed.hasVersion && rewrapped > 0) {
      rewrapped = await pass(dataSource, personalData.keys, sealed);
      done[sealed.table]! += rewrapped;
    }
  }
  return done;
}

function tablesOf(dataSource: DataSource, personalData: PersonalData): SealedTable[] {
  const { keys } = personalData;
  const rows = dataSource.entityMetadatas
    .filter((metadata) => metadata.findColumnWithPropertyName('dataKey'))
    .map(({ tableName: table, primaryColumns }): SealedTable => ({
      table,
      primaryKey: primaryColumns.map(({ databaseName, type }) => ({ name: databaseName, type: String(type) })),
      column: 'data_key',
      hasVersion: true,
      reseal: (ids, box) => personalData.rewrap(table, ids.join(' '), box),
    }));
  const answers: SealedTable = {
    table: 'idempotency_keys',
    primaryKey: ['scope', 'key'].map((name) => ({ name, type: 'text' })),
    column: 'body',
    hasVersion: true,
    reseal: ([scope, key], box) => {
      const place = `idempotency_keys.body ${scope} ${key}`;
      return keys.seal(keys.open(box, place), place);
    },
  };
  const deadLetters: SealedTable = {
    table: 'dead_letters',
    primaryKey: [{ name: 'id', type: 'uuid' }],
    column: 'body',
    hasVersion: true,
    only: 'sealed',
    reseal: ([id], box) => {
      const place = `dead_letters.body ${id}`;
      return keys.seal(keys.open(box, place), place);
    },
  };
  const signingKeys: SealedTable = {
    table: 'signing_keys',
    primaryKey: [{ name: 'kid', type: 'text' }],
    column: 'sealed_private_key',
    hasVersion: false,
    reseal: ([kid], box) => keys.sealBare(keys.openBare(box, kid!), kid!),
  };
  const signs = dataSource.entityMetadatas.some(({ tableName }) => tableName === 'signing_keys');
  return [...rows, answers, deadLetters, ...(signs ? [signingKeys] : [])];
}

/** Once through the table, in the order of its primary key. */
async function pass(dataSource: DataSource, keys: Keys, sealed: SealedTable): Promise<number> {
  const { table, primaryKey, column, hasVersion } = sealed;
  const names = primaryKey.map(({ name }) => name);
  let last: string[] | undefined;
  let rewrapped = 0;
  for (;;) {
    const after = last
      ? `AND (${names.join(', ')}) > (${primaryKey.map(({ type }, i) => `$${i + 1}::${type}`).join(', ')})`
      : '';
    const rows = await dataSource.query<Record<string, unknown>[]>(
      `SELECT ${names.join(', ')}, ${column} AS box FROM ${table}
        WHERE ${sealed.only ?? 'true'} AND ${column} IS NOT NULL ${hasVersion ? `AND get_byte(${column}, 0) <> ${keys.version}` : ''} ${after}
        ORDER BY ${names.join(', ')} LIMIT ${BATCH}`,
      last ?? [],
    );
    if (rows.length === 0) return rewrapped;
    for (const row of rows) {
      last = names.map((name) => String(row[name]));
      const where = primaryKey.map(({ name }, i) => `${name} = $${i + 3}`).join(' AND ');
      const box = row['box'] as Buffer;
      const [, changed] = await dataSource.query<[unknown, number]>(
        `UPDATE ${table} SET ${column} = $1 WHERE ${column} = $2 AND ${where}`,
        [sealed.reseal(last, box), box, ...last],
      );
      rewrapped += changed;
    }
    // Those who have work to do come first.
    await wait(5);
  }
}
