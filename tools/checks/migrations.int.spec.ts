import { SERVICES } from '@cabstand/contracts';
import { createTestDatabase, type TestDatabase } from '@cabstand/testing';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

describe('migrations', () => {
  let database: TestDatabase;

  afterEach(() => database.drop());

  it.each(SERVICES)('lead to the tables that the entities of %s describe', async (service) => {
    database = await createTestDatabase(service);
    const script = join(import.meta.dirname, '..', 'migrate.ts');
    const env = { ...process.env, [`DATABASE_URL_${service.toUpperCase()}`]: database.url };
    await promisify(execFile)(process.execPath, [script, service, 'check'], { env });
  });
});
