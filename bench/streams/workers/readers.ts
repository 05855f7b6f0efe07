import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { nowMs } from '../../harness/machine.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { serve } from '../../harness/worker.ts';

export interface StreamToOpen {
  tripId: string;
  token: string;
  /** False for somebody whose phone has gone into a tunnel: connected, and takes nothing. */
  reads: boolean;
}

/** An event as it came to one stream. */
export interface Arrival {
  tripId: string;
  /** Of a trip its status; of a position its latitude. */
  mark: string;
  atMs: number;
}

const AT_ONCE = 50;
/** Whoever is told that the service is too busy comes back when it says. */
const ATTEMPTS = 10;
const EVENT = /event: (\S+)\ndata: (.*)\n\n/g;

serve(async ({ url }: { url: string }) => {
  // Each stream has a connection of its own, which ends with it.
  const agent = new Agent({ keepAlive: false });
  const streams = new Set<IncomingMessage>();
  let arrivals: Arrival[] = [];
  let ended = 0;

  const open = async ({ tripId, token, reads }: StreamToOpen, attempt = 1): Promise<void> => {
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
    const request = get(`${url}/v1/trips/${tripId}/events`, { agent, headers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    if (response.statusCode === 503 && attempt < ATTEMPTS) {
      response.resume();
      await delay(Number(response.headers['retry-after']) * 1_000);
      return open({ tripId, token, reads }, attempt + 1);
    }
    if (response.statusCode !== 200) {
      const problem = await text(response);
      throw new Error(`stream ${streams.size + 1} was refused: ${response.statusCode} ${problem}`);
    }
    streams.add(response);
    response.on('error', () => undefined);
    response.once('close', () => {
      if (streams.delete(response)) ended += 1;
    });
    if (reads) read(response, tripId);
  };

  const read = (response: IncomingMessage, tripId: string) => {
    let unread = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const atMs = nowMs();
      unread += chunk;
      for (const [, event, data] of unread.matchAll(EVENT)) {
        const { status, position } = JSON.parse(data!) as { status?: string; position?: { lat: number } };
        arrivals.push({ tripId, mark: event === 'trip' ? status! : String(position!.lat), atMs });
      }
      unread = unread.slice(unread.lastIndexOf('\n\n') + 1);
    });
  };

  return {
    open: async (wanted: StreamToOpen[]) => {
      for (let from = 0; from < wanted.length; from += AT_ONCE)
        await Promise.all(wanted.slice(from, from + AT_ONCE).map((stream) => open(stream)));
    },
    /** Open now, and how many the service has ended. */
    count: () => ({ open: streams.size, ended }),
    /** What came since the last call. */
    taken: () => {
      const taken = arrivals;
      arrivals = [];
      return taken;
    },
    close: () => {
      for (const response of streams) {
        streams.delete(response);
        response.destroy();
      }
    },
  };
});
