import { ApiProblem, messageOf, type Problem } from './problem.ts';
import { subjectOf, SignedIn } from './signed-in.ts';

export type Member = 'passenger' | 'driver';

interface Tokens {
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
}

type OtherPerson = (before: string | null, after: string | null) => void;

const TIMEOUT_MS = 10_000;

/**
 * Somebody who is signed in at the passenger or the driver service; what outlives a reload is a cookie that no script can
 * read.
 */
export class Session extends SignedIn {
  readonly #base: string;
  /** Says only that there may be a cookie, so that first visits need not ask. */
  readonly #mark: string;
  /** Whose session this tab knew last: another tab may have signed somebody else in meanwhile. */
  readonly #person: string;
  readonly #onOtherPerson = new Set<OtherPerson>();
  #whyEnded: string | null = null;

  constructor(member: Member) {
    super();
    this.#base = `/api/${member}/v1/sessions`;
    this.#mark = `cabstand.signed-in.${member}`;
    this.#person = `cabstand.person.${member}`;
  }

  /** The account's id; null while nobody is known to be signed in. */
  readonly getPerson = (): string | null => sessionStorage.getItem(this.#person);

  /** Called before anybody hears of the new state, with the accounts' ids; null is nobody. */
  onOtherPerson(listener: OtherPerson): void {
    this.#onOtherPerson.add(listener);
  }

  /** In words, why a session is over that nobody has ended here. */
  readonly getWhyEnded = (): string | null => this.#whyEnded;

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
      if (error instanceof ApiProblem && [400, 401, 403].includes(error.status)) {
        const isSuspended = error.code === 'ACCOUNT_SUSPENDED';
        this.#whyEnded = isSuspended ? messageOf(error) : 'Your session has ended. Sign in again to go on.';
        this.end();
      }
      throw error;
    }
  }

  #keep({ accessToken, expiresIn }: Tokens): string {
    localStorage.setItem(this.#mark, 'yes');
    this.#whyEnded = null;
    this.#know(subjectOf(accessToken));
    return this.keep(accessToken, expiresIn);
  }

  protected override end(): void {
    localStorage.removeItem(this.#mark);
    this.#know(null);
    super.end();
  }

  #know(person: string | null): void {
    const before = this.getPerson();
    if (before === person) return;
    if (person === null) sessionStorage.removeItem(this.#person);
    else sessionStorage.setItem(this.#person, person);
    for (const listener of this.#onOtherPerson) listener(before, person);
    this.changed();
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
