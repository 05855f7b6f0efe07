/** One HTTP exchange as it is on the wire, for requests that no honest client would send. */
export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** Undefined when the body isn't JSON. */
  json: Record<string, unknown> | undefined;
}

export async function send(url: string, init: RequestInit = {}): Promise<RawAnswer> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(20_000) });
  const text = await response.text();
  let json: RawAnswer['json'];
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

export const sendJson = (method: string, url: string, body: string | undefined, token?: string) =>
  send(url, {
    method,
    body: body ?? null,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });

/** Holds an answer to RFC 9457 and to the promise that it tells nothing of our insides. */
export function expectProblem(answer: RawAnswer, status: number, code?: string): void {
  expect({ status: answer.status, body: answer.text }).toEqual({ status, body: expect.any(String) });
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.json).toMatchObject({
    type: expect.any(String),
    title: expect.any(String),
    status,
    code: code ?? expect.stringMatching(/^[A-Z][A-Z_]+$/),
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  expect(answer.text).not.toMatch(/\bat .+:\d+:\d+|node_modules|\.ts:\d|SELECT |INSERT |QueryFailed/);
}
