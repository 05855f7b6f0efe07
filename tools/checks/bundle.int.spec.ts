import {
  createTestBroker,
  createTestDatabase,
  createTestIssuer,
  eventually,
  type TestBroker,
  type TestDatabase,
  type TestIssuer,
} from '@cabstand/testing';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { freePort } from '../../infra/index.ts';
import { lockedPackages, packageFolder } from '../lock.ts';

/** Seen: 0.4 s. What this is about is seconds, as loading thousands of files from node_modules takes. */
const START_WITHIN_MS = 5_000;

interface Sbom {
  components: { 'bom-ref': string; version: string; purl: string; hashes: object[]; licenses?: object[] }[];
}

const json = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as unknown;

describe('a built service, copied to a folder of its own', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  let database: TestDatabase;
  let broker: TestBroker;
  let issuer: TestIssuer;
  let child: ChildProcess | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cabstand-bundle-'));
    // Nx has built it: `dependsOn` in project.json.
    cpSync(join(import.meta.dirname, '../../dist/apps/trip'), folder, { recursive: true });
    [database, broker, issuer] = await Promise.all([
      createTestDatabase('trip'),
      createTestBroker(),
      createTestIssuer(),
    ]);
    env = {
      PORT: String(await freePort()),
      MANAGEMENT_PORT: String(await freePort()),
      DATABASE_URL: database.url,
      AMQP_URL: broker.urlFor('trip'),
      TRUSTED_ISSUERS: JSON.stringify([issuer.trustedIssuer('passenger', 'driver', 'operator')]),
      KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    };
  });

  afterAll(async () => {
    child?.kill('SIGKILL');
    issuer.drop();
    await Promise.all([database.drop(), broker.drop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('has no node_modules to fall back on', () => {
    for (let at = folder; at !== dirname(at); at = dirname(at))
      expect(existsSync(join(at, 'node_modules'))).toBe(false);
  });

  it('is text that V8 keeps in one byte a character', () => {
    // A single one beyond ASCII would take 8 MB of every process.
    expect(/[^\0-\x7f]/.exec(readFileSync(join(folder, 'service.js'), 'utf8'))).toBeNull();
  });

  it('lists every package that is in it, and no other, as package-lock.json has it', () => {
    const { sources } = json(join(folder, 'service.js.map')) as { sources: string[] };
    const inside = new Set(sources.flatMap((file) => packageFolder(`/${file}`) ?? []));
    // Its files are copied as they are.
    inside.add('node_modules/swagger-ui-dist');
    const sbom = json(join(folder, 'sbom.cdx.json')) as Sbom;
    expect(sbom.components.map((component) => component['bom-ref']).sort()).toEqual([...inside].sort());
    const packages = lockedPackages();
    for (const { 'bom-ref': at, version, purl, hashes, licenses } of sbom.components) {
      const sha512 = Buffer.from(packages[at]!.integrity!.replace('sha512-', ''), 'base64').toString('hex');
      expect({ at, version, hashes }).toEqual({
        at,
        version: packages[at]!.version,
        hashes: [{ alg: 'SHA-512', content: sha512 }],
      });
      expect(purl).toBe(`pkg:npm/${at.split('node_modules/').pop()!.replace('@', '%40')}@${version}`);
      expect(licenses ?? []).toHaveLength(packages[at]!.license ? 1 : 0);
    }
  });

  it('lists them in a document that follows the schema of CycloneDX', () => {
    const schemas = join(import.meta.dirname, '../../node_modules/@cyclonedx/cyclonedx-library/res/schema');
    const schema = (name: string) => json(join(schemas, `${name}.SNAPSHOT.schema.json`)) as object;
    const ajv = new Ajv({ strict: false });
    formats.default(ajv);
    // The schema refers to them by these names, which are not the ones that they give themselves.
    for (const name of ['spdx', 'jsf-0.82'])
      ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
    for (const format of ['idn-email', 'iri-reference']) ajv.addFormat(format, true);
    const isValid = ajv.compile(schema('bom-1.6'));
    isValid(json(join(folder, 'sbom.cdx.json')));
    expect(isValid.errors).toBeNull();
  });

  it('says what its environment lacks, a line for each, and exits with 78', async () => {
    const run = promisify(execFile)(process.execPath, ['main.js'], { cwd: folder, env: { PORT: 'http' } });
    const failure = await run.then(
      () => null,
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(failure?.code).toBe(78);
    const missing = ['DATABASE_URL', 'KEY_ENCRYPTION_KEY', 'AMQP_URL', 'TRUSTED_ISSUERS'];
    expect(failure?.stderr.trim().split('\n')).toEqual([
      'config: PORT must be a whole number',
      ...missing.map((name) => `config: ${name} is missing`),
    ]);
  });

  it('migrates, becomes ready, shows its API and stops when told', async () => {
    await promisify(execFile)(process.execPath, ['main.js', 'migrate'], { cwd: folder, env });

    const startedAt = performance.now();
    child = spawn(process.execPath, ['main.js'], { cwd: folder, env, stdio: 'ignore' });
    const get = (port: string | undefined, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    await eventually(async () => expect((await get(env.MANAGEMENT_PORT, '/readyz')).status).toBe(200));
    expect(performance.now() - startedAt).toBeLessThan(START_WITHIN_MS);

    expect(await (await get(env.PORT, '/openapi.json')).json()).toMatchObject({
      openapi: expect.stringMatching(/^3\.1/),
    });
    const page = await (await get(env.PORT, '/docs')).text();
    const assets = [...page.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, path]) => path!);
    expect(assets.length).toBeGreaterThan(1);
    for (const path of assets) {
      const asset = await fetch(new URL(path, `http://127.0.0.1:${env.PORT}/docs`));
      expect({ path, status: asset.status }).toEqual({ path, status: 200 });
    }

    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
