import { eventually } from '@cabstand/testing';
import type { Person } from './harness.ts';

export interface Received {
  id?: string;
  event: string;
  data: Record<string, unknown>;
}

/** Reads a stream of server-sent events in the background, until `close` or until the server ends it. */
export async function openStream(url: string, as: Person, lastEventId?: string) {
  const closing = new AbortController();
  const response = await fetch(url, {
    headers: {
      authorization: `Bearer ${as.token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    signal: closing.signal,
  });
  const events: Received[] = [];
  const reading = (async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const fields = Object.fromEntries(
          block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
        );
        if (fields.data)
          events.push({ ...(fields.id ? { id: fields.id } : {}), event: fields.event!, data: JSON.parse(fields.data) });
      }
    }
  })();
  const ended = reading.catch(() => undefined);
  return {
    status: response.status,
    events,
    /** Resolves when the server ends the stream. */
    ended,
    /** Waits until exactly these events have come. */
    until: (expected: object[]) => eventually(() => expect(events).toMatchObject(expected)),
    close: async () => {
      closing.abort();
      await ended;
    },
  };
}
