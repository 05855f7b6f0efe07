import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { followEvents, readEvents, type StreamEvent } from './event-stream.ts';

let server: Server;
let url: string;
/** What each connection in turn is answered. */
let answers: ((response: ServerResponse) => void)[];
let asked: IncomingHttpHeaders[];

beforeEach(async () => {
  answers = [];
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.headers);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const answer = answers.shift();
    if (answer) answer(response);
    else response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address !== null && typeof address === 'object') url = `http://127.0.0.1:${address.port}/events`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

async function take(stream: AsyncGenerator<StreamEvent>, count: number): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of stream) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

it('reads events whatever the network makes of them', async () => {
  const text = ': heartbeat\r\n\r\nid: 7\r\nevent: trip\r\ndata: {"name":\r\ndata: "Zoë"}\r\n\r\ndata: 1\n\n';
  answers.push((response) => {
    // One byte at a time: within a line end, and within a letter.
    for (const byte of Buffer.from(text)) response.write(Buffer.from([byte]));
    response.end('data: "cut off');
  });
  expect(await take(readEvents(url, { token: 't' }), 9)).toEqual([
    { id: '7', event: 'trip', data: { name: 'Zoë' } },
    { id: undefined, event: 'message', data: 1 },
  ]);
});

it('goes on after the last event that had an id, when the server closes and when it breaks', async () => {
  answers.push(
    (response) => response.end('retry: 1\nid: a\ndata: 1\n\ndata: 2\n\n'),
    (response) => response.write('id: b\ndata: 3\n\n', () => setImmediate(() => response.destroy())),
    (response) => response.end('data: 4\n\n'),
  );
  let tokens = 0;
  const token = () => Promise.resolve(`token-${(tokens += 1)}`);
  const stopping = new AbortController();
  const events = await take(followEvents(url, token, { signal: stopping.signal }), 4);
  stopping.abort();
  expect(events.map(({ data }) => data)).toEqual([1, 2, 3, 4]);
  expect(asked.map((headers) => headers['last-event-id'])).toEqual([undefined, 'a', 'b']);
  expect(asked.map(({ authorization }) => authorization)).toEqual([
    'Bearer token-1',
    'Bearer token-2',
    'Bearer token-3',
  ]);
});
