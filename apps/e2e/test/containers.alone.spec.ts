import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { ContainerEngine, ROOT, testFolder, whyNoContainers } from '../../../infra/index.ts';
import { call } from '../../../tools/client/http.ts';
import { expectAgreement } from '../src/agreement.ts';
import { bases, buildImage, makeBases, sizeOf } from '../src/containers/images.ts';
import { PlayedOverlay, PODS, type PodName } from '../src/containers/overlay.ts';
import { LOOK_AT_RIGHTS } from '../src/containers/rights.ts';
import { acceptedTrip, drive, newDriver, newPassenger, type NewDriver, type NewPassenger } from '../src/people.ts';
import { freshPlace } from '../src/places.ts';

/** Over the image of Node.js that they run on. */
const LARGEST_BYTES = 80_000_000;
const STARTS = 2;

const why = whyNoContainers();
if (why === null || process.env.CI) describe('in containers', () => testContainers());
else it(`images are neither built nor run here: ${why}`, () => undefined);

function testContainers(): void {
  const engine = new ContainerEngine(testFolder('-containers'));
  const figures: Partial<Record<PodName, Record<string, string>>> = {};
  const note = (service: PodName, name: string, value: string) =>
    (figures[service] = { ...figures[service], [name]: value });

  beforeAll(() => makeBases(engine));
  afterAll(async () => {
    console.table(figures);
    await engine.remove();
  });
  describe('the images', () => testImages(engine, note));
  describe('the local overlay, played by Podman', () => testOverlay(engine, note));
}

type Note = (service: PodName, name: string, value: string) => void;

function testImages(engine: ContainerEngine, note: Note): void {
  const ids: Partial<Record<PodName, string>> = {};

  it.each(PODS)('%s is built, and is little more than its base', async (service) => {
    ids[service] = await buildImage(engine, service);
    const ownBytes = (await sizeOf(engine, ids[service])) - (await sizeOf(engine, bases().run));
    note(service, 'MB over its base', (ownBytes / 1_000_000).toFixed(1));
    expect(ownBytes).toBeLessThan(LARGEST_BYTES);
  });

  it.each(PODS)('%s holds the bundle that Nx built, and nothing of its siblings', async (service) => {
    const at = join(engine.folder, `files-of-${service}`);
    const mounted = await engine.podman('image', 'mount', ids[service]!);
    await engine.run('cp', '-r', join(mounted, 'service'), at);
    await engine.podman('image', 'umount', ids[service]!);
    const built = join(ROOT, 'dist', 'apps', service);
    const { 'service.js.map': map, ...files } = contentsOf(built);
    expect(contentsOf(at)).toEqual(files);
    const { sources } = JSON.parse(map!) as { sources: string[] };
    const apps = sources.flatMap((source) => /apps\/(\w+)\//.exec(source)?.[1] ?? []);
    expect([...new Set(apps)]).toEqual([service]);
    // The list of contents is beside the image too, for those who have no way into it.
    const listed = readFileSync(join(ROOT, 'dist', 'images', `${service}.cdx.json`), 'latin1');
    expect(listed).toBe(files['sbom.cdx.json']);
    expect((JSON.parse(listed) as { components: object[] }).components.length).toBeGreaterThan(10);
  });

  it.each(PODS)('%s says what it is, and that it is nobody', async (service) => {
    const [{ Config, Labels }] = JSON.parse(await engine.podman('image', 'inspect', ids[service]!)) as [
      { Config: Record<string, unknown>; Labels: Record<string, string> },
    ];
    expect(Config).toMatchObject({ User: '65532:65532', Entrypoint: ['node'], Cmd: ['main.js'] });
    const label = (name: string) => Labels[`org.opencontainers.image.${name}`];
    expect(label('title')).toBe(`cabstand-${service}`);
    expect(label('version')).toMatch(/^\d+\.\d+\.\d+$/);
    expect(label('revision')).toMatch(/^[0-9a-f]{40}(-dirty)?$/);
    expect(new Date(label('created')!).getTime()).toBeGreaterThan(0);
    expect(label('base.name')).toBe(bases().run);
  });

  it.each(PODS)('%s has no shell', async (service) => {
    const asShell = ['--rm', '--network', 'none', '--entrypoint', '/bin/sh', ids[service]!, '-c', 'true'];
    await expect(engine.podman('run', ...asShell)).rejects.toThrow(/no such file/);
  });

  it('is the same image when it is built again', async () => {
    expect(await buildImage(engine, 'trip', '--no-cache')).toBe(ids.trip);
  });
}

/** Each file below the folder, byte for byte. */
function contentsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'latin1')]));
}

