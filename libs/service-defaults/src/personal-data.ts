import { seal, unseal, type KeyRing } from '@cabstand/auth';
import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import {
  EventSubscriber,
  type EntityMetadata,
  type EntitySubscriberInterface,
  type InsertEvent,
  type LoadEvent,
  type UpdateEvent,
} from 'typeorm';

/** First byte of what is sealed. No text begins with it, so that a CHECK on each column keeps plain text out. */
const FORMAT = Buffer.of(1);
const DATA_KEY_BYTES = 32;
const MAX_UNWRAPPED = 10_000;

/** An entity with personal columns, and the wrapped key that seals them. */
type Row = Record<string, unknown> & { dataKey?: Buffer | null };

/**
 * For a column that is encrypted at rest: `@Column('bytea', personal)`. The transformer only marks it, because
 * TypeORM shows transformers a value without its row, and what is sealed has to be bound to its row.
 */
export const personal = { transformer: { to: (value: unknown) => value, from: (value: unknown) => value } };

/**
 * Seals the personal columns of an entity on their way into the database, and opens them on their way out. Each row
 * has a data key of its own, kept in its `data_key` and wrapped by the newest key-encryption key; each value is
 * AES-256-GCM with table, column and row as associated data. SQL that is written by hand uses `sealed`.
 */
export class PersonalData implements EntitySubscriberInterface<Row> {
  /** What TypeORM's `subscribers` takes: classes, which it makes one of each by itself. */
  readonly subscriber: new () => PersonalData;

  private readonly unwrapped = new Map<string, KeyObject>();

  constructor(
    readonly keys: KeyRing,
    private readonly indexKey?: Buffer,
  ) {
    const itself = () => this;
    this.subscriber = function Subscriber() {
      return itself();
    } as unknown as new () => PersonalData;
    EventSubscriber()(this.subscriber);
  }

  /** HMAC-SHA-256 of a normalised value, by which its row is found, and is the only one, without being opened. */
  index(column: string, value: string): Buffer {
    if (!this.indexKey) throw new Error(`there is no key for an index of ${column}`);
    return createHmac('sha256', this.indexKey).update(`${column} ${value}`).digest();
  }

  /** The values by column, sealed by a new data key, and that key. */
  sealed(table: string, id: string, values: Record<string, unknown>): Record<string, Buffer | null> {
    const key = randomBytes(DATA_KEY_BYTES);
    const columns = Object.entries(values).map(([column, value]) => [
      column,
      value === null ? null : sealValue(key, value, placeOf(table, column, id)),
    ]);
    return { ...(Object.fromEntries(columns) as object), data_key: this.wrap(table, id, key) };
  }

  /** Wraps a row's data key anew, by the newest key-encryption key. */
  rewrap(table: string, id: string, dataKey: Buffer): Buffer {
    return this.wrap(table, id, this.unwrap(table, id, dataKey).export());
  }

  afterLoad(row: Row, event?: LoadEvent<Row>): void {
    this.open(row, event!.metadata);
  }

  beforeInsert({ entity, metadata }: InsertEvent<Row>): void {
    const columns = personalColumns(metadata);
    if (columns.length > 0) entity.dataKey ??= null;
    this.seal(entity, metadata, columns);
  }

  afterInsert({ entity, metadata }: InsertEvent<Row>): void {
    this.open(entity, metadata);
  }

  beforeUpdate({ entity, metadata, updatedColumns }: UpdateEvent<Row>): void {
    const columns = personalColumns(metadata);
    // `save` tells what has changed; `update` changes what it is given.
    this.seal(
      entity as Row,
      metadata,
      updatedColumns.length ? columns.filter((c) => updatedColumns.includes(c)) : columns,
    );
  }

  afterUpdate({ entity, metadata }: UpdateEvent<Row>): void {
    if (entity) this.open(entity as Row, metadata);
  }

  private seal(row: Row, metadata: EntityMetadata, columns: EntityMetadata['columns']): void {
    const open = columns.filter(({ propertyName }) => isOpen(row[propertyName]));
    if (open.length === 0) return;
    const { tableName } = metadata;
    const id = idOf(row, metadata);
    row.dataKey ??= this.wrap(tableName, id, randomBytes(DATA_KEY_BYTES));
    const key = this.unwrap(tableName, id, row.dataKey);
    for (const { propertyName, databaseName } of open)
      row[propertyName] = sealValue(key, row[propertyName], placeOf(tableName, databaseName, id));
  }

  private open(row: Row, metadata: EntityMetadata): void {
    const sealed = personalColumns(metadata).filter(({ propertyName }) => isSealed(row[propertyName]));
    if (sealed.length === 0) return;
    const { tableName } = metadata;
    const id = idOf(row, metadata);
    if (!row.dataKey) throw new Error(`a row of ${tableName} has lost its data key`);
    const key = this.unwrap(tableName, id, row.dataKey);
    for (const { propertyName, databaseName } of sealed)
      row[propertyName] = openValue(key, row[propertyName] as Buffer, placeOf(tableName, databaseName, id));
  }

  private wrap = (table: string, id: string, key: Buffer) => this.keys.seal(key, placeOf(table, 'data_key', id));

  /** A read of one person unwraps the same key for each value, and the next read again: the last ones are remembered. */
  private unwrap(table: string, id: string, wrapped: Buffer): KeyObject {
    const place = placeOf(table, 'data_key', id);
    const known = `${place} ${wrapped.toString('latin1')}`;
    let key = this.unwrapped.get(known);
    if (!key) {
      key = createSecretKey(this.keys.open(wrapped, place));
      this.unwrapped.set(known, key);
      if (this.unwrapped.size > MAX_UNWRAPPED) this.unwrapped.delete(this.unwrapped.keys().next().value!);
    }
    return key;
  }
}

const isSealed = (value: unknown): boolean => value instanceof Uint8Array;
const isOpen = (value: unknown): boolean => value !== undefined && value !== null && !isSealed(value);

const known = new WeakMap<EntityMetadata, EntityMetadata['columns']>();

function personalColumns(metadata: EntityMetadata): EntityMetadata['columns'] {
  const columns =
    known.get(metadata) ?? metadata.columns.filter(({ transformer }) => transformer === personal.transformer);
  known.set(metadata, columns);
  return columns;
}

/** @throws Error when the row isn't whole: what is sealed without knowing its row would never open again */
function idOf(row: Row, { tableName, primaryColumns }: EntityMetadata): string {
  const ids = primaryColumns.map((column) => column.getEntityValue(row) as unknown);
  if (ids.includes(undefined) || !('dataKey' in row))
    throw new Error(`personal columns of ${tableName} without their row`);
  return ids.join(' ');
}

/** PostgreSQL writes UUIDs in lower case, whoever sent them. */
const placeOf = (table: string, column: string, id: string) => `${table}.${column} ${id.toLowerCase()}`;

const sealValue = (key: Buffer | KeyObject, value: unknown, place: string): Buffer =>
  Buffer.concat([FORMAT, seal(key, Buffer.from(JSON.stringify(value)), place)]);

function openValue(key: KeyObject, value: Buffer, place: string): unknown {
  if (value[0] !== FORMAT[0]) throw new Error(`${place} is not sealed`);
  return JSON.parse(unseal(key, value.subarray(1), place).toString());
}
