import type { QueryRunner } from 'typeorm';
import { PersonalData } from './personal-data.ts';

const BATCH = 500;

/** A table whose columns have been in clear. */
export interface PlainTable {
  table: string;
  /** In the order in which the entity declares them. */
  primaryKey?: string[];
  columns: string[];
  /** Those of the columns that a row need not have. */
  optional?: string[];
  /** The column that rows are found by, and where its index goes. */
  indexed?: { column: string; index: string };
}

/** For migrations: seals the columns of the rows that are there, and lets nothing else in from now on. */
export async function sealTable(runner: QueryRunner, plain: PlainTable): Promise<void> {
  const { table, columns, optional = [], indexed } = plain;
  await runner.query(`ALTER TABLE ${table} ADD data_key bytea${indexed ? `, ADD ${indexed.index} bytea` : ''}`);
  for (const column of columns)
    await runner.query(
      `ALTER TABLE ${table} RENAME ${column} TO ${column}_plain; ALTER TABLE ${table} ADD ${column} bytea`,
    );
  while ((await sealSome(runner, plain)) === BATCH);
  const required = columns.filter((column) => !optional.includes(column));
  if (required.length > 0) required.push('data_key', ...(indexed ? [indexed.index] : []));
  await runner.query(
    `ALTER TABLE ${table} ${[
      ...columns.map((column) => `DROP ${column}_plain, ADD CHECK (get_byte(${column}, 0) = 1)`),
      ...required.map((column) => `ALTER ${column} SET NOT NULL`),
      ...(indexed ? [`ADD UNIQUE (${indexed.index})`] : []),
    ].join(', ')}`,
  );
  // Writes the table anew: what a column held stays in its pages after the column was dropped.
  await runner.query(`ALTER TABLE ${table} ALTER data_key TYPE bytea USING data_key || ''::bytea`);
}

async function sealSome(runner: QueryRunner, plain: PlainTable): Promise<number> {
  const { table, primaryKey = ['id'], columns, indexed } = plain;
  const personalData = personalDataOf(runner);
  const held = columns.map((column) => `${column}_plain`);
  const rows: Record<string, unknown>[] = await runner.manager.query(
    `SELECT ${[...primaryKey, ...held].join(', ')} FROM ${table}
      WHERE data_key IS NULL AND num_nonnulls(${held.join(', ')}) > 0 LIMIT ${BATCH}`,
  );
  for (const row of rows) {
    const ids = primaryKey.map((column) => row[column]);
    const values = Object.fromEntries(columns.map((column) => [column, row[`${column}_plain`]]));
    const sealed: Record<string, unknown> = {
      ...personalData.sealed(table, ids.join(' '), values),
      ...(indexed
        ? { [indexed.index]: personalData.index(`${table}.${indexed.column}`, String(values[indexed.column])) }
        : {}),
    };
    const set = Object.keys(sealed).map((column, i) => `${column} = $${i + 1}`);
    const where = primaryKey.map((column, i) => `${column} = $${set.length + i + 1}`);
    await runner.query(`UPDATE ${table} SET ${set.join(', ')} WHERE ${where.join(' AND ')}`, [
      ...Object.values(sealed),
      ...ids,
    ]);
  }
  return rows.length;
}

function personalDataOf(runner: QueryRunner): PersonalData {
  const found = runner.dataSource.subscribers.find((subscriber) => subscriber instanceof PersonalData);
  if (!found) throw new Error('this data source has no keys for personal data');
  return found;
}
