import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { Config } from '../server/config.ts';
import { createWebServer } from '../server/web-server.ts';

const PAGE = '<!doctype html><title>Cabstand</title>';

let folder: string;
let service: Server;
/** What the service behind the pages does with a request. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let upstream: string;
let web: FastifyInstance;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cabstand-web-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), PAGE);
  writeFileSync(join(folder, 'assets', 'index-1a2b.js'), 'export {};');
  writeFileSync(join(folder, 'assets', 'page-3c4d.js'), 'export {};');
  writeFileSync(join(folder, 'assets', 'page-3c4d.js.gz'), gzipSync('export {};'));
  service = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
  await once(service, 'listening');
  upstream = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const config = Config.parse({ TRIP_URL: upstream, PASSENGER_URL: upstream, DRIVER_URL: 'http://127.0.0.1:1' });
  web = await createWebServer(config, folder);
  url = await web.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  await web.close();
  service.closeAllConnections();
  service.close();
  rmSync(folder, { recursive: true });
});

describe('pages', () => {
  it.each(['/', '/ride', '/ride/trips', '/drive'])('are one document at %s, asked for anew each time', async (path) => {
    const response = await fetch(url + path);
    expect([response.status, await response.text()]).toEqual([200, PAGE]);
    expect(response.headers.get('cache-control')).toBe('no-cache');
  });

  it('have files that are kept for good, because their names change with them', async () => {
    const response = await fetch(`${url}/assets/index-1a2b.js`);
    expect([response.status, await response.text()]).toEqual([200, 'export {};']);
    expect(response.headers.get('cache-control')).toContain('immutable');
  });

  it('sends their files compressed to who can read that', async () => {
    for (const [accepted, sent] of [
      ['gzip, br', 'gzip'],
      ['identity', null],
    ] as const) {
      const { headers } = await fetch(`${url}/assets/page-3c4d.js`, {
        headers: { 'accept-encoding': accepted },
      });
      expect([headers.get('content-encoding'), headers.get('vary')]).toEqual([
        sent,
        expect.stringMatching(/accept-encoding/i),
      ]);
      expect([headers.get('content-type'), headers.get('cache-control')]).toEqual([
        expect.stringContaining('javascript'),
        expect.stringContaining('immutable'),
      ]);
    }
  });

  it.each(['/assets/index-0000.js', '/favicon.ico', '/api/other/v1', '/assets/..%2f..%2fetc/passwd'])(
    'are not what is at %s',
    async (path) => expect((await fetch(url + path)).status).toBe(404),
  );

  it('may load only what is ours, and nothing inline', async () => {
    const { headers } = await fetch(url);
    const policy = headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it.each([
    ['127.0.0.1', 'max-age=31536000'],
    ['192.0.2.1', undefined],
  ])('are for HTTPS alone where the proxy %s says that they went by it: %s', async (TRUSTED_PROXIES, expected) => {
    const behind = await createWebServer(Config.parse({ TRUSTED_PROXIES }), folder);
    const { headers } = await behind.inject({ url: '/', headers: { 'x-forwarded-proto': 'https' } });
    expect(headers['strict-transport-security']).toBe(expected);
    await behind.close();
  });

  it('know where they are', async () => {
    expect(await (await fetch(`${url}/config.json`)).json()).toEqual({
      mapStyleUrl: null,
      operator: null,
      isLocal: false,
      tracesUrl: null,
    });
  });
});

describe('the way to the services', () => {
  it('keeps method, path, body and answer, and says who asks', async () => {
    answer = (request, response) => {
      response.writeHead(201, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
      request.on('data', (body: Buffer) =>
        response.end(JSON.stringify([request.method, request.url, request.headers['x-forwarded-for'], String(body)])),
      );
    };
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.9' };
    const response = await fetch(`${url}/api/trip/v1/quotes?a=1`, { method: 'POST', headers, body: '{"b":2}' });
    expect([response.status, await response.json()]).toEqual([201, ['POST', '/v1/quotes?a=1', '127.0.0.1', '{"b":2}']]);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('brings session cookies to where the service is from here, and leaves the others alone', async () => {
    const cookies = [
      'cabstand-passenger=a; HttpOnly; Path=/v1/sessions',
      '__Host-cabstand-passenger=b; Path=/; Secure',
    ];
    answer = (_request, response) => response.writeHead(200, { 'set-cookie': cookies }).end();
    const { headers } = await fetch(`${url}/api/passenger/v1/sessions`, { method: 'POST' });
    expect(headers.getSetCookie()).toEqual([
      'cabstand-passenger=a; HttpOnly; Path=/api/passenger/v1/sessions',
      '__Host-cabstand-passenger=b; Path=/; Secure',
    ]);
  });

  it('streams each event as it comes, and ends the stream when its reader leaves', async () => {
    let left: Promise<unknown> | undefined;
    answer = (_request, response) => {
      left = once(response, 'close');
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    };
    const leaving = new AbortController();
    const response = await fetch(`${url}/api/trip/v1/trips/1/events`, { signal: leaving.signal });
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: 1\n\n');
    leaving.abort();
    await left;
  });

  it('has room beside many streams', async () => {
    answer = (request, response) => {
      if (request.url === '/v1/trips') response.end('[]');
      else response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    };
    const leaving = new AbortController();
    const streams = Array.from({ length: 200 }, () =>
      fetch(`${url}/api/trip/v1/trips/1/events`, { signal: leaving.signal }),
    );
    await Promise.all(streams);
    expect(await (await fetch(`${url}/api/trip/v1/trips`)).text()).toBe('[]');
    leaving.abort();
  });

  it('says so when a service cannot be reached', async () => {
    const response = await fetch(`${url}/api/driver/v1/drivers/me`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await response.json()).toMatchObject({ status: 503, code: 'SERVICE_UNREACHABLE' });
  });
});

describe('its end', () => {
  let ending: FastifyInstance;
  let at: string;

  beforeEach(async () => {
    ending = await createWebServer(Config.parse({ TRIP_URL: upstream }), folder);
    at = await ending.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => ending.close());

  it('waits for the answers of requests that are under way, and takes no new ones', async () => {
    let finish = () => {};
    const arrived = new Promise<void>((resolve) => {
      answer = (_request, response) => {
        finish = () => response.writeHead(201).end('done');
        resolve();
      };
    });
    const underWay = fetch(`${at}/api/trip/v1/trips`, { method: 'POST' });
    await arrived;
    const closed = ending.close();
    while (await isOpen(at));
    finish();
    const response = await underWay;
    expect([response.status, await response.text()]).toEqual([201, 'done']);
    await closed;
  });

  it('ends streams, which would go on for ever', async () => {
    answer = (_request, response) =>
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    const response = await fetch(`${at}/api/trip/v1/trips/1/events`);
    const reader = response.body!.getReader();
    await reader.read();
    await ending.close();
    expect((await reader.read()).done).toBe(true);
  });
});

/** Whether connections are taken there. */
const isOpen = (url: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
