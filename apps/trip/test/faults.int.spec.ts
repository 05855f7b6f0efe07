import { eventually } from '@cabstand/testing';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { QuoteView } from '../src/quote/quote.dto.ts';
import type { TripView } from '../src/trip/trip.dto.ts';
import { startPlatform, type Platform } from './harness.ts';
import { followTrip, statuses } from './stream.ts';

describe('with RabbitMQ down', () => {
  let platform: Platform;
  beforeAll(async () => void (platform = await startPlatform()));
  afterAll(() => platform.stop());

  it('trips are requested, cancelled and streamed all the same, and the events follow', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    await platform.broker.stop();
    const cancelled = await platform.requestTrip(passenger);
    const stream = await followTrip(platform.services[0]!.url, passenger, cancelled.id);
    await eventually(() => expect(statuses(stream)).toEqual([['1', 'requested']]));
    const answer = await platform.call<TripView>('POST', `/v1/trips/${cancelled.id}/cancel`, { as: passenger });
    expect(answer).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    await eventually(() => expect(statuses(stream)).toHaveLength(2));
    stream.close();
    const trip = await platform.requestTrip(passenger);
    expect(platform.messages.of(trip.id)).toEqual([]);

    await platform.broker.start();
    await eventually(() => expect(platform.messages.of(trip.id).map(({ type }) => type)).toEqual(['trip.requested']), {
      timeoutMs: 30_000,
    });
    await eventually(() =>
      expect(platform.messages.of(cancelled.id).map(({ type }) => type)).toEqual(['trip.requested', 'trip.cancelled']),
    );
    // The consumers came back by themselves too.
    await platform.accept(driver, trip.id);
    await platform.untilStatus(driver, trip.id, 'accepted');
  });
});

describe('with a routing server', () => {
  let osrm: Server;
  let platform: Platform;
  let answer: 'route' | 'error' | 'nonsense' | 'far too far' | 'nothing' = 'route';
  const asked: string[] = [];
  beforeAll(async () => {
    osrm = createServer((request, response) => {
      asked.push(request.url!);
      if (answer === 'nothing') return;
      if (answer === 'error') return void response.writeHead(400).end('{"code":"NoRoute"}');
      if (answer === 'nonsense') return void response.end('<html>');
      const distance = answer === 'far too far' ? 1e12 : 4_321.6;
      response.end(JSON.stringify({ code: 'Ok', routes: [{ distance, duration: 765.4, legs: [] }] }));
    });
    await new Promise<void>((resolve) => osrm.listen(0, '127.0.0.1', resolve));
    const { port } = osrm.address() as AddressInfo;
    platform = await startPlatform({ ROUTING_URL: `http://127.0.0.1:${port}/` });
  });
  afterAll(async () => {
    osrm.closeAllConnections();
    osrm.close();
    await platform.stop();
  });
  const quote = async (): Promise<QuoteView> => (await platform.quote(await platform.person('passenger'))).body;

  it('a quote counts the way along the streets', async () => {
    answer = 'route';
    expect(await quote()).toMatchObject({ distanceM: 4_322, durationS: 765, distanceSource: 'route' });
    expect(asked).toEqual(['/route/v1/driving/13.405,52.52;13.45,52.5?overview=false']);
  });

  it.each(['error', 'nonsense', 'far too far', 'nothing'] as const)(
    'a quote is estimated when it answers %s',
    async (kind) => {
      answer = kind;
      const startedAt = Date.now();
      expect(await quote()).toMatchObject({ distanceM: 4_902, distanceSource: 'estimate' });
      expect(Date.now() - startedAt).toBeLessThan(2_000);
    },
  );
});
