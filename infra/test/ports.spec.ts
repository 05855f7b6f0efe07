import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { assertPortsFree, freePort, isPortInUse, portHolder } from '../ports.ts';
import { isRunning, startTimeOf } from '../processes.ts';

let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

describe('a port in use', () => {
  it('is named together with who holds it', () => {
    expect(portHolder(port)).toMatch(new RegExp(`^\\S.* \\(pid ${process.pid}\\)$`));
  });

  it('stops a start with one line for each, saying how to move it', async () => {
    const free = await freePort();
    const wanted = [
      { what: 'the trip service', port, variable: 'TRIP_PORT' },
      { what: 'PostgreSQL', port: free, variable: 'POSTGRES_PORT' },
    ];
    const message = await assertPortsFree(wanted).then(String, (error: Error) => error.message);
    expect(message.split('\n')).toHaveLength(1);
    expect(message).toContain(`port ${port} (the trip service) is in use by`);
    expect(message).toContain(`(pid ${process.pid})`);
    expect(message).toContain('TRIP_PORT');
  });

  it('is told from a free one', async () => {
    expect(await isPortInUse(port)).toBe(true);
    expect(await isPortInUse(await freePort())).toBe(false);
  });
});

describe('a recorded process', () => {
  it('is not taken for a later one with the same id', () => {
    const startedAt = startTimeOf(process.pid) ?? '';
    expect(isRunning({ name: 'me', pid: process.pid, startedAt })).toBe(true);
    expect(isRunning({ name: 'an earlier one', pid: process.pid, startedAt: 'long ago' })).toBe(false);
  });

  it('has no start time once it has ended', () => {
    const { pid } = spawnSync(process.execPath, ['--eval', '']);
    expect(startTimeOf(pid)).toBeNull();
  });
});
