import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from '../src/eventually.ts';
import { Link } from '../src/link.ts';

let server: Server;
let link: Link;
const accepted: Socket[] = [];

/** Echoes. */
beforeAll(async () => {
  server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  link = await Link.to(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterAll(async () => {
  await link.stop();
  server.close();
});

/** A client that hears its own words, if the link lets it. */
async function client() {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(link.through('tcp://any:1')).port) });
  let heard = '';
  let ended: string | undefined;
  socket.on('data', (piece) => (heard += String(piece)));
  socket.on('error', (error) => (ended = (error as NodeJS.ErrnoException).code));
  socket.on('close', () => (ended ??= 'closed'));
  const before = accepted.length;
  await once(socket, 'connect');
  await eventually(() => expect(accepted).toHaveLength(before + 1));
  return { socket, server: accepted.at(-1)!, heard: () => heard, ended: () => ended };
}

it('carries what is said, late or slowly where told so', async () => {
  const { socket, heard } = await client();
  for (const weather of [{}, { latencyMs: 50 }, { bytesPerS: 100 }]) {
    link.weather = weather;
    const startedAtMs = performance.now();
    const before = heard().length;
    socket.write('0123456789');
    await eventually(() => expect(heard()).toHaveLength(before + 10));
    // Both ways: twice 50 ms, or twice 10 bytes at 100 a second.
    const leastMs = weather.latencyMs ? 95 : weather.bytesPerS ? 190 : 0;
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(leastMs);
  }
  link.weather = {};
  socket.destroy();
});

it('swallows nothing in a black hole: it arrives when that is over', async () => {
  const before = await client();
  link.weather = { blackhole: true };
  const during = await client();
  for (const { socket } of [before, during]) socket.write('held back');
  const { socket: witness } = await client();
  witness.destroy();
  expect([before.heard(), during.heard(), before.ended()]).toEqual(['', '', undefined]);
  link.weather = {};
  for (const each of [before, during]) {
    await eventually(() => expect(each.heard()).toBe('held back'));
    each.socket.destroy();
  }
});

it('resets', async () => {
  const { ended } = await client();
  link.reset();
  await eventually(() => expect(ended()).toBe('ECONNRESET'));
});

it('leaves a connection half open: the server has gone, and its client does not hear of it', async () => {
  const { socket, server: end, heard, ended } = await client();
  link.halfOpen();
  await eventually(() => expect(end.destroyed).toBe(true));
  socket.write('anybody there?');
  const next = await client();
  next.socket.write('hello');
  await eventually(() => expect(next.heard()).toBe('hello'));
  expect([heard(), ended()]).toEqual(['', undefined]);
  for (const each of [socket, next.socket]) each.destroy();
});
