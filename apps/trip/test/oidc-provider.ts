import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';

const CLIENT = 'operator-page';
const REDIRECT_URI = 'https://operators.test/callback';
const TRIP = 'https://cabstand.test/trip';
const WEB = 'https://cabstand.test/web';
/** What each resource is called in `aud`. */
const AUDIENCES: Record<string, string> = { [TRIP]: 'trip', [WEB]: 'web' };

export interface Grant {
  access_token: string;
  id_token: string;
}

export type Organisation = Awaited<ReturnType<typeof startOrganisation>>;

/** An organisation's own identity provider. `roles` says what it calls its people, in a claim as Keycloak has it. */
export async function startOrganisation(roles: Record<string, string[]>) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, configuration(roles));
  const answer = provider.callback();
  server.on('request', (request, response) => void answer(request, response));
  return {
    issuer,
    /** Signs somebody in, as a page does it: authorization code with PKCE. `resource` is what the token shall be for. */
    signIn: (login: string, resource: string | null = TRIP) => authorize(issuer, login, resource),
    TRIP,
    WEB,
    stop: () => close(server),
  };
}

function configuration(roles: Record<string, string[]>): Configuration {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    clients: [
      {
        client_id: CLIENT,
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
        redirect_uris: [REDIRECT_URI],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'organisation-1', alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_, token) =>
      'accountId' in token ? { realm_access: { roles: roles[String(token.accountId)] ?? [] } } : undefined,
    ttl: { AccessToken: 300, IdToken: 300, Grant: 600, Interaction: 600, Session: 600 },
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'operate',
          audience: AUDIENCES[resource]!,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  };
}

async function authorize(issuer: string, login: string, resource: string | null): Promise<Grant> {
  const verifier = randomBytes(32).toString('base64url');
  const wanted: Record<string, string> = resource === null ? {} : { resource };
  const search = new URLSearchParams({
    client_id: CLIENT,
    redirect_uri: REDIRECT_URI,
    response_type: 'code',
    scope: resource === null ? 'openid' : 'openid operate',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...wanted,
  });
  const code = await walk(`${issuer}/auth?${search}`, login);
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: CLIENT,
      grant_type: 'authorization_code',
      redirect_uri: REDIRECT_URI,
      code,
      code_verifier: verifier,
      ...wanted,
    }),
  });
  if (!response.ok) throw new Error(`no token: ${await response.text()}`);
  return (await response.json()) as Grant;
}

/** What a browser does: follows redirects with its cookies, fills in the forms, and ends where the code is. */
async function walk(start: string, login: string): Promise<string> {
  const cookies = new Map<string, string>();
  let next: { url: string; form?: URLSearchParams } = { url: start };
  for (let step = 0; step < 12; step++) {
    const response = await fetch(next.url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(next.form ? { method: 'POST', body: next.form } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      cookies.set(name!, value!);
    }
    const location = response.headers.get('location');
    if (location) {
      const url = new URL(location, next.url);
      const code = url.searchParams.get('code');
      if (url.href.startsWith(REDIRECT_URI)) {
        if (code) return code;
        throw new Error(`refused: ${url.search}`);
      }
      next = { url: url.href };
      continue;
    }
    const page = await response.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    const action = /action="([^"]+)"/.exec(page)?.[1];
    if (!prompt || !action) throw new Error(`no form: ${response.status} ${page}`);
    const answers: Record<string, string> = prompt === 'login' ? { prompt, login, password: 'anything' } : { prompt };
    next = { url: new URL(action, next.url).href, form: new URLSearchParams(answers) };
  }
  throw new Error('the provider never came to an end');
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
