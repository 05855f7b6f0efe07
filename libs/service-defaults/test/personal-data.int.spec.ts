import { KeyRing } from '@cabstand/auth';
import { createTestDatabase, type TestDatabase } from '@cabstand/testing';
import { randomBytes, randomUUIDv7 } from 'node:crypto';
import { writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { dataSourceOptions } from '../src/database.ts';
import { personal, PersonalData } from '../src/personal-data.ts';
import { sealTable } from '../src/seal-table.ts';

class Person {
  @PrimaryColumn('uuid') id!: string;
  @Column('bytea', personal) name!: string;
  @Column('bytea', { ...personal, nullable: true }) car!: { plate: string } | null;
  @Column('bytea', { name: 'email_index' }) emailIndex!: Buffer;
  @Column('int', { default: 0 }) visits!: number;
  @Column('bytea', { name: 'data_key' }) dataKey?: Buffer;
}
@Entity('people')
class Resident extends Person {}
@Entity('visitors')
class Visitor extends Person {}

const newKey = () => randomBytes(32).toString('base64');
const key = newKey();
const indexKey = randomBytes(32);
const TABLE = `(id uuid PRIMARY KEY, name text NOT NULL, car jsonb, visits int NOT NULL DEFAULT 0)`;

let database: TestDatabase;
let dataSource: DataSource;

const connect = (keys: KeyRing) =>
  new DataSource(
    dataSourceOptions({
      url: database.url,
      poolSize: 3,
      entities: [Resident, Visitor],
      migrations: [],
      personalData: new PersonalData(keys, indexKey),
    }),
  ).initialize();

const seal = async (table: string) => {
  const runner = dataSource.createQueryRunner();
  await sealTable(runner, {
    table,
    columns: ['name', 'car'],
    optional: ['car'],
    indexed: { column: 'name', index: 'email_index' },
  });
  await runner.release();
};

beforeAll(async () => {
  database = await createTestDatabase('personal');
  dataSource = await connect(KeyRing.from(key));
  for (const table of ['people', 'visitors']) {
    await dataSource.query(`CREATE TABLE ${table} ${TABLE}`);
    await seal(table);
  }
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function resident(name = 'Ada Canary', car: Person['car'] = { plate: 'B-CN 1' }): Promise<string> {
  const id = randomUUIDv7();
  await dataSource.manager.insert(Resident, { id, name, car, emailIndex: randomBytes(32) });
  return id;
}
const load = (id: string, from = dataSource) => from.manager.findOneByOrFail(Resident, { id });

describe('personal columns', () => {
  it('are in the database sealed, and plain for the program', async () => {
    const id = await resident();
    expect(await load(id)).toMatchObject({ name: 'Ada Canary', car: { plate: 'B-CN 1' } });
    const [{ dump }] = await dataSource.query<[{ dump: string }]>(
      `SELECT encode(name || car || data_key, 'escape') AS dump FROM people WHERE id = $1`,
      [id],
    );
    expect(dump).not.toMatch(/Canary|B-CN/);
  });

  it('leave what was inserted as it was given, for the caller to go on with', async () => {
    const person = { id: randomUUIDv7(), name: 'Ada', car: null, emailIndex: randomBytes(32) };
    await dataSource.createQueryBuilder().insert().into(Resident).values(person).execute();
    expect(person).toMatchObject({ name: 'Ada', car: null });
  });

  it('are written again only where they have changed', async () => {
    const id = await resident();
    const before = await dataSource.query<object[]>('SELECT car, data_key FROM people WHERE id = $1', [id]);
    const person = await load(id);
    person.name = 'Bea';
    expect((await dataSource.manager.save(person)).name).toBe('Bea');
    expect((await load(id)).name).toBe('Bea');
    await dataSource.manager.update(Resident, id, { visits: 3 });
    expect(await load(id)).toMatchObject({ visits: 3, car: { plate: 'B-CN 1' } });
    const after = await dataSource.query<object[]>('SELECT data_key FROM people WHERE id = $1', [id]);
    expect(after[0]).toMatchObject({ data_key: (before[0] as { data_key: Buffer }).data_key });
  });

  it('are never written in clear: not by SQL, and not by an update that doesn’t know the row', async () => {
    const id = await resident();
    await expect(dataSource.query('UPDATE people SET name = $2 WHERE id = $1', [id, 'Eve'])).rejects.toMatchObject({
      code: '23514',
    });
    for (const row of [{ name: 'Eve' }, { id, name: 'Eve' }])
      await expect(dataSource.manager.update(Resident, id, row)).rejects.toThrow('without their row');
    expect((await load(id)).name).toBe('Ada Canary');
  });
});

describe('whoever can write to the database, but has no key', () => {
  const attacks: Record<string, string> = {
    'swaps the names of two rows': 'UPDATE people SET name = (SELECT name FROM people WHERE id = $2) WHERE id = $1',
    'swaps whole rows': `UPDATE people SET (name, car, data_key) = (SELECT name, car, data_key FROM people WHERE id = $2) WHERE id = $1`,
    'swaps data keys': 'UPDATE people SET data_key = (SELECT data_key FROM people WHERE id = $2) WHERE id = $1',
    'swaps columns': 'UPDATE people SET name = car, car = name WHERE id = $1 AND $2::uuid IS NOT NULL',
    'cuts a value': 'UPDATE people SET name = substring(name FROM 1 FOR 20) WHERE id = $1 AND $2::uuid IS NOT NULL',
    'cuts off all but a short tag':
      'UPDATE people SET name = substring(name FROM 1 FOR 17) WHERE id = $1 AND $2::uuid IS NOT NULL',
    'cuts off all': 'UPDATE people SET name = substring(name FROM 1 FOR 1) WHERE id = $1 AND $2::uuid IS NOT NULL',
    'changes a bit of a value':
      'UPDATE people SET name = set_bit(name, 250, 1 - get_bit(name, 250)) WHERE id = $1 AND $2::uuid IS NOT NULL',
    'changes a bit of a key':
      'UPDATE people SET data_key = set_bit(data_key, 300, 1 - get_bit(data_key, 300)) WHERE id = $1 AND $2::uuid IS NOT NULL',
    'names another version of the key':
      'UPDATE people SET data_key = set_byte(data_key, 0, 2) WHERE id = $1 AND $2::uuid IS NOT NULL',
    'names version 0': 'UPDATE people SET data_key = set_byte(data_key, 0, 0) WHERE id = $1 AND $2::uuid IS NOT NULL',
    'empties a key': `UPDATE people SET data_key = '' WHERE id = $1 AND $2::uuid IS NOT NULL`,
  };
  it.each(Object.keys(attacks))('and %s, gets an error', async (attack) => {
    const [victim, other] = [await resident(), await resident('Bea Other', { plate: 'B-OT 2' })];
    await dataSource.query(attacks[attack]!, [victim, other]);
    await expect(load(victim)).rejects.toThrow();
  });

  it('and moves a row to another table, gets an error', async () => {
    const id = await resident();
    await dataSource.query('INSERT INTO visitors SELECT * FROM people WHERE id = $1', [id]);
    await expect(dataSource.manager.findOneByOrFail(Visitor, { id })).rejects.toThrow();
  });

  it('gets an error with another key, and the error says nothing of the person', async () => {
    const id = await resident();
    const stranger = await connect(KeyRing.from(newKey()));
    const failed = await load(id, stranger).catch((error: unknown) => String(error));
    expect(failed).toMatch(/^Error/);
    expect(failed).not.toMatch(/Ada|Canary|B-CN/);
    await stranger.destroy();
  });
});

describe('key-encryption keys', () => {
  it('of a new version seal what is new, and the old one opens what is old', async () => {
    const old = await resident('Old');
    const both = await connect(KeyRing.from(JSON.stringify({ 1: key, 2: newKey() })));
    expect((await load(old, both)).name).toBe('Old');
    const id = randomUUIDv7();
    await both.manager.insert(Resident, { id, name: 'New', car: null, emailIndex: randomBytes(32) });
    const [row] = await dataSource.query<{ version: number }[]>(
      'SELECT get_byte(data_key, 0) AS version FROM people WHERE id = $1',
      [id],
    );
    expect(row).toEqual({ version: 2 });
    await expect(load(id)).rejects.toThrow('version 2');
    await both.destroy();
  });

  it('are read again from their file when a version turns up that nobody knows yet', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'keys-')), 'ring');
    writeFileSync(file, key);
    const keys = KeyRing.from(`file:${file}`);
    const ring = { 1: key, 2: newKey() };
    const box = KeyRing.from(JSON.stringify(ring)).seal(Buffer.from('x'), 'place');
    expect(() => keys.open(box, 'place')).toThrow('version 2');
    writeFileSync(file, '{"1":');
    expect(() => keys.open(box, 'place')).toThrow('version 2');
    writeFileSync(file, JSON.stringify(ring));
    expect(keys.open(box, 'place').toString()).toBe('x');
    expect(keys.version).toBe(2);
  });

  it.each(['', 'AAAA', '{"0":"x"}', '{"256":"x"}', '{}', '{"1":"AAAA"}', 'file:/nowhere', '{'])(
    '%j is none',
    (text) => {
      expect(() => KeyRing.from(text)).toThrow();
    },
  );
});

describe('rows from before', () => {
  it('are sealed where they are, also more of them than go at once', async () => {
    await dataSource.query(`CREATE TABLE elders ${TABLE}`);
    await dataSource.query(
      `INSERT INTO elders (id, name, car) SELECT gen_random_uuid(), 'Plain ' || n, '{"plate":"P-1"}' FROM generate_series(1, 1200) n`,
    );
    await seal('elders');
    const [{ plain }] = await dataSource.query<[{ plain: string }]>(
      `SELECT count(*) AS plain FROM elders WHERE encode(name, 'escape') LIKE '%Plain%' OR encode(car, 'escape') LIKE '%P-1%'`,
    );
    expect(plain).toBe('0');
  });
});
