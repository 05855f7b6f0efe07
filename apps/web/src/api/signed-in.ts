export type SessionState = 'unknown' | 'signed-in' | 'signed-out';

/** A token is renewed this long before it ends, so that no call starts with one that ends on the way. */
const RENEW_EARLY_MS = 30_000;

/**
 * Whether somebody is signed in. The access token lives here, in memory and renewed in time; where it comes from, and what
 * outlives a reload, is the subclass's.
 */
export abstract class SignedIn {
  readonly #listeners = new Set<() => void>();
  #state: SessionState = 'unknown';
  #token: string | undefined;
  #renewAtMs = 0;
  #renewing: Promise<string> | undefined;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getState = (): SessionState => this.#state;

  /** An access token that is good for a while. @throws ApiProblem */
  async token(): Promise<string> {
    if (this.#token && Date.now() < this.#renewAtMs) return this.#token;
    this.#renewing ??= this.renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** The token was refused: the next call asks for another. */
  forget(): void {
    this.#token = undefined;
  }

  /** Asks for another token and keeps it. @throws ApiProblem, after `end` when there is none to be had any more */
  protected abstract renew(): Promise<string>;

  protected keep(token: string, expiresInS: number): string {
    this.#token = token;
    this.#renewAtMs = Date.now() + Math.max(expiresInS * 1_000 - RENEW_EARLY_MS, expiresInS * 500);
    this.#set('signed-in');
    return token;
  }

  protected end(): void {
    this.#token = undefined;
    this.#set('signed-out');
  }

  #set(state: SessionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.changed();
  }

  /** Subscribers look again. */
  protected changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Whose token it is: the account's id. */
export function subjectOf(token: string): string {
  const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
  return String((JSON.parse(atob(payload)) as { sub?: unknown }).sub);
}
