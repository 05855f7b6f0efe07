import { eventually } from '@cabstand/testing';
import pg from 'pg';
import type { Page } from 'playwright-core';
import { BrokerView, goodMessage, SOURCES } from '../src/messages.ts';
import { acceptedTrip, drive, newDriver, newPassenger, requestTrip, untilOffered } from '../src/people.ts';
import { northOf } from '../src/places.ts';
import { NEAR_PICKUP, press, untilShown } from '../src/web-people.ts';
import {
  openTab,
  operatorPage,
  startOperatedPlatform,
  untilAllAreUp,
  type OperatedPlatform,
} from '../src/web-operator.ts';
import { inspect, pixelsOf, storedText, untilFocused } from '../src/web.ts';

const QUEUE = 'passenger.trip-events';
const WAY = { pickup: NEAR_PICKUP, dropoff: northOf(NEAR_PICKUP, 1_000) };
/** As in the legend, in the light theme. */
const COLOURS = { free: '#13713a', offered: '#b36200', 'on trip': '#0b57c2' };
const FROM_TRIP = SOURCES.find(({ publisher }) => publisher === 'trip')!;

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let operated: OperatedPlatform;
let page: Page;

beforeAll(async () => {
  operated = await startOperatedPlatform();
  page = await operatorPage(operated.browser);
}, 120_000);
afterAll(async () => {
  await operated?.stop();
});
afterEach(() => expect(operated.browser.complaints.splice(0)).toEqual([]));

const figure = (name: string) => page.locator('.figure', { hasText: name }).locator('strong');
/** The map is drawn in software meanwhile, and other tests may have the processor. */
const PATIENCE = { timeoutMs: 40_000 };
const untilFigure = (name: string, value: string) =>
  eventually(async () => expect(await figure(name).textContent()).toBe(value), PATIENCE);
const mapPicture = (of = page) => of.locator('.map-canvas').screenshot();

it('signs the operator in, keeps no token where a script finds it, and shows drivers as they move', async () => {
  const { api } = await newDriver(operated.platform.urls, NEAR_PICKUP);
  await page.locator('.map-canvas[data-ready]').waitFor();
  await untilFigure('Drivers online', '1');
  expect(await storedText(page)).not.toMatch(/eyJ/);
  expect(page.url()).not.toContain('code=');

  const before = await mapPicture();
  await eventually(async () => {
    // Until it is a plausible way for the time that has passed.
    await api.report([{ ...northOf(NEAR_PICKUP, 400), at: new Date().toISOString() }]);
    expect((await mapPicture()).equals(before)).toBe(false);
  }, PATIENCE);

  const positions = '**/drivers/positions';
  await page.route(positions, (route) => route.abort());
  await page.reload();
  await untilShown(page, 'Connection lost: reconnecting');
  await page.unroute(positions);
  await untilFigure('Drivers online', '1');
  await page.getByText('Connection lost: reconnecting').waitFor({ state: 'detached' });
  await api.goOffline();
  await untilFigure('Drivers online', '0');
});

it('colours the areas where cabs stand, in either theme', async () => {
  const { api } = await newDriver(operated.platform.urls, NEAR_PICKUP);
  await untilFigure('Drivers online', '1');
  const areas = page.getByText('Supply and demand by area');
  /** The next one that stays as it is. */
  const pictureAfter = (last: Buffer) =>
    eventually(async () => {
      const picture = await mapPicture();
      expect([picture.equals(last), picture.equals(await mapPicture())]).toEqual([false, true]);
      return picture;
    }, PATIENCE);
  await areas.click();
  // Taken off the map, they are gone with the frame after.
  await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
  const plain = await pictureAfter(Buffer.of());
  await areas.click();
  const coloured = await pictureAfter(plain);
  await page.emulateMedia({ colorScheme: 'dark' });
  await pictureAfter(coloured);
  await page.emulateMedia({ colorScheme: 'light' });
  await eventually(async () => expect((await mapPicture()).equals(coloured)).toBe(true), PATIENCE);
  await api.goOffline();
  await untilFigure('Drivers online', '0');
});

