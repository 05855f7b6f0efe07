import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { randomBytes } from 'node:crypto';
import type { JWK } from 'jose';
import Provider, { errors, type Configuration } from 'oidc-provider';
import { LOCAL_OPERATOR, OPERATORS_AUDIENCE } from '../runtime/developer-issuer.ts';
import { MemoryAdapter } from './memory-adapter.ts';

/** What the pages are to it. */
const CLIENT = 'cabstand-web';
const RESOURCE = 'urn:cabstand:services';
const MINUTE_S = 60;

export interface IdentityProviderOptions {
  /** Its own address. */
  issuer: string;
  /** Private. */
  key: JWK;
  /** Where the pages are. */
  webUrl: string;
  certificate?: { cert: Buffer; key: Buffer } | null;
}

/**
 * The development issuer as an OpenID provider, for the operator page: whoever uses this machine is the operator, and is
 * asked nothing. Only `npm start` runs it, on 127.0.0.1; elsewhere operators sign in at their organisation's own provider.
 */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<{ stop(): Promise<void> }> {
  const { issuer, certificate } = options;
  const provider = new Provider(issuer, configuration(options));
  const answer = provider.callback();
  const server = certificate ? createSecureServer(certificate) : createServer();
  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/sign-in/')) return void answer(request, response);
    const login = { login: { accountId: LOCAL_OPERATOR } };
    provider.interactionFinished(request, response, login).catch((error: unknown) => {
      // Somebody came back to an address of before.
      response.writeHead(400, { 'content-type': 'text/plain' });
      response.end(error instanceof errors.OIDCProviderError ? error.message : 'this sign-in is over: start it again');
    });
  });
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(Number(new URL(issuer).port), '127.0.0.1', resolve),
  );
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { stop };
}

function configuration({ key, webUrl }: IdentityProviderOptions): Configuration {
  return {
    adapter: MemoryAdapter,
    clients: [
      {
        client_id: CLIENT,
        // A page can keep no secret: PKCE, which the provider demands by default, is what protects the code.
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: [`${webUrl}/`],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [key] } as Configuration['jwks'],
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    clientBasedCORS: (_, origin) => origin === webUrl,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
    // Nobody is asked whether the page may do what it is for.
    loadExistingGrant: async ({ oidc }) => {
      const { client, session, provider } = oidc;
      const grant = new provider.Grant({ clientId: client!.clientId, accountId: session!.accountId! });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
    issueRefreshToken: () => true,
    extraTokenClaims: () => ({ role: 'operator' }),
    formats: {
      customizers: {
        jwt: (_, __, { payload }) => {
          (payload as Record<string, unknown>).aud = OPERATORS_AUDIENCE;
        },
      },
    },
    ttl: {
      ...{ AccessToken: 5 * MINUTE_S, IdToken: 5 * MINUTE_S, Interaction: 5 * MINUTE_S },
      ...{ Grant: 24 * 60 * MINUTE_S, Session: 24 * 60 * MINUTE_S, RefreshToken: 24 * 60 * MINUTE_S },
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '',
          audience: OPERATORS_AUDIENCE[0]!,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  };
}
