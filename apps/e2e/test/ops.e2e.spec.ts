import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import pg from 'pg';
import { parse } from 'yaml';
import { ROOT } from '../../../infra/paths.ts';
import { BrokerView, goodMessage, SOURCES, type Source } from '../src/messages.ts';
import { newPassenger } from '../src/people.ts';
import { Platform } from '../src/platform.ts';
import { expectProblem, send, sendJson } from '../src/requests.ts';

let platform: Platform;
let broker: BrokerView;
let tokens: Record<'operator' | 'passenger', string>;
const operator = crypto.randomUUID();

beforeAll(async () => {
  platform = await Platform.start();
  broker = await BrokerView.open(platform);
  const { api } = await newPassenger(platform.urls);
  tokens = {
    operator: await platform.operators.token('operator', operator),
    passenger: await api.session.token(),
  };
});
afterAll(async () => {
  await broker?.close();
  await platform?.stop();
});

const call = (service: ServiceName, method: string, path: string, body?: object, token = tokens.operator) =>
  sendJson(method, `${platform.urls[service]}/v1/ops${path}`, body && JSON.stringify(body), token);
/** The dead letter in full, which takes a reason. */
const lookAt = (service: ServiceName, id: string) =>
  send(`${platform.urls[service]}/v1/ops/dead-letters/${id}`, {
    headers: { authorization: `Bearer ${tokens.operator}`, 'access-reason': 'it died in a test' },
  });

interface Letter extends Record<string, unknown> {
  id: string;
  deadAt: string;
}
const lettersOf = async (service: ServiceName, query = 'limit=100') =>
  (await call(service, 'GET', `/dead-letters?${query}`)).json?.items as Letter[];