it('shows a driver in the colour of being free, offered a trip, and on one', async () => {
  const { urls } = operated.platform;
  const [passenger, driver] = [await newPassenger(urls), await newDriver(urls, NEAR_PICKUP)];
  const blank = await operated.browser.page();
  /** Where the cab is not, there is none of its colour. */
  const untilColour = (shown: string) =>
    eventually(async () => {
      const picture = await mapPicture();
      const counts = Object.entries(COLOURS).map(async ([name, colour]) => [
        name,
        await pixelsOf(blank, picture, colour),
      ]);
      const found = (await Promise.all(counts)).filter(([, count]) => Number(count) > 0).map(([name]) => name);
      expect(found).toEqual([shown]);
    }, PATIENCE);
  await untilColour('free');
  const { id } = await requestTrip(passenger.api, WAY);
  const { offerId } = await untilOffered(driver.api, id);
  await untilColour('offered');
  await driver.api.accept(offerId);
  await untilColour('on trip');
  await eventually(() => driver.api.cancel(id));
  await untilColour('free');
  await driver.api.goOffline();
  await untilFigure('Drivers online', '0');
  await blank.context().close();
});

it('follows a trip’s messages over three services', async () => {
  const { urls } = operated.platform;
  const [passenger, driver] = [await newPassenger(urls), await newDriver(urls, NEAR_PICKUP)];
  const { id } = await acceptedTrip(passenger.api, driver.api, WAY);
  await drive(driver.api, id);
  await openTab(page, 'Trips');
  await page.getByRole('button', { name: 'completed' }).click();
  await untilShown(page, id);
  const flow = page.getByRole('list', { name: 'What happened, in order' });
  for (const step of [
    /^tripHTTP call POST \/v1\/trips/,
    /^tripwaited in trip’s outbox/,
    /^trippublished trip\.requested → trip\.events/,
    /^driverwaited in driver\.trip-events/,
    /^driverhandled trip\.requested/,
    /^passengerhandled trip\.requested/,
    /^triphandled dispatch\.accepted/,
  ])
    await flow.locator('.step', { hasText: step }).first().waitFor();
  await press(page, '← All trips');
});

it('shows a dead letter, in full for a reason, and replays it', async () => {
  const { body, options } = goodMessage(FROM_TRIP);
  const ofSomebody = { ...(JSON.parse(String(body)) as object), firstName: 'Zoë' };
  const database = new pg.Client({ connectionString: operated.platform.databases.passenger.url });
  await database.connect();
  await database.query(
    `INSERT INTO dead_letters (id, queue, message_id, type, reason, attempts, history, properties, body)
     VALUES (gen_random_uuid(), $1, $2, $3, 'handler-failed', 5, '[]', $4, $5)`,
    [QUEUE, options.messageId, FROM_TRIP.type, JSON.stringify(options), JSON.stringify(ofSomebody)],
  );
  await openTab(page, 'Dead letters');
  await untilShown(page, 'failed at every attempt');
  await press(page, 'Show');
  await page.getByLabel('Content').getByText('"firstName": "***"').waitFor();
  expect(await inspect(page, 'operator-dead-letter')).toEqual([]);
  await page.getByLabel('Why look at it in full?').fill('Zoë asked for it');
  await press(page, 'Show in full');
  await page.getByLabel('Content').getByText('"firstName": "Zoë"').waitFor();
  const { rows } = await database.query<{ reason: string }>(
    "SELECT reason FROM ops_audit WHERE action = 'ops.personal-data-shown'",
  );
  expect(rows).toEqual([{ reason: 'Zoë asked for it' }]);
  await press(page, 'Replay');
  await untilShown(page, `Sent to ${QUEUE} again`);
  await untilShown(page, 'No dead letters');
  // The button is gone; the focus is where it goes on.
  await untilFocused(page, 'What was given up on');
  await eventually(async () => {
    const { rowCount } = await database.query('SELECT FROM inbox WHERE message_id = $1', [options.messageId]);
    expect(rowCount).toBe(1);
  });
  await database.end();
});

