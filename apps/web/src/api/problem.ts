import type { components } from './generated/trip.d.ts';

export type Problem = components['schemas']['Problem'];
/** The services' codes, and what the pages' own server and the browser add to them. */
export type ProblemCode = Problem['code'] | 'SERVICE_UNREACHABLE' | 'OFFLINE' | 'UNKNOWN';

/** A call that was refused, or that nobody answered. `message` can be shown to people as it is. */
export class ApiProblem extends Error {
  readonly code: ProblemCode;
  /** 0: nobody answered. */
  readonly status: number;
  readonly traceId: string | undefined;
  readonly retryAfterS: number | undefined;
  /** What is wrong with which field, where the service says so. */
  readonly fields: Record<string, string>;

  constructor(status: number, problem: Partial<Problem> = {}, retryAfter: string | null = null) {
    const code: ProblemCode = problem.code ?? (status === 0 ? 'OFFLINE' : 'UNKNOWN');
    super(inWords(code, problem));
    this.name = 'ApiProblem';
    this.code = code;
    this.status = status;
    this.traceId = problem.traceId;
    this.retryAfterS = retryAfter === null ? undefined : Number(retryAfter);
    this.fields = Object.fromEntries((problem.errors ?? []).map(({ path, message }) => [path, sentence(message)]));
  }

  /** Whether the same call may well succeed a little later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const WORDS: Partial<Record<ProblemCode, string>> = {
  OFFLINE: 'Cabstand cannot be reached. Check your connection; nothing you entered is lost.',
  SERVICE_UNREACHABLE: 'This part of Cabstand is not answering right now. Try again in a moment.',
  UNKNOWN: 'Something unexpected came back. Try again in a moment.',
  CREDENTIALS_INVALID: 'E-mail or password is wrong.',
  ACCOUNT_SUSPENDED: 'This account is suspended. Contact support to have it reinstated.',
  EMAIL_TAKEN: 'There is an account with this e-mail already. Sign in instead.',
  RATE_LIMITED: 'That was a lot at once. Wait a moment, then try again.',
  QUOTE_EXPIRED: 'This price has expired. Here is a new one.',
  QUOTE_USED: 'This price was used for another trip. Here is a new one.',
  TRIP_ALREADY_ACTIVE: 'You have a trip under way already.',
  TRIP_TRANSITION_INVALID: 'The trip has moved on meanwhile.',
  TRIP_ALREADY_RATED: 'You have rated this trip already.',
  OFFER_EXPIRED: 'The offer has expired.',
  OFFER_WITHDRAWN: 'The passenger cancelled: the offer was withdrawn.',
  OFFER_CLOSED: 'The offer is closed.',
  TOKEN_MISSING: 'Please sign in again.',
  TOKEN_INVALID: 'Please sign in again.',
  REFRESH_TOKEN_INVALID: 'Please sign in again.',
  REQUEST_INVALID: 'Some of this does not look right yet.',
  DATABASE_UNAVAILABLE: 'This part of Cabstand is not answering right now. Try again in a moment.',
  OVERLOADED: 'Cabstand is very busy right now. Try again in a moment.',
  SHUTTING_DOWN: 'Cabstand is restarting. Try again in a moment.',
  INTERNAL: 'Something went wrong on our side. Try again in a moment.',
};

const inWords = (code: ProblemCode, { detail, title }: Partial<Problem>): string =>
  WORDS[code] ?? sentence(detail ?? title ?? 'Something went wrong');

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/** What to tell people of whatever was thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof ApiProblem ? error.message : 'Something went wrong on this page. Reload it and try again.';