async function query(service: ServiceName, sql: string, values: unknown[] = []) {
  const client = new pg.Client({ connectionString: platform.databases[service].url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows;
  } finally {
    await client.end();
  }
}
const inboxOf = async (service: ServiceName, messageId: unknown) =>
  (await query(service, 'SELECT FROM inbox WHERE message_id = $1', [messageId])).length;

const source = (publisher: ServiceName) => SOURCES.find((candidate) => candidate.publisher === publisher)!;

/** Dead in each of the queues; answers the letters in the order of `queues`. */
async function poison(of: Source, body: string): Promise<Letter[]> {
  const message = { ...goodMessage(of), body: Buffer.from(body) };
  await broker.publish(of.publisher, message);
  return Promise.all(
    of.queues.map(({ consumer }) =>
      eventually(async () => {
        const found = (await lettersOf(consumer)).find(({ messageId }) => messageId === message.options.messageId);
        if (!found) throw new Error('not dead yet');
        return found;
      }),
    ),
  );
}

/** What a mistake of ours has set aside: once that is mended, nothing is wrong with it. */
async function goodDeadLetter(consumer: ServiceName, of: Source) {
  const { body, options } = goodMessage(of);
  const { queue } = of.queues.find((candidate) => candidate.consumer === consumer)!;
  const id = crypto.randomUUID();
  await query(
    consumer,
    `INSERT INTO dead_letters (id, queue, message_id, type, reason, attempts, history, properties, body)
     VALUES ($1, $2, $3, $4, 'handler-failed', 5, $5, $6, $7)`,
    [
      ...[id, queue, options.messageId, of.type],
      JSON.stringify([{ at: new Date().toISOString(), error: 'TypeError: a bug' }]),
      JSON.stringify({ ...options, deliveryMode: 2, expiration: '1' }),
      body,
    ],
  );
  return { id, queue, messageId: options.messageId };
}

/** Who did what to it, as the service recorded it; its log has the same. */
async function auditOf(service: ServiceName, target: string) {
  const columns = 'issuer, subject, client_id AS "clientId", action, details, reason';
  const rows = await query(service, `SELECT ${columns} FROM ops_audit WHERE target = $1 ORDER BY id`, [target]);
  await eventually(() => {
    const logged = platform.log().filter((line) => line.includes('"event":"ops.') && line.includes(target));
    expect(logged).toHaveLength(rows.length);
    for (const line of logged) expect(JSON.parse(line)).toMatchObject({ service, by: by() });
  });
  return rows;
}
const by = () => ({ issuer: platform.operators.issuer, subject: operator, clientId: 'test' });

describe.each(SERVICES)('the operators’ API of %s', (service) => {
  const id = crypto.randomUUID();
  it.each([
    ['GET', '/status', undefined],
    ['GET', '/outbox', undefined],
    ['GET', '/dead-letters', undefined],
    ['GET', `/dead-letters/${id}`, undefined],
    ['POST', `/dead-letters/${id}/replay`, undefined],
    ['POST', '/dead-letters/replay', { queue: 'passenger.trip-events' }],
    ['DELETE', `/dead-letters/${id}`, { reason: 'none' }],
  ])('answers %s %s to operators only', async (method, path, body) => {
    const forbidden = service === 'driver' ? 401 : 403;
    expectProblem(await call(service, method, path, body, tokens.passenger), forbidden);
    expectProblem(await sendJson(method, `${platform.urls[service]}/v1/ops${path}`, undefined), 401, 'TOKEN_MISSING');
    const answer = await call(service, method, path, body);
    if (path.includes(id)) expectProblem(answer, 404, 'NOT_FOUND');
    else expect(answer.status).toBe(200);
  });

  it('tells its messaging at a glance', async () => {
    const of = SOURCES.find(({ queues }) => queues.some(({ consumer }) => consumer === service))!;
    const { queue } = of.queues.find(({ consumer }) => consumer === service)!;
    await broker.publish(of.publisher, goodMessage(of));
    await eventually(async () => {
      const { json } = await call(service, 'GET', '/status');
      expect(json).toMatchObject({ messaging: 'connected', relay: 'running', faultSwitches: 'off' });
      const queues = json?.queues as { queue: string }[];
      expect(queues.find((each) => each.queue === queue)).toMatchObject({
        ...{ waiting: 0, inHand: 0, retrying: 0, consuming: true },
        lastHandled: { lagS: expect.any(Number) as number },
      });
    });
  });

  it('has no way to break it unless that is switched on', async () => {
    const { queue } = SOURCES.flatMap(({ queues }) => queues).find(({ consumer }) => consumer === service)!;
    expectProblem(await call(service, 'PUT', '/faults/relay', { state: 'paused' }), 404, 'NOT_FOUND');
    expectProblem(await call(service, 'PUT', `/faults/consumers/${queue}`, { state: 'stopped' }), 404, 'NOT_FOUND');
    expect((await call(service, 'GET', '/status')).json).toMatchObject({ relay: 'running' });
  });

  it('refuses what it cannot read', async () => {
    for (const search of ['limit=0', 'limit=101', 'cursor=x', `cursor=${btoa('2026 x')}`, 'queue=', 'page=2'])
      expectProblem(await call(service, 'GET', `/dead-letters?${search}`), 400, 'REQUEST_INVALID');
    expectProblem(await call(service, 'GET', '/dead-letters/1'), 400, 'REQUEST_INVALID');
    expectProblem(await call(service, 'DELETE', `/dead-letters/${id}`, {}), 400, 'REQUEST_INVALID');
    for (const body of [{}, { queue: 'a', before: 'today' }, { queue: 'a', from: 1 }])
      expectProblem(await call(service, 'POST', '/dead-letters/replay', body), 400, 'REQUEST_INVALID');
  });
});

it('shows a dead letter as it came to who says why they look, on record', async () => {
  const [letter] = await poison(source('driver'), '{"driverId":"x"}');
  const { json } = await lookAt('trip', letter!.id);
  expect(json).toMatchObject({
    queue: 'trip.driver-events',
    type: 'driver.registered',
    reason: 'malformed',
    attempts: 1,
    history: [],
    sizeBytes: 16,
    bodyBase64: btoa('{"driverId":"x"}'),
    bodyJson: { driverId: 'x' },
    properties: { messageId: letter!.messageId, headers: { 'cloudEvents:type': 'driver.registered' } },
  });
  const [other] = await poison(source('driver'), 'no JSON');
  expect((await lookAt('trip', other!.id)).json).not.toHaveProperty('bodyJson');
  expect(await auditOf('trip', letter!.id)).toEqual([
    {
      ...by(),
      action: 'ops.personal-data-shown',
      details: { call: 'GET /v1/ops/dead-letters/:id' },
      reason: 'it died in a test',
    },
  ]);
});

it('shows everybody else what of it is nobody’s', async () => {
  const id = crypto.randomUUID();
  const [letter] = await poison(source('driver'), JSON.stringify({ driverId: id, firstName: 'Grace', phone: 4_930 }));
  const { json } = await call('trip', 'GET', `/dead-letters/${letter!.id}`);
  expect(json).toMatchObject({
    reason: 'malformed',
    bodyJson: { driverId: id, firstName: '***', phone: '***' },
    properties: { messageId: letter!.messageId, headers: { 'cloudEvents:type': 'driver.registered' } },
  });
  expect(json).not.toHaveProperty('bodyBase64');
  expect(await auditOf('trip', letter!.id)).toEqual([]);
});

it('pages through them, newest first, each once', async () => {
  for (let i = 0; i < 5; i++) await poison(source('passenger'), `${i}`);
  const all = await lettersOf('trip');
  expect(all.map(({ deadAt }) => deadAt)).toEqual(
    all
      .map(({ deadAt }) => deadAt)
      .toSorted()
      .reverse(),
  );
  const seen: string[] = [];
  let cursor = '';
  do {
    const { json } = await call('trip', 'GET', `/dead-letters?limit=2${cursor}`);
    seen.push(...(json?.items as Letter[]).map(({ id }) => id));
    // One that goes meanwhile, the last one shown at that, must not hide others.
    await query('trip', 'DELETE FROM dead_letters WHERE id = $1', [seen.at(-1)]);
    cursor = json?.nextCursor ? `&cursor=${String(json.nextCursor)}` : '';
  } while (cursor);
  expect(seen).toEqual(all.map(({ id }) => id));
  expect(await lettersOf('trip', 'queue=trip.driver-events&limit=100')).toEqual(
    (await lettersOf('trip')).filter(({ queue }) => queue === 'trip.driver-events'),
  );
});

it('discards with a reason, and records who did it', async () => {
  const [letter] = await poison(source('passenger'), 'x');
  expect((await call('trip', 'DELETE', `/dead-letters/${letter!.id}`, { reason: 'a test' })).status).toBe(204);
  expectProblem(await call('trip', 'DELETE', `/dead-letters/${letter!.id}`, { reason: 'a test' }), 404, 'NOT_FOUND');
  const action = 'ops.dead-letter-discarded';
  expect(await auditOf('trip', letter!.id)).toEqual([
    { ...by(), action, details: { queue: 'trip.passenger-events' }, reason: 'a test' },
  ]);
});

it('replays to that consumer only, once, and records who did it', async () => {
  const { id, messageId } = await goodDeadLetter('passenger', source('trip'));
  const answers = await Promise.all([1, 2].map(() => call('passenger', 'POST', `/dead-letters/${id}/replay`)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 404]);
  await eventually(async () => expect(await inboxOf('passenger', messageId)).toBe(1));
  // The driver service consumes the same event: it would have it by now.
  await broker.expectEmpty('driver.trip-events');
  expect(await inboxOf('driver', messageId)).toBe(0);
  expect(await lettersOf('passenger')).not.toContainEqual(expect.objectContaining({ id }));
  const action = 'ops.dead-letter-replayed';
  expect(await auditOf('passenger', id)).toEqual([
    { ...by(), action, details: { queue: 'passenger.trip-events' }, reason: null },
  ]);
});

it('brings back with its history what fails again', async () => {
  const [letter] = await poison(source('passenger'), 'still no JSON');
  expect((await call('trip', 'POST', `/dead-letters/${letter!.id}/replay`)).json).toEqual({ replayed: 1 });
  await eventually(async () => {
    const { json } = await lookAt('trip', letter!.id);
    expect(json).toMatchObject({
      messageId: letter!.messageId,
      reason: 'malformed',
      history: [{ at: expect.any(String), error: 'replayed after malformed' }],
      bodyBase64: btoa('still no JSON'),
    });
  });
});

it('replays all of a queue, of a type, until a time', async () => {
  const early = await goodDeadLetter('trip', source('passenger'));
  const others = [await goodDeadLetter('trip', source('driver')), await goodDeadLetter('trip', source('passenger'))];
  const deadAt = async (id: string) => (await lettersOf('trip')).find((letter) => letter.id === id)!.deadAt;
  const replay = (body: object) => call('trip', 'POST', '/dead-letters/replay', body);
  const request = { queue: early.queue, type: 'passenger.registered', before: await deadAt(early.id) };
  expect((await replay({ ...request, type: 'passenger.erased' })).json).toEqual({ replayed: 0 });
  expect((await replay(request)).status).toBe(200);
  await eventually(async () => expect(await inboxOf('trip', early.messageId)).toBe(1));
  for (const { messageId } of others) expect(await inboxOf('trip', messageId)).toBe(0);
  await replay({ queue: 'trip.driver-events', type: 'driver.registered' });
  await replay({ queue: 'trip.passenger-events' });
  for (const { messageId } of others) await eventually(async () => expect(await inboxOf('trip', messageId)).toBe(1));
});

describe('tools/dead-letters.ts', () => {
  const run = (...args: string[]) =>
    new Promise<{ code: number | null; output: string }>((resolve, reject) => {
      const tool = spawn(
        process.execPath,
        [join(ROOT, 'tools', 'dead-letters.ts'), ...args, '--url', platform.urls.trip],
        {
          env: { PATH: process.env.PATH, CABSTAND_TOKEN: tokens.operator },
        },
      );
      let output = '';
      for (const stream of [tool.stdout, tool.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
      tool.once('error', reject).once('close', (code) => resolve({ code, output }));
    });

  it('lists, shows, replays and discards', async () => {
    const [letter] = await poison(source('driver'), '{"driverId":"x"}');
    const listed = await run('list', '--queue', 'trip.driver-events', '--limit', '1');
    expect(listed.output).toMatch(`${letter!.id}  `);
    expect(listed.output).toMatch(/trip\.driver-events {2}driver\.registered {2}1× {2}malformed: .*\n1 shown/);
    expect(JSON.parse((await run('show', letter!.id)).output)).toMatchObject({ bodyJson: { driverId: '***' } });
    const explained = await run('show', letter!.id, '--reason', 'it died in a test');
    expect(JSON.parse(explained.output)).toMatchObject({ bodyJson: { driverId: 'x' } });
    expect(await run('replay', letter!.id)).toMatchObject({ code: 0, output: expect.stringMatching(/^1 replayed/) });
    const shown = () => call('trip', 'GET', `/dead-letters/${letter!.id}`);
    await eventually(async () => expect((await shown()).json?.history).toHaveLength(1));
    const all = await run('replay', '--queue', 'trip.driver-events', '--type', 'driver.registered');
    expect(all).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+ replayed/) });
    await eventually(async () => expect((await shown()).json?.history).toHaveLength(2));
    expect(await run('discard', letter!.id, '--reason', 'a test')).toMatchObject({ code: 0 });
    expect(await run('show', letter!.id)).toMatchObject({ code: 1, output: expect.stringContaining('no dead letter') });
  });

  it.each([[[]], [['list', '--colour']], [['show']], [['replay']], [['discard', 'x']], [['burn', 'x']]])(
    'explains itself when it is called with %j',
    async (args) =>
      expect(await run(...args)).toEqual({ code: 64, output: expect.stringContaining('replay  --queue QUEUE') }),
  );
});

