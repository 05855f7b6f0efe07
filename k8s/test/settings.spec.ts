import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OVERLAYS, render } from '../src/kustomize.ts';
import { services } from '../src/pods.ts';
import { environments, problemsOfSettings } from '../src/settings.ts';
import { withKubectl } from './kubectl.ts';

type Environments = Record<string, Record<string, string>>;

/** What `node k8s/local-secrets.ts` makes, for an installation that is thrown away again. */
function localSecrets(): { metadata: { name: string }; stringData?: Record<string, string> }[] {
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-local-'));
  try {
    const script = join(import.meta.dirname, '..', 'local-secrets.ts');
    const env = { ...process.env, CABSTAND_LOCAL: folder };
    return (JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8', env })) as { items: [] }).items;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the overlay's services find in their environment, each named for both. */
function all(overlay: string): Environments {
  const secrets = overlay === 'local' ? localSecrets() : [];
  return Object.fromEntries(
    Object.entries(environments(render(overlay))).map(([service, environment]) => [
      `${overlay}/${service}`,
      { ...environment, ...secrets.find(({ metadata }) => metadata.name === service)?.stringData },
    ]),
  );
}

withKubectl('settings', () => {
  const given: Environments = Object.assign({}, ...OVERLAYS.map(all));
  const { 'production/trip': trip, 'production/driver': driver, 'production/web': web } = given;
  const mistaken = {
    'missing/trip': { ...trip, TRUSTED_ISSUERS: undefined as unknown as string },
    'unknown/trip': { ...trip, FARE_BASE: '250' },
    'unknown/web': { ...web, AMQP_URL: 'amqps://rabbitmq.cabstand.svc:5671/cabstand' },
    'wrong/driver': { ...driver, DISPATCH_OFFER_TTL: 'soon', TLS_CERT_FILE: '/run/cabstand/elsewhere/tls.crt' },
  };
  // Both at once: compiling the services' config.ts is what takes long.
  let problems: string[];
  beforeAll(async () => void (problems = await problemsOfSettings({ ...given, ...mistaken })), 60_000);
  const isMistaken = (problem: string) => /^(missing|unknown|wrong)/.test(problem);

  it('each service is given what its config.ts demands, and nothing that it does not know', () => {
    expect(Object.keys(given)).toHaveLength(OVERLAYS.length * 4);
    expect(problems.filter((problem) => !isMistaken(problem))).toEqual([]);
  });

  it('what is missing, unknown or wrong is noticed', () => {
    expect(problems.filter(isMistaken).sort()).toEqual([
      'missing/trip: TRUSTED_ISSUERS is missing',
      'unknown/trip: FARE_BASE is unknown',
      'unknown/web: AMQP_URL is unknown',
      'wrong/driver: DISPATCH_OFFER_TTL must be a duration such as 500ms, 15s, 2m, 24h or 30d',
      'wrong/driver: TLS_CERT_FILE must be a file that can be read',
    ]);
  });

  it('files that settings name are in a volume of the container', () => {
    const unmounted = OVERLAYS.flatMap((overlay) =>
      services(render(overlay)).flatMap(({ name, pod }) => {
        const paths = Object.values(environments(render(overlay))[name]!).filter((value) => value.startsWith('/run/'));
        return [...pod.containers, ...(pod.initContainers ?? [])].flatMap(({ name: container, volumeMounts = [] }) =>
          paths
            .filter((path) => !volumeMounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`)))
            .map((path) => `${overlay}/${name}/${container}: ${path}`),
        );
      }),
    );
    expect(unmounted).toEqual([]);
  });
});
