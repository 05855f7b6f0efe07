import type { AttackClass, Verdict } from '../attack.ts';
import { inParallel } from '../in-parallel.ts';
import { send, type Answer } from '../wire.ts';
import type { World } from '../world.ts';

/** The one page that may, as the platform is told by WEB_ORIGINS. */
export const WEB = 'https://rides.example';

/** Origins that have been taken for the right one: by their beginning, their end, their case, or for being nothing. */
const FOREIGN = [
  'https://evil.example',
  'null',
  'http://rides.example',
  'https://rides.example.evil.example',
  'https://evil-rides.example',
  'https://api.rides.example',
  'https://rides.example:8443',
  'https://rides.example/',
  'https://RIDES.example',
  'https://ridesXexample',
  'https://rides.example@evil.example',
  'https://rides.example, https://evil.example',
  'https://rides.example%60.evil.example',
  'https://rides.example_.evil.example',
  'file://',
  'chrome-extension://abcdefgh',
  '*',
  '',
];

const PREFLIGHT = { 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' };

export const cors: AttackClass = {
  name: 'CORS',
  about:
    'pages of foreign origins, of no origin and of look-alikes: no answer names them, with and without a preflight',
  async run(world, { quick }) {
    const verdicts: Verdict[] = [];
    // One of each kind: anybody's, a user's, an operator's, a stream, a path that there isn't, and those without a policy.
    const paths = Object.entries({
      passenger: [
        '/v1/sessions',
        '/v1/passengers/me',
        '/v1/ops/outbox',
        '/nowhere',
        '/openapi.json',
        '/docs',
        '/.well-known/jwks.json',
      ],
      driver: ['/v1/drivers/me/events', '/v1/drivers/me/offer'],
      trip: ['/v1/trips', '/v1/quotes'],
    }).flatMap(([service, all]) => all.map((path) => ({ service: service as 'trip', path })));
    for (const { service, path } of paths) {
      const url = world.platform.urls[service] + path;
      const attempts = FOREIGN.slice(0, quick ? 6 : undefined).flatMap(methods);
      verdicts.push(
        ...(await inParallel(attempts, 4, async ({ method, headers }) => ({
          attack: `${method} ${service} ${path} from ${JSON.stringify(headers['origin'])}`,
          broken: letsIn(await send({ method, url, headers })),
        }))),
      );
      verdicts.push(await fromOurs(url, `${service} ${path}`));
    }
    verdicts.push(...(await fromNowhere(world)));
    return verdicts;
  },
};

const methods = (origin: string): { method: string; headers: Record<string, string> }[] => [
  { method: 'GET', headers: { origin } },
  { method: 'POST', headers: { origin, 'content-type': 'text/plain' } },
  { method: 'OPTIONS', headers: { origin, ...PREFLIGHT } },
];

function letsIn({ headers }: Answer): string | undefined {
  const told = [...headers].filter(([name]) => name.startsWith('access-control-'));
  return told.length > 0 ? `was told ${told.map((header) => header.join(': ')).join('; ')}` : undefined;
}

/** A suite against services that know no CORS at all would show nothing: our own page is let in, and only it. */
async function fromOurs(url: string, name: string): Promise<Verdict> {
  const { headers } = await send({ method: 'OPTIONS', url, headers: { origin: WEB, ...PREFLIGHT } });
  const allowed = headers.get('access-control-allow-origin');
  const varies = headers.get('vary')?.toLowerCase().includes('origin');
  const isRight = allowed === WEB && varies && headers.get('access-control-allow-headers') !== '*';
  return {
    attack: `${name} from our own page`,
    broken: isRight ? undefined : `allows ${allowed}, varies by ${headers.get('vary')}`,
  };
}

/** What isn't a page sends no origin, and is told nothing either; but a cache must know that it could have been. */
async function fromNowhere(world: World): Promise<Verdict[]> {
  const answer = await send({ method: 'GET', url: `${world.platform.urls.trip}/v1/trips` });
  const varies = answer.headers.get('vary')?.toLowerCase().includes('origin');
  return [
    { attack: 'GET trip /v1/trips without an origin', broken: letsIn(answer) },
    {
      attack: 'a cache that keeps one origin’s answer for another',
      broken: varies ? undefined : 'vary: origin is missing',
    },
  ];
}