describe('with the broker away', () => {
  it('shows what waits in the outbox, and replays nothing', async () => {
    const { id } = await goodDeadLetter('passenger', source('trip'));
    const before = await query('passenger', 'SELECT * FROM dead_letters ORDER BY id');
    await platform.broker.stop();
    await newPassenger(platform.urls);
    const { json } = await call('passenger', 'GET', '/outbox');
    const registered = {
      type: 'passenger.registered',
      depth: 1,
      refused: 0,
      waiting: 0,
      oldestAgeS: expect.any(Number),
    };
    expect(json).toEqual({ ...registered, type: undefined, types: [registered] });

    await eventually(async () =>
      expect((await platform.services.passenger[0].readiness()).body.messaging).toBe('disconnected'),
    );
    const queue = 'passenger.trip-events';
    for (const path of [`/dead-letters/${id}/replay`, '/dead-letters/replay']) {
      const answer = await call('passenger', 'POST', path, path.includes(id) ? undefined : { queue });
      expectProblem(answer, 503, 'BROKER_UNAVAILABLE');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(await query('passenger', 'SELECT * FROM dead_letters ORDER BY id')).toEqual(before);
    expect(await auditOf('passenger', id)).toEqual([]);

    await platform.broker.start();
    await eventually(async () => expect((await call('passenger', 'GET', '/outbox')).json).toMatchObject({ depth: 0 }));
    await eventually(async () =>
      expect((await call('passenger', 'POST', `/dead-letters/${id}/replay`)).status).toBe(200),
    );
  });

  it('counts what the broker returns, and what waits behind it', async () => {
    const exchange = 'passenger.events';
    const vhost = encodeURIComponent(platform.broker.vhost);
    const binding = `/api/bindings/${vhost}/e/${exchange}/q/trip.passenger-events`;
    await platform.broker.management.delete(`${binding}/passenger.updated`);
    const { api } = await newPassenger(platform.urls);
    const token = await api.session.token();
    for (const name of ['Grace Hopper', 'Mary Jackson']) {
      const change = JSON.stringify({ name });
      const { status } = await sendJson('PATCH', `${platform.urls.passenger}/v1/passengers/me`, change, token);
      expect(status).toBe(200);
    }
    await eventually(async () => {
      const { json } = await call('passenger', 'GET', '/outbox');
      expect(json).toMatchObject({ depth: 2, refused: 1, waiting: 1 });
    });
    await platform.broker.management.post(binding, { routing_key: 'passenger.updated' });
    await eventually(async () => expect((await call('passenger', 'GET', '/outbox')).json).toMatchObject({ depth: 0 }), {
      timeoutMs: 40_000,
    });
  });
});

it('alerts speak only of what a service measures', async () => {
  const rules = parse(readFileSync(join(ROOT, 'infra', 'observability', 'alerts.yaml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const used = new Set(
    rules.groups.flatMap((group) => group.rules).flatMap(({ expr }) => expr.match(/messaging_\w+/g) ?? []),
  );
  expect(used.size).toBeGreaterThan(8);
  // Each service publishes and consumes; a lag is known once something was handled.
  await newPassenger(platform.urls);
  await poison(source('trip'), 'x');
  await goodDeadLetter('driver', source('trip'));
  await goodDeadLetter('passenger', source('trip'));
  for (const [service, queue] of [
    ['driver', 'driver.trip-events'],
    ['passenger', 'passenger.trip-events'],
  ] as const)
    await call(service, 'POST', '/dead-letters/replay', { queue });
  await eventually(async () => {
    for (const service of platform.processes()) {
      const exposed = new Set((await service.metrics()).match(/^messaging_\w+/gm));
      expect({ service: service.service, lacks: [...used].filter((name) => !exposed.has(name)) }).toEqual({
        service: service.service,
        lacks: [],
      });
    }
  });
});

it('is documented, with everything that it may refuse', async () => {
  for (const service of SERVICES) {
    const { json } = await sendJson('GET', `${platform.urls[service]}/openapi.json`, undefined);
    const paths = json?.paths as Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
    const replay = paths['/v1/ops/dead-letters/{id}/replay']!.post!.responses;
    expect(Object.keys(replay)).toEqual(expect.arrayContaining(['200', '400', '401', '403', '404', '503']));
    expect(replay['503']!.description).toContain('BROKER_UNAVAILABLE');
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/v1/ops/outbox', '/v1/ops/dead-letters/replay']));
  }
});
