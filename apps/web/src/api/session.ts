import { ApiProblem, type Problem } from './problem.ts';
import { SignedIn } from './signed-in.ts';

export type Member = 'passenger' | 'driver';

interface Tokens {
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
}

const TIMEOUT_MS = 10_000;

/**
 * Somebody who is signed in at the passenger or the driver service; what outlives a reload is a cookie that no script can
 * read.
 */
export class Session extends SignedIn {
  readonly #base: string;
  /** Says only that there may be a cookie, so that first visits need not ask. */
  readonly #mark: string;

  constructor(member: Member) {
    super();
    this.#base = `/api/${member}/v1/sessions`;
    this.#mark = `cabstand.signed-in.${member}`;
  }

  /** @throws ApiProblem */
  async signIn(email: string, password: string): Promise<void> {
    this.#keep(await this.#ask('', { email, password }));
  }

  /** Only the service can take the cookie back. @throws ApiProblem when it can't be reached: one is still signed in then */
  async signOut(): Promise<void> {
    const headers = { authorization: `Bearer ${await this.token()}` };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(`${this.#base}/current`, { method: 'DELETE', headers, signal }).catch(() => {
      throw new ApiProblem(0);
    });
    if (response.status >= 500) throw new ApiProblem(response.status);
    this.end();
  }

  /** Goes on with the session that the cookie remembers, if it does. @throws ApiProblem when nobody can tell */
  async resume(): Promise<void> {
    if (localStorage.getItem(this.#mark) === null) return this.end();
    try {
      await this.token();
    } catch (error) {
      if (this.getState() !== 'signed-out') throw error;
    }
  }

  protected async renew(): Promise<string> {
    try {
      return this.#keep(await this.#ask('/refresh'));
    } catch (error) {
      // No session, or one that is over. Whoever can't be reached says nothing about it.
      if (error instanceof ApiProblem && [400, 401, 403].includes(error.status)) this.end();
      throw error;
    }
  }

  #keep({ accessToken, expiresIn }: Tokens): string {
    localStorage.setItem(this.#mark, 'yes');
    return this.keep(accessToken, expiresIn);
  }

  protected override end(): void {
    localStorage.removeItem(this.#mark);
    super.end();
  }

  async #ask(path: string, body?: object): Promise<Tokens> {
    const response = await fetch(this.#base + path, {
      method: 'POST',
      headers: { 'session-mode': 'cookie', ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch(() => {
      throw new ApiProblem(0);
    });
    const answer: unknown = await response.json().catch(() => ({}));
    if (response.ok) return answer as Tokens;
    throw new ApiProblem(response.status, answer as Partial<Problem>, response.headers.get('retry-after'));
  }
}

/** One for each kind of member: a browser may be a passenger's and a driver's at the same time. */
export const sessions: Record<Member, Session> = { passenger: new Session('passenger'), driver: new Session('driver') };
