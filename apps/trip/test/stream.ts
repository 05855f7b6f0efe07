import type { TripView } from '../src/trip/trip.dto.ts';
import type { Person } from './harness.ts';

interface StreamEvent {
  id?: string;
  event?: string;
  data: unknown;
}

export interface Stream {
  status: number;
  /** Grows while the stream is open. */
  events: StreamEvent[];
  isOver(): boolean;
  close(): void;
}

/** Opens the stream of a trip, as `fetch` reads it. */
export async function followTrip(
  url: string,
  as: Person,
  tripId: string,
  headers: Record<string, string> = {},
): Promise<Stream> {
  const abort = new AbortController();
  const response = await fetch(`${url}/v1/trips/${tripId}/events`, {
    headers: { authorization: `Bearer ${as.token}`, ...headers },
    signal: abort.signal,
  });
  const events: StreamEvent[] = [];
  let isOver = !response.ok;
  const read = async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      events.push(...blocks.map(parse).filter((event) => event !== null));
    }
  };
  if (response.ok)
    void read()
      .catch(() => undefined)
      .finally(() => (isOver = true));
  return { status: response.status, events, isOver: () => isOver, close: () => abort.abort() };
}

function parse(block: string): StreamEvent | null {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
  if (fields.data === undefined) return null;
  return { id: fields.id, event: fields.event, data: JSON.parse(fields.data) };
}

/** The ids and statuses that its `trip` events told. */
export const statuses = ({ events }: Stream) =>
  events.filter(({ event }) => event === 'trip').map(({ id, data }) => [id, (data as TripView).status]);
