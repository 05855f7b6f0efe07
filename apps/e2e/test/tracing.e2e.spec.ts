import { eventually } from '@cabstand/testing';
import { call } from '../../../tools/client/http.ts';
import { acceptedTrip, drive, newDriver, newPassenger, untilOffered } from '../src/people.ts';
import { freshPlace } from '../src/places.ts';
import { Platform } from '../src/platform.ts';
import { SpanCollector, type Span } from '../src/span-collector.ts';

let collector: SpanCollector;
let platform: Platform;
beforeAll(async () => {
  collector = await SpanCollector.start();
  platform = await Platform.start({
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '200', LOG_LEVEL: 'debug' },
  });
});
afterAll(async () => {
  await platform?.stop();
  await collector.stop();
});

/** The spans from the root down to this one. */
function lineage(span: Span, all: Span[]): Span[] {
  const parent = all.find(({ spanId }) => spanId === span.parentSpanId);
  return parent ? [...lineage(parent, all), span] : [span];
}

it('runs one trace from the HTTP request through outbox and broker to the last consumer (P10)', async () => {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urls, place.pickup);
  const quote = await passenger.api.quote(place.pickup, place.dropoff);
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const token = await passenger.api.session.token();
  const { body } = await call<{ id: string }>('POST', `${platform.urls.trip}/v1/trips`, {
    token,
    body: { quoteId: quote.quoteId },
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
  });
  await untilOffered(driver.api, body.id);

  await eventually(() => {
    const trace = collector.spans.filter((span) => span.traceId === traceId);
    expect(new Set(trace.map(({ service }) => service))).toEqual(new Set(['trip', 'driver', 'passenger']));
    // The consumer's span hangs on the request's, not merely beside it.
    for (const service of ['driver', 'passenger']) {
      const lines = trace.filter((span) => span.service === service).map((span) => lineage(span, trace));
      expect(lines.every((line) => line[0]?.service === 'trip')).toBe(true);
    }
  });

  const logged = platform.log().filter((line) => line.includes(traceId));
  expect(logged.length).toBeGreaterThan(0);
  const events = platform.log().map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.every((line) => typeof line['level'] !== 'undefined')).toBe(true);
});

it('logs, traces and measures without naming anybody (P9)', async () => {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urls, place.pickup);
  const { id } = await acceptedTrip(passenger.api, driver.api, place);
  await drive(driver.api, id);
  // Refusals are where details slip out.
  for (const { profile } of [passenger, driver]) {
    const service = profile === driver.profile ? 'driver' : 'passenger';
    const url = `${platform.urls[service]}/v1/${service}s`;
    await call('POST', url, { body: profile }).catch(() => undefined);
    await call('POST', url, { body: { ...profile, phone: 7 } }).catch(() => undefined);
    await call('POST', `${platform.urls[service]}/v1/sessions`, {
      body: { email: profile.email, password: 'no password of theirs' },
    }).catch(() => undefined);
  }
  const metrics = await Promise.all(platform.processes().map((process) => process.metrics()));
  await eventually(() => expect(collector.spans.some((span) => span.name.includes('sessions'))).toBe(true));
  const told = [...platform.log(), ...collector.spans.map((span) => JSON.stringify(span)), ...metrics].join('\n');
  const secrets = [passenger, driver].flatMap(({ profile, api }) => [
    profile.email,
    profile.password,
    profile.name,
    profile.phone,
    api.session.tokens?.accessToken ?? '',
    api.session.tokens?.refreshToken ?? '',
  ]);
  for (const secret of [
    ...secrets,
    driver.profile.licenceNumber,
    driver.profile.vehicle.plate,
    String(place.dropoff.lat),
  ])
    expect(told.split('\n').filter((line) => line.includes(secret))).toEqual([]);
});