it('sets poison aside, shows it while another service is away, and discards it for a reason', async () => {
  const ofPassengers = /passenger\/v1\/ops\/(dead-letters|security-events)/;
  await page.route(ofPassengers, (route) => route.abort());
  await openTab(page, 'Break things');
  await page.getByRole('group', { name: 'driver.trip-events' }).getByRole('button', { name: 'Inject poison' }).click();
  await press(page, 'Look at the dead letters');
  await untilShown(page, 'could not be read');
  await untilShown(page, 'The passenger service is not answering: its dead letters are missing here.');
  await openTab(page, 'Security');
  await untilShown(page, 'its security events are missing here.');
  await page.unroute(ofPassengers);
  await openTab(page, 'Dead letters');
  await press(page, 'Discard');
  await page.getByLabel('Why discard it?').fill('it was poison');
  await press(page, 'Discard for good');
  await untilShown(page, 'Discarded, with your reason on record');
  await untilShown(page, 'No dead letters');
  await untilFocused(page, 'What was given up on');
});

it('lets messages wait while a consumer is stopped, and shows how they drain', async () => {
  await openTab(page, 'Break things');
  await untilAllAreUp(page);
  const queue = page.getByRole('group', { name: QUEUE });
  const depth = () => queue.locator('[data-depth]').textContent();
  await queue.getByRole('button', { name: 'Stop consumer' }).click();
  await queue.getByText('consumer stopped').waitFor();
  const broker = await BrokerView.open(operated.platform);
  for (let i = 0; i < 3; i++) await broker.publish('trip', goodMessage(FROM_TRIP));
  await eventually(async () => expect(await depth()).toBe('3'));
  await queue.getByRole('button', { name: 'Resume consumer' }).click();
  await eventually(async () => expect(await depth()).toBe('0'));
  await broker.expectEmpty(QUEUE);
  await broker.close();
});

it('pauses a relay, and shows what waits in the outbox until it goes on', async () => {
  await openTab(page, 'Break things');
  const passenger = page.getByLabel('Break the passenger service');
  await passenger.getByRole('button', { name: 'Pause relay' }).click();
  const waiting = (depth: number) =>
    passenger.getByRole('button', { name: `relay (${depth} in the outbox)` }).waitFor();
  await passenger.getByRole('button', { name: 'Resume relay' }).waitFor();
  await newPassenger(operated.platform.urls);
  await waiting(1);
  await openTab(page, 'Services');
  const outbox = page.getByLabel('Passenger service').getByRole('row', { name: /^outbox/ });
  await outbox.getByText('relay paused').waitFor();
  expect(await outbox.getByRole('cell').first().textContent()).toBe('1');
  await openTab(page, 'Break things');
  await passenger.getByRole('button', { name: 'Resume relay' }).click();
  await waiting(0);
});

it('kills a service, and shows that it is gone and back', async () => {
  await openTab(page, 'Break things');
  await untilAllAreUp(page);
  const card = page.getByLabel('Break the passenger service');
  await card.getByRole('button', { name: 'Kill passenger' }).click();
  await card.getByText('not answering').waitFor();
  await untilAllAreUp(page);
  await newPassenger(operated.platform.urls);
});

it('signs out, and leaves nothing of the city on the map', async () => {
  const [visitor, leaver] = [await operated.browser.page(), await operatorPage(operated.browser)];
  await visitor.goto('/');
  for (const each of [visitor, leaver]) await each.locator('.map-canvas[data-ready]').waitFor();
  const { api } = await newDriver(operated.platform.urls, NEAR_PICKUP);
  const areAlike = async () => (await mapPicture(leaver)).equals(await mapPicture(visitor));
  await eventually(async () => expect(await areAlike()).toBe(false), PATIENCE);
  await press(leaver, 'Sign out');
  await leaver.getByRole('button', { name: 'Sign in as operator' }).waitFor();
  await eventually(async () => expect(await areAlike()).toBe(true), PATIENCE);
  await api.goOffline();
  for (const each of [visitor, leaver]) await each.context().close();
});

it.each(['City', 'Services', 'Trips', 'Dead letters', 'Security', 'Break things'])(
  'is accessible at %s, and fits phones and walls',
  async (tab) => {
    await openTab(page, tab);
    expect(await inspect(page, `operator-${tab.toLowerCase().replace(' ', '-')}`)).toEqual([]);
  },
);
