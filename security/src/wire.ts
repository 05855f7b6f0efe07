export interface Request {
  method: string;
  url: string;
  token?: string | undefined;
  /** As it is sent; not necessarily JSON. */
  body?: string | Uint8Array<ArrayBuffer> | undefined;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  contentType: string;
  text: string;
  /** Undefined where the body isn't JSON. */
  json: unknown;
  tookMs: number;
}

const TIMEOUT_MS = 20_000;

/** Sends what no honest client would. Of a stream, only the head is read. */
export async function send({ method, url, token, body, headers }: Request): Promise<Answer> {
  const startedAtMs = performance.now();
  const leaving = new AbortController();
  const response = await fetch(url, {
    method,
    body: body ?? null,
    redirect: 'manual',
    signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  const contentType = response.headers.get('content-type') ?? '';
  const isStream = contentType.startsWith('text/event-stream');
  const text = isStream ? '' : await response.text();
  if (isStream) leaving.abort();
  const tookMs = performance.now() - startedAtMs;
  return { status: response.status, headers: response.headers, contentType, text, json: parse(text), tookMs };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
