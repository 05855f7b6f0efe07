import { ApiError, headersOf, pause, type Problem } from './http.ts';

/** One server-sent event (WHATWG HTML, section 9.2). `id` only where the stream can be resumed after it. */
export interface StreamEvent {
  id: string | undefined;
  event: string;
  data: unknown;
}

export interface StreamOptions {
  token: string;
  lastEventId?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Told the server's `retry:` in milliseconds. */
  onRetry?: (retryMs: number) => void;
  /** Told once the server has answered 200, before the first event. */
  onOpen?: () => void;
}

/**
 * Reads one connection of an event stream until the server closes it. `fetch` instead of `EventSource`
 * because the access token travels in a header, never in the URL.
 *
 * @throws ApiError when the server refuses the stream
 */
export async function* readEvents(url: string, options: StreamOptions): AsyncGenerator<StreamEvent> {
  const response = await fetch(url, {
    headers: headersOf({
      token: options.token,
      headers: {
        ...options.headers,
        accept: 'text/event-stream',
        ...(options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId }),
      },
    }),
    signal: options.signal ?? null,
  });
  if (response.status !== 200 || !response.body) {
    const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
    throw new ApiError(`GET ${new URL(url).pathname}`, response.status, problem, response.headers.get('retry-after'));
  }
  options.onOpen?.();
  let buffer = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    buffer = (buffer + text).replaceAll('\r\n', '\n');
    const blocks = buffer.split('\n\n');
    buffer = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parseBlock(block, options);
      if (event) yield event;
    }
  }
}

/**
 * Reads a stream for good: whenever a connection ends, for whatever reason, the next one resumes after the
 * last event seen. `token` is asked for each connection, because a stream ends when its token expires.
 */
export async function* followEvents(
  url: string,
  token: () => Promise<string>,
  options: {
    signal: AbortSignal;
    onOpen?: () => void;
    onLost?: (error: unknown) => void;
    lastEventId?: string;
  },
): AsyncGenerator<StreamEvent> {
  let lastEventId = options.lastEventId;
  let retryMs = 1_000;
  while (!options.signal.aborted) {
    let lost: unknown;
    try {
      const connection = readEvents(url, {
        token: await token(),
        ...(lastEventId === undefined ? {} : { lastEventId }),
        signal: options.signal,
        onRetry: (ms) => (retryMs = ms),
        ...(options.onOpen ? { onOpen: options.onOpen } : {}),
      });
      for await (const event of connection) {
        lastEventId = event.id ?? lastEventId;
        yield event;
      }
    } catch (error) {
      lost = error;
    }
    if (options.signal.aborted) return;
    options.onLost?.(lost);
    // Jitter, so that the clients of a replica that went away don't all arrive at the next one together.
    await pause(retryMs * (0.5 + Math.random()), options.signal);
  }
}

function parseBlock(block: string, options: StreamOptions): StreamEvent | undefined {
  let id: string | undefined;
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [field, value] = fieldOf(line);
    if (field === 'id') id = value;
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
    if (field === 'retry') options.onRetry?.(Number(value));
  }
  // Heartbeats are comments, and a block without data is no event.
  return data.length === 0 ? undefined : { id, event, data: JSON.parse(data.join('\n')) };
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
