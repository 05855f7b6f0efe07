import { ApiError, call, type CallOptions } from './http.ts';

export interface Tokens {
  accessToken: string;
  refreshToken: string;
  tokenType: 'Bearer';
  /** Seconds. */
  expiresIn: number;
}

export interface Credentials {
  email: string;
  password: string;
}

/** Somebody who is signed in: renews the access token before it expires, and signs in again when it can't be renewed. */
export class Session {
  readonly #baseUrl: string;
  readonly #credentials: Credentials;
  readonly #options: CallOptions;
  #tokens: Tokens | undefined;
  #renewAtMs = 0;
  #renewing: Promise<string> | undefined;

  constructor(baseUrl: string, { email, password }: Credentials, options: CallOptions = {}) {
    this.#baseUrl = baseUrl;
    this.#credentials = { email, password };
    this.#options = options;
  }

  get tokens(): Tokens | undefined {
    return this.#tokens;
  }

  /** A token that is good for a while yet. Callers at the same moment share one renewal. */
  async token(): Promise<string> {
    if (this.#tokens && Date.now() < this.#renewAtMs) return this.#tokens.accessToken;
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** @throws ApiError CREDENTIALS_INVALID, ACCOUNT_SUSPENDED */
  async signIn(): Promise<string> {
    return this.#keep(await this.#post('/v1/sessions', this.#credentials));
  }

  async signOut(): Promise<void> {
    if (!this.#tokens) return;
    const token = this.#tokens.accessToken;
    await call('DELETE', `${this.#baseUrl}/v1/sessions/current`, { ...this.#options, token });
    this.#tokens = undefined;
  }

  /** What the server said no to is not worth keeping: the next call signs in again. */
  forget(): void {
    this.#tokens = undefined;
  }

  async #renew(): Promise<string> {
    if (!this.#tokens) return this.signIn();
    try {
      const { refreshToken } = this.#tokens;
      return this.#keep(await this.#post('/v1/sessions/refresh', { refreshToken }));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      return this.signIn();
    }
  }

  async #post(path: string, body: object): Promise<Tokens> {
    return (await call<Tokens>('POST', this.#baseUrl + path, { ...this.#options, body })).body;
  }

  #keep(tokens: Tokens): string {
    this.#tokens = tokens;
    this.#renewAtMs = Date.now() + tokens.expiresIn * 1_000 * 0.8;
    return tokens.accessToken;
  }
}