function testOverlay(engine: ContainerEngine, note: Note): void {
  let overlay: PlayedOverlay;
  let passenger: NewPassenger;
  let driver: NewDriver;
  const place = freshPlace();

  /** The whole of it, by the public APIs alone. */
  async function journey(): Promise<string> {
    await driver.api.report([{ ...place.pickup, at: new Date().toISOString() }]);
    const { id } = await acceptedTrip(passenger.api, driver.api, place, 20_000);
    await drive(driver.api, id);
    await passenger.api.rate(id, 5);
    expect(await passenger.api.trip(id)).toMatchObject({ status: 'completed', driverId: driver.id });
    return id;
  }

  beforeAll(async () => {
    overlay = await PlayedOverlay.play(engine);
  });
  afterAll(() => overlay?.stop());

  it.each(PODS)('%s is one process without rights, which can write to no file', async (service) => {
    const seen = await engine.podman('exec', overlay.containerOf(service), 'node', '-e', LOOK_AT_RIGHTS);
    expect(JSON.parse(seen)).toEqual({
      processes: ['node main.js'],
      uid: '65532',
      gid: '65532',
      effective: '0000000000000000',
      bounding: '0000000000000000',
      noNewPrivileges: '1',
      seccomp: '2',
      // Memory that the pod's containers share, as in Kubernetes; none of the image.
      writable: ['/dev/shm'],
    });
  });

  it('completes a trip between containers, which operators can look at', async () => {
    passenger = await newPassenger(overlay.urls);
    driver = await newDriver(overlay.urls, place.pickup);
    const id = await journey();
    const token = await overlay.operatorToken();
    expect(await call('GET', `${overlay.urls.trip}/v1/trips/${id}`, { token })).toMatchObject({ body: { id } });
  });

  it('has pages that reach the services, with sessions in cookies', async () => {
    const { pagesUrl } = overlay;
    const page = await fetch(`${pagesUrl}/ride`);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<title>Cabstand')]);
    const { email, password } = passenger.profile;
    // As whoever has forwarded the pages' port.
    const headers = { origin: 'http://localhost:4200', 'session-mode': 'cookie', 'content-type': 'application/json' };
    const sessions = `${pagesUrl}/api/passenger/v1/sessions`;
    const signedIn = await fetch(sessions, { method: 'POST', headers, body: JSON.stringify({ email, password }) });
    const [cookie] = signedIn.headers.getSetCookie();
    expect(cookie).toContain('; Path=/api/passenger/v1/sessions');
    expect(await signedIn.json()).not.toHaveProperty('refreshToken');
    const kept = { origin: headers.origin, cookie: cookie!.split(';')[0]! };
    const refreshed = await fetch(`${sessions}/refresh`, { method: 'POST', headers: kept });
    expect(await refreshed.json()).toHaveProperty('accessToken');
  });

  it.each(SERVICES)('completes another one after %s was killed', async (service) => {
    const container = overlay.containerOf(service);
    const inspect = async (field: string) => engine.podman('inspect', '--format', `{{.${field}}}`, container);
    const pid = await inspect('State.Pid');
    await engine.run('kill', '-KILL', pid);
    // By its pod's restart policy, as by a kubelet.
    await eventually(async () => expect(['0', pid]).not.toContain(await inspect('State.Pid')), { timeoutMs: 30_000 });
    await overlay.untilReady(service);
    await journey();
  });

  it('has lost nothing on the way', () => expectAgreement(overlay, 30_000));

  it.each(PODS)('%s ends with 0 when it is told to, and is soon ready again', async (service) => {
    const container = overlay.containerOf(service);
    const tookMs: number[] = [];
    for (let start = 0; start < STARTS; start += 1) {
      const stoppedAtMs = performance.now();
      await engine.podman('stop', '--time', '15', container);
      expect(await engine.podman('inspect', '--format', '{{.State.ExitCode}}', container)).toBe('0');
      expect(performance.now() - stoppedAtMs).toBeLessThan(10_000);
      const startedAtMs = performance.now();
      await engine.podman('start', container);
      await overlay.untilReady(service);
      tookMs.push(performance.now() - startedAtMs);
    }
    // A figure for people: what else this machine does is no fault of the image's.
    note(service, 'ready in s', (Math.min(...tookMs) / 1_000).toFixed(2));
  });
}
