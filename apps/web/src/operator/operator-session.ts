import * as oauth from 'oauth4webapi';
import { ApiProblem } from '../api/problem.ts';
import { SignedIn } from '../api/signed-in.ts';

/** What has to survive the way to the provider and back. Nothing of it lets anybody in. */
interface Departure {
  verifier: string;
  state: string;
  /** Where on the page the operator was. */
  hash: string;
}

const DEPARTURE = 'cabstand.operator.departure';
/** Says only that an operator was signed in in this tab, so that a reload asks the provider without a click. */
const MARK = 'cabstand.operator.signed-in';

/**
 * An operator, signed in at the organisation's own provider: authorization code with PKCE, by redirects of the page.
 * After a reload the provider's own session gives new tokens.
 */
export class OperatorSession extends SignedIn {
  readonly #issuer: URL;
  readonly #client: oauth.Client;
  readonly #options: { [oauth.allowInsecureRequests]: boolean };
  #provider: Promise<oauth.AuthorizationServer> | undefined;
  #refreshToken: string | undefined;
  #resuming: Promise<void> | undefined;

  constructor(issuer: string, clientId: string) {
    super();
    this.#issuer = new URL(issuer);
    this.#client = { client_id: clientId };
    // Only the provider of a developer's machine speaks HTTP.
    this.#options = { [oauth.allowInsecureRequests]: this.#issuer.protocol === 'http:' };
  }

  /** Takes what the provider sent along, or asks it silently after a reload. Once, whoever calls. */
  resume(): Promise<void> {
    this.#resuming ??= this.#resume().catch((error: unknown) => {
      this.end();
      throw error;
    });
    return this.#resuming;
  }

  /** Leaves the page for the provider. `silent`: only if nobody has to be asked anything. */
  async signIn(silent = false): Promise<void> {
    const provider = await this.#discover();
    const departure = {
      verifier: oauth.generateRandomCodeVerifier(),
      state: oauth.generateRandomState(),
      hash: location.hash,
    };
    sessionStorage.setItem(DEPARTURE, JSON.stringify(departure));
    const url = new URL(provider.authorization_endpoint!);
    url.search = new URLSearchParams({
      client_id: this.#client.client_id,
      redirect_uri: redirectUri(),
      response_type: 'code',
      scope: 'openid',
      state: departure.state,
      code_challenge: await oauth.calculatePKCECodeChallenge(departure.verifier),
      code_challenge_method: 'S256',
      ...(silent ? { prompt: 'none' } : {}),
    }).toString();
    location.assign(url);
    // The page is about to be gone: nothing that waits for this has to go on.
    await new Promise(() => undefined);
  }

  /** Of this page alone: the provider's session is the provider's. */
  signOut(): void {
    sessionStorage.removeItem(MARK);
    this.#refreshToken = undefined;
    this.end();
  }

  async #resume(): Promise<void> {
    const url = new URL(location.href);
    const departure = sessionStorage.getItem(DEPARTURE);
    if (departure && url.searchParams.has('state')) {
      sessionStorage.removeItem(DEPARTURE);
      return this.#arrive(url, JSON.parse(departure) as Departure);
    }
    if (sessionStorage.getItem(MARK)) return this.signIn(true);
    this.end();
  }

  async #arrive(url: URL, { verifier, state, hash }: Departure): Promise<void> {
    // Neither a bookmark nor a reload may present the code again.
    history.replaceState(null, '', url.pathname + hash);
    const provider = await this.#discover();
    let answer: URLSearchParams;
    try {
      answer = oauth.validateAuthResponse(provider, this.#client, url, state);
    } catch (error) {
      sessionStorage.removeItem(MARK);
      // The provider doesn't know the operator any more: that is for a click, and no error.
      if (error instanceof oauth.AuthorizationResponseError && error.error === 'login_required') return this.end();
      throw error;
    }
    const [client, none] = [this.#client, oauth.None()];
    const response = await oauth.authorizationCodeGrantRequest(
      ...([provider, client, none, answer, redirectUri(), verifier, this.#options] as const),
    );
    this.#keep(await oauth.processAuthorizationCodeResponse(provider, client, response));
  }

  protected async renew(): Promise<string> {
    if (!this.#refreshToken) {
      this.end();
      throw new ApiProblem(401, { code: 'TOKEN_INVALID' });
    }
    const provider = await this.#discover();
    try {
      const response = await oauth.refreshTokenGrantRequest(
        ...([provider, this.#client, oauth.None(), this.#refreshToken, this.#options] as const),
      );
      return this.#keep(await oauth.processRefreshTokenResponse(provider, this.#client, response));
    } catch (error) {
      // Whoever can't be reached says nothing about the session.
      if (!(error instanceof oauth.ResponseBodyError)) throw new ApiProblem(0);
      this.#refreshToken = undefined;
      this.end();
      throw new ApiProblem(401, { code: 'TOKEN_INVALID' });
    }
  }

  #keep({ access_token, refresh_token, expires_in = 60 }: oauth.TokenEndpointResponse): string {
    this.#refreshToken = refresh_token ?? this.#refreshToken;
    sessionStorage.setItem(MARK, 'yes');
    return this.keep(access_token, expires_in);
  }

  #discover(): Promise<oauth.AuthorizationServer> {
    this.#provider ??= oauth
      .discoveryRequest(this.#issuer, this.#options)
      .then((response) => oauth.processDiscoveryResponse(this.#issuer, response))
      .catch((error: unknown) => {
        this.#provider = undefined;
        throw error;
      });
    return this.#provider;
  }
}

/** In words, what came of a sign-in. */
export function whyNotSignedIn(error: unknown): string {
  const isRefused = error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError;
  if (isRefused && error.error === 'access_denied') return 'The identity provider did not let you in.';
  if (isRefused) return `The identity provider refused to sign you in: ${error.error_description ?? error.error}.`;
  if (error instanceof TypeError) return 'The identity provider cannot be reached. Try again in a moment.';
  return 'The identity provider answered something that makes no sense here. Try again, or tell who runs it.';
}

const redirectUri = () => `${location.origin}/`;
