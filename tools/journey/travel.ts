import { randomUUID } from 'node:crypto';
import type { GeoPoint } from '@cabstand/contracts';
import { DriverApi, PassengerApi, type Offer, type Quote, type ServiceUrls, type Trip } from '../client/api.ts';
import { ApiError, pause } from '../client/http.ts';
import { dim } from '../runtime/output.ts';
import type { Story } from './story.ts';

/** Far from where the simulated city lives, so that none of its drivers takes the trip. */
const REYKJAVIK: GeoPoint = { lat: 64.1466, lng: -21.9426 };

/** One trip from registration to rating, with a passenger and a driver made for it. Answers the receipt. */
export async function travel(urls: ServiceUrls, story: Story): Promise<string> {
  const options = { onExchange: story.exchange };
  const run = randomUUID().slice(0, 8);
  const account = (name: string) => ({ email: `${name}.${run}@journey.example`, password: randomUUID() });
  const [ada, bruno] = [account('ada'), account('bruno')];
  const passenger = new PassengerApi(urls, ada, options);
  const driver = new DriverApi(urls, bruno, options);
  const leaving = new AbortController();

  story.chapter('Ada opens an account and signs in');
  const passengerAccount = await passenger.register({ ...ada, name: 'Ada Journey', phone: '+3545550101' });
  story.about(passengerAccount.id);
  await passenger.session.signIn();
  await story.until('passenger.registered');

  story.chapter('Bruno does the same, goes online and says where he is');
  const vehicle = { make: 'Cab', model: 'One', colour: 'yellow', plate: 'CS 101' };
  const licence = { licenceNumber: 'IS-101', vehicle };
  const driverAccount = await driver.register({ ...bruno, name: 'Bruno Journey', phone: '+3545550102', ...licence });
  story.about(driverAccount.id);
  await driver.session.signIn();
  const pickup = { lat: REYKJAVIK.lat + Math.random() / 100, lng: REYKJAVIK.lng + Math.random() / 100 };
  await driver.goOnline();
  await story.until('driver.updated');
  await driver.report([{ lat: pickup.lat + 0.003, lng: pickup.lng, at: new Date().toISOString() }]);

  try {
    story.chapter('Ada asks for a price and requests the trip');
    const offered = nextOffer(driver, leaving.signal);
    const quote = await passenger.quote(pickup, { lat: pickup.lat + 0.018, lng: pickup.lng });
    const { id } = await passenger.requestTrip(quote.quoteId, randomUUID());
    story.about(id);
    await story.until('dispatch.offered');

    story.chapter('Bruno is offered the trip and takes it');
    const offer = await offered;
    story.streamed('offer', `${offer.pickupDistanceM} m away, ${money(offer.fareMinor, offer.currency)}`);
    await driver.accept(offer.offerId);
    await story.until('trip.accepted');
    await untilHis(driver, id);

    story.chapter('He drives to the pickup, and then to where she wants to be');
    await driver.arrive(id);
    await story.until('trip.arrived');
    await driver.start(id);
    await story.until('trip.started');
    await driver.complete(id);
    await story.until('trip.completed');

    story.chapter('They rate each other');
    await passenger.rate(id, 5);
    await driver.rate(id, 5);
    await story.until('trip.rated', 2);
    return receipt(await passenger.trip(id), quote);
  } finally {
    leaving.abort();
    await driver.goOffline().catch(() => undefined);
  }
}

/** Told by the driver's stream. */
async function nextOffer(driver: DriverApi, signal: AbortSignal): Promise<Offer> {
  for await (const { event, data } of driver.followOffers(signal)) if (event === 'offer') return data as Offer;
  throw new Error('no offer came');
}

/** Accepting reserves; the trip is the driver's milliseconds later, and 404 until then. */
async function untilHis(driver: DriverApi, id: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await driver.trip(id);
      return;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404 || attempt > 100) throw error;
      await pause(50);
    }
  }
}

const money = (minor: number, currency: string) =>
  new Intl.NumberFormat('en', { style: 'currency', currency }).format(
    minor /
      10 ** (new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2),
  );

function receipt(trip: Trip, quote: Quote): string {
  const car = trip.driver && `${trip.driver.vehicle.colour} ${trip.driver.vehicle.make} ${trip.driver.vehicle.model}`;
  const at = (time: string | null) => time?.slice(11, 19) ?? '–';
  const place = ({ lat, lng }: GeoPoint) => `${lat.toFixed(4)}, ${lng.toFixed(4)}`;
  const rows = [
    ['trip', trip.id],
    ['status', trip.status],
    ['passenger', trip.passenger?.firstName],
    ['driver', `${trip.driver?.firstName}, ${car}, ${trip.driver?.vehicle.plate}`],
    ['way', `${place(trip.pickup)} to ${place(trip.dropoff)}`],
    [
      'distance',
      `${(trip.distanceM / 1_000).toFixed(1)} km, ${Math.round(trip.durationS / 60)} min (${quote.distanceSource})`,
    ],
    [
      'times',
      `requested ${at(trip.requestedAt)}, accepted ${at(trip.acceptedAt)}, completed ${at(trip.completedAt)} UTC`,
    ],
    ['fare', money(trip.fareMinor, trip.currency)],
  ];
  return rows.map(([name, value]) => `  ${dim(String(name).padEnd(10))} ${value}`).join('\n');
}
