import { hash } from 'node:crypto';
import type { Type } from '@nestjs/common';
import type pg from 'pg';
import type { DataSource, EntityMetadata, LoadEvent } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';

/** A table of the query: what its rows become, and where that goes. */
interface Source {
  metadata: EntityMetadata;
  alias: string;
  /** Property of the row that is found; none for that row itself. */
  property?: string;
  join: string;
  /** Column of the result, column of the entity. */
  columns: [string, EntityMetadata['columns'][number]][];
}

/**
 * Finds a row by its id, with the ones that it refers to, for reads that are asked often. It reads what
 * `findOne({ where: { id }, relations })` reads, with the entities' own columns, transformers and subscribers; but
 * TypeORM composes its SQL anew for each find, asks the database twice where there are relations, and takes as long again
 * to make entities of the answer. Here all that can be known before is.
 */
export function preparedFind<Row extends object>(
  dataSource: DataSource,
  entity: Type<Row>,
  relations: readonly (keyof Row & string)[],
): (id: string) => Promise<Row | null> {
  const sources = sourcesOf(dataSource.getMetadata(entity), relations);
  const [main] = sources as [Source];
  const selected = sources.flatMap(({ alias, columns }) =>
    columns.map(([name, { databaseName }]) => `${alias}."${databaseName}" AS ${name}`),
  );
  const sql = `SELECT ${selected.join(', ')} FROM ${sources.map(({ join }) => join).join(' ')} WHERE ${main.alias}."id" = $1`;
  const listeners = dataSource.subscribers.filter((subscriber) => subscriber.afterLoad);

  const read = ({ metadata, columns }: Source, raw: Record<string, unknown>): object | null => {
    // Of an outer join that found nothing every column is null, the key too.
    if (raw[columns[0]![0]] === null) return null;
    const row = metadata.create(undefined, { fromDeserializer: true }) as Record<string, unknown>;
    for (const [name, column] of columns)
      row[column.propertyName] = dataSource.driver.prepareHydratedValue(raw[name], column);
    const event = { entity: row, metadata, dataSource, manager: dataSource.manager };
    for (const listener of listeners) void listener.afterLoad!(row, event as unknown as LoadEvent<object>);
    return row;
  };

  // Under a name, which TypeORM has no place for, PostgreSQL parses and plans it once for each connection.
  const { master: pool } = dataSource.driver as PostgresDriver;
  const query = { name: `find ${main.metadata.tableName} ${hash('sha256', sql).slice(0, 16)}`, text: sql };

  return async (id) => {
    const [raw] = (await (pool as pg.Pool).query<Record<string, unknown>>({ ...query, values: [id] })).rows;
    if (!raw) return null;
    const found = read(main, raw) as Record<string, unknown>;
    for (const source of sources) if (source.property) found[source.property] = read(source, raw);
    return found as Row;
  };
}

function sourcesOf(main: EntityMetadata, relations: readonly string[]): Source[] {
  const source = (metadata: EntityMetadata, index: number, join: string, property?: string): Source => {
    const keyFirst = [...metadata.primaryColumns, ...metadata.columns.filter(({ isPrimary }) => !isPrimary)];
    const columns = keyFirst.map((column, i): Source['columns'][number] => [`t${index}c${i}`, column]);
    return { metadata, alias: `t${index}`, join, columns, ...(property ? { property } : {}) };
  };
  const joined = relations.map((property, i) => {
    const relation = main.findRelationWithPropertyPath(property)!;
    const [own] = relation.joinColumns;
    const { inverseEntityMetadata: other } = relation;
    const on = `t${i + 1}."${own!.referencedColumn!.databaseName}" = t0."${own!.databaseName}"`;
    return source(other, i + 1, `LEFT JOIN "${other.tableName}" t${i + 1} ON ${on}`, property);
  });
  return [source(main, 0, `"${main.tableName}" t0`), ...joined];
}
