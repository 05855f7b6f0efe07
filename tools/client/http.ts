import { setTimeout as delay } from 'node:timers/promises';

/** RFC 9457, with the members that every service of the platform adds. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  code: string;
  traceId?: string;
  errors?: { path: string; message: string }[];
}

/** One call as it went over the wire, for whoever wants to tell the story (`npm run journey`). */
export interface Exchange {
  method: string;
  url: string;
  status: number;
  tookMs: number;
}

export interface CallOptions {
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  timeoutMs?: number;
  onExchange?: (exchange: Exchange) => void;
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** The service answered, and the answer is a refusal. A service that can't be reached throws fetch's own `TypeError`. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly traceId: string | undefined;
  readonly problem: Partial<Problem>;
  readonly retryAfterS: number | undefined;

  constructor(call: string, status: number, problem: Partial<Problem>, retryAfter: string | null) {
    super(`${call} answered ${status} ${problem.code ?? ''} ${problem.detail ?? ''}`.trimEnd());
    this.name = 'ApiError';
    this.status = status;
    this.code = problem.code ?? 'UNKNOWN';
    this.traceId = problem.traceId;
    this.problem = problem;
    this.retryAfterS = retryAfter === null ? undefined : Number(retryAfter);
  }
}

/**
 * One HTTP call with a JSON body and a JSON answer; an empty answer is `undefined`.
 *
 * @throws ApiError when the status is 400 or above
 */
export async function call<T>(method: string, url: string, options: CallOptions = {}): Promise<Answer<T>> {
  const startedAtMs = performance.now();
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 10_000);
  const response = await fetch(url, {
    method,
    headers: headersOf(options),
    body: options.body === undefined ? null : JSON.stringify(options.body),
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
  });
  const text = await response.text();
  const { pathname, search } = new URL(url);
  options.onExchange?.({ method, url, status: response.status, tookMs: performance.now() - startedAtMs });
  const body = parse(text);
  if (response.status >= 400) {
    const problem = typeof body === 'object' && body !== null ? (body as Partial<Problem>) : {};
    throw new ApiError(`${method} ${pathname}${search}`, response.status, problem, response.headers.get('retry-after'));
  }
  return { status: response.status, headers: response.headers, body: body as T };
}

export function headersOf({ token, body, headers }: CallOptions): Record<string, string> {
  return {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  };
}

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Waits, or returns at once when the signal aborts: whoever stops doesn't want to hear of it as an error. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
}
