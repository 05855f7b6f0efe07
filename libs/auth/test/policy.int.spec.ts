import { createTestDatabase, type TestDatabase } from '@cabstand/testing';
import fc from 'fast-check';
import { DataSource, EntitySchema, type MigrationInterface, type QueryRunner } from 'typeorm';
import { definePolicy, type Conditions, type Policy, type Principal } from '../src/index.ts';

interface Parcel {
  id: number;
  owner: string;
  courier: string | null;
  weight: number | null;
  fragile: boolean;
  sentAt: Date | null;
}

const ParcelSchema = new EntitySchema<Parcel>({
  name: 'parcels',
  columns: {
    id: { type: 'int', primary: true },
    owner: { type: 'text' },
    courier: { type: 'text', nullable: true },
    weight: { type: 'int', nullable: true },
    fragile: { type: 'boolean' },
    sentAt: { type: 'timestamptz', nullable: true },
  },
});

class CreateParcels implements MigrationInterface {
  readonly name = 'CreateParcels1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE parcels (id int PRIMARY KEY, owner text NOT NULL, courier text, weight int,
         fragile boolean NOT NULL, "sentAt" timestamptz)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE parcels');
  }
}

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await createTestDatabase('auth');
  dataSource = await new DataSource({
    type: 'postgres',
    url: database.url,
    entities: [ParcelSchema],
    migrations: [CreateParcels],
    migrationsRun: true,
    installExtensions: false,
  }).initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const me: Principal = {
  issuer: 'https://a.test',
  subject: 'ann',
  role: 'passenger',
  sessionId: null,
  clientId: 'test',
  expiresAt: new Date(0),
};

const name = fc.constantFrom('ann', 'bob', '', "o'neil", '%');
const weight = fc.integer({ min: 0, max: 3 });
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 1 });
const orList = <T, U>(value: fc.Arbitrary<T>, item: fc.Arbitrary<U>) =>
  fc.oneof(value, fc.array(item, { maxLength: 3 }));

const time = weight.map((minutes) => new Date(Date.UTC(2026, 0, 1, 0, minutes)));
/** One to four bounds, contradictory ones among them. */
const within = <T>(value: fc.Arbitrary<T>) =>
  fc
    .record({ lt: value, lte: value, gt: value, gte: value }, { requiredKeys: [] })
    .filter((bounds) => Object.keys(bounds).length > 0);

const row = fc.record({
  owner: name,
  courier: orNull(name),
  weight: orNull(weight),
  fragile: fc.boolean(),
  sentAt: orNull(time),
});
const conditions = fc
  .record(
    {
      owner: orList(name, name),
      courier: orList(orNull(name), name),
      weight: fc.oneof(orList(orNull(weight), weight), within(weight)),
      fragile: fc.boolean(),
      sentAt: fc.oneof(fc.constant(null), within(time)),
    },
    { requiredKeys: [] },
  )
  // Of many conditions at once hardly any row meets all.
  .filter((all) => [1, 2].includes(Object.keys(all).length));
const rules = fc.array(
  fc.record({ can: fc.constantFrom(['read'], ['write'], ['read', 'write']), when: fc.option(conditions) }),
  { maxLength: 3 },
);

it('a list from SQL is the list that the policy allows in memory, NULLs included', async () => {
  const repository = dataSource.getRepository(ParcelSchema);
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), rules, async (rows, drawn) => {
      const policy: Policy<Parcel> = definePolicy(
        'Parcel',
        drawn.map(({ can, when }) => ({
          role: 'passenger' as const,
          can,
          when: when ? () => when as Conditions<Parcel> : undefined,
        })),
      );
      const parcels = rows.map((values, id) => ({ id, ...values }));
      await repository.clear();
      await repository.insert(parcels);
      const granted = policy.grants(me.role, 'read');
      const listed = granted ? await repository.find({ where: policy.where(me, 'read'), order: { id: 'ASC' } }) : [];
      expect(listed).toEqual(parcels.filter((parcel) => policy.allows(me, 'read', parcel)));
    }),
    { numRuns: 300 },
  );
});
