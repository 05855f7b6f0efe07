import { EventSourceParserStream, type EventSourceMessage } from 'eventsource-parser/stream';
import type { TokenSource } from './client.ts';
import { ApiProblem, type Problem } from './problem.ts';
import { noteServerTime } from './server-clock.ts';

export interface StreamEvent {
  event: string;
  data: unknown;
}

export interface StreamHooks {
  signal: AbortSignal;
  /** True once the server has answered, false whenever the connection is gone. */
  onConnected: (isConnected: boolean) => void;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The services say something every 15 s; a connection that is silent for longer leads nowhere. */
const SILENCE_MS = 40_000;

/**
 * Follows a stream of server-sent events until the signal, or until the service says that there is none for us. Each
 * connection goes on after the last event seen. `fetch` instead of `EventSource`, because the access token travels in a
 * header, never in the URL.
 *
 * @throws ApiProblem when the stream is refused for good
 */
export async function* followEvents(
  url: string,
  session: TokenSource,
  { signal, onConnected }: StreamHooks,
): AsyncGenerator<StreamEvent> {
  let lastEventId: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    const connection = new AbortController();
    const ended = AbortSignal.any([signal, connection.signal]);
    let silence = setTimeout(() => connection.abort(), SILENCE_MS);
    try {
      const body = await open(url, session, lastEventId, ended);
      failures = 0;
      onConnected(true);
      const heard = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          clearTimeout(silence);
          silence = setTimeout(() => connection.abort(), SILENCE_MS);
          controller.enqueue(chunk);
        },
      });
      for await (const message of messagesOf(body.pipeThrough(heard))) {
        lastEventId = message.id ?? lastEventId;
        yield { event: message.event ?? 'message', data: JSON.parse(message.data) };
      }
    } catch (error) {
      if (error instanceof ApiProblem && !error.isTemporary && error.status !== 401) throw error;
      if (error instanceof ApiProblem && error.status === 401) session.forget();
    } finally {
      clearTimeout(silence);
      connection.abort();
    }
    if (signal.aborted) return;
    onConnected(false);
    failures += 1;
    await untilWorthTrying(failures, signal);
  }
}

async function open(
  url: string,
  session: TokenSource,
  lastEventId: string | undefined,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const headers = {
    accept: 'text/event-stream',
    authorization: `Bearer ${await session.token()}`,
    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
  };
  const response = await fetch(url, { headers, signal, cache: 'no-store' }).catch(() => {
    throw new ApiProblem(0);
  });
  noteServerTime(response);
  if (response.ok && response.body) return response.body;
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  throw new ApiProblem(response.status, problem, response.headers.get('retry-after'));
}

async function* messagesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<EventSourceMessage> {
  const decoder = new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>;
  const reader = body.pipeThrough(decoder).pipeThrough(new EventSourceParserStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Longer each time, with jitter so that not everybody comes back together; at once when the browser is online again. */
async function untilWorthTrying(failures: number, signal: AbortSignal): Promise<void> {
  const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), LONGEST_WAIT_MS) * (0.5 + Math.random());
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    window.addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}
