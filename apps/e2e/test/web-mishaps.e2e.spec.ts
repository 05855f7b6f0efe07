import type { Page } from 'playwright-core';
import { newDriver, newPassenger, requestTrip, untilOffered, untilTrip, type NewPassenger } from '../src/people.ts';
import { northOf } from '../src/places.ts';
import {
  driverPage,
  fill,
  goOffline,
  goOnline,
  NEAR_PICKUP,
  passengerPage,
  PERSON,
  press,
  register,
  requestRide,
  untilShown,
} from '../src/web-people.ts';
import { WebPlatform } from '../src/web-platform.ts';
import { inspect, storedText, untilFocused, type TestBrowser } from '../src/web.ts';

const WAY = { pickup: NEAR_PICKUP, dropoff: northOf(NEAR_PICKUP, 1_000) };

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let served: WebPlatform;
/** No map is what these are about. */
let browser: TestBrowser;

beforeAll(async () => {
  // Long enough for pictures of an offer.
  served = await WebPlatform.start({ DISPATCH_OFFER_TTL: '60s' });
  browser = await served.browser({ hasWebGl: false });
}, 90_000);
afterEach(async () => expect(await served.afterTest()).toEqual([]));
afterAll(() => served?.stop());

const kept = (page: Page): Page => served.kept(page);
const request = ({ api }: NewPassenger) => requestTrip(api, WAY);

/** A driver who waits for trips. */
async function driverOnline(): Promise<Page> {
  const page = kept(await driverPage(browser, NEAR_PICKUP));
  await goOnline(page);
  return page;
}

it('keeps a driver on an older request than the last one, on a device whose clock is a minute fast', async () => {
  const { urls } = served.platform;
  const [older, newer] = [await newPassenger(urls), await newPassenger(urls)];
  const other = await newDriver(urls, NEAR_PICKUP);
  const { id } = await request(older);
  const { offerId } = await untilOffered(other.api, id);
  const driver = kept(await driverPage(browser, NEAR_PICKUP));
  await driver.clock.setSystemTime(Date.now() + 60_000);
  await goOnline(driver);
  const { id: newerId } = await request(newer);
  await press(driver, 'Accept');
  await untilShown(driver, 'Pick up Ada');
  await newer.api.cancel(newerId);
  await untilShown(driver, 'The passenger cancelled the trip');
  await other.api.decline(offerId);
  await press(driver, 'Accept');
  await untilShown(driver, 'Pick up Ada');
  await driver.reload();
  await untilShown(driver, 'Pick up Ada');
  await older.api.cancel(id);
  await untilShown(driver, 'The passenger cancelled the trip');
  await goOffline(driver);
  await other.api.goOffline();
});

it('stops waiting for an accepted trip that the passenger cancelled', async () => {
  const passenger = await newPassenger(served.platform.urls);
  const driver = await driverOnline();
  // As if the trip service had not heard of the driver yet.
  await driver.route(/api\/trip\/v1\/trips/, (route) =>
    route.request().url().includes('/trips?')
      ? route.fulfill({ json: { items: [], nextCursor: null } })
      : route.fulfill({ status: 404, json: { code: 'NOT_FOUND' } }),
  );
  const { id } = await request(passenger);
  await press(driver, 'Accept');
  await untilShown(driver, 'the trip is being confirmed');
  await untilTrip(passenger.api, id, 'accepted');
  await passenger.api.cancel(id);
  await untilShown(driver, 'The passenger cancelled the trip meanwhile.');
  await untilShown(driver, 'Waiting for a trip');

  const { id: nextId } = await request(passenger);
  await press(driver, 'Accept');
  await untilShown(driver, 'the trip is being confirmed');
  await driver.clock.fastForward(40_000);
  await untilShown(driver, 'The trip was not confirmed');
  await passenger.api.cancel(nextId);
  await goOffline(driver);
});

it('says why there will be no offers, instead of reconnecting, when the service refuses them for good', async () => {
  const driver = kept(await driverPage(browser, NEAR_PICKUP));
  let isSuspended = false;
  await driver.route(/drivers\/me\/events/, (route) =>
    isSuspended ? route.fulfill({ status: 403, json: { code: 'ACCOUNT_SUSPENDED' } }) : route.abort(),
  );
  await goOnline(driver);
  await untilShown(driver, 'Connection lost: reconnecting');
  isSuspended = true;
  await untilShown(driver, 'This account is suspended.');
  await driver.getByText('Connection lost').waitFor({ state: 'detached' });
  await goOffline(driver);
});

it('shows nobody what was typed and read by who was signed in before', async () => {
  const page = kept(await passengerPage(browser, 'Ada Example'));
  expect(await storedText(page)).not.toContain('Ada Example');
  const openProfile = async (of: Page) => {
    await of.getByRole('link', { name: 'Profile' }).click();
    return of.getByLabel('Name', { exact: true });
  };
  await openProfile(page);
  await fill(page, { Name: 'Ada Elsewhere' });
  await page.context().clearCookies();
  await page.reload();
  await untilShown(page, 'Your session has ended.');
  expect(await storedText(page)).not.toContain('Elsewhere');
  await register(page, '/ride', { ...PERSON, Name: 'Berta Example' });
  expect(await (await openProfile(page)).inputValue()).toBe('Berta Example');

  await fill(page, { Name: 'Berta Elsewhere' });
  const otherTab = await page.context().newPage();
  await otherTab.goto('/ride');
  await openProfile(otherTab);
  await press(otherTab, 'Sign out');
  await register(otherTab, '/ride', { ...PERSON, Name: 'Carla Example' });
  await otherTab.getByRole('heading', { name: 'Where to?' }).waitFor();
  await page.reload();
  expect(await (await openProfile(page)).inputValue()).toBe('Carla Example');
});

it('shows other pages after one that could not be loaded, and that one when it can', async () => {
  const page = kept(await browser.page());
  await page.goto('/drive');
  await page.route(/ride-page/, (route) => route.abort());
  const failed = page.getByRole('heading', { name: 'This page could not be shown' });
  const go = (name: string) => page.getByRole('link', { name, exact: true }).click();
  await go('Ride');
  await failed.waitFor();
  await go('Drive');
  await page.getByRole('heading', { name: 'Drive' }).waitFor();
  await go('Ride');
  await failed.waitFor();
  await page.unrouteAll();
  await press(page, 'Try again');
  await page.getByRole('heading', { name: 'Take a ride' }).waitFor();
  expect(browser.complaints.splice(0)).not.toEqual([]);
});

it('is accessible in every moment of a trip, and fits phones and walls', async () => {
  const findings: string[] = [];
  const look = async (page: Page, name: string) => findings.push(...(await inspect(page, name)));
  const passenger = kept(await passengerPage(browser));
  await requestRide(passenger);
  await look(passenger, 'ride-requested');
  const driver = kept(await driverPage(browser, NEAR_PICKUP));
  await press(driver, 'Go online');
  await driver.getByRole('button', { name: 'Accept' }).waitFor();
  await look(driver, 'drive-offer');
  await press(driver, 'Accept');
  await untilShown(passenger, 'Bruno is on the way to you');
  await untilShown(driver, 'Pick up Ada');
  await untilFocused(driver, 'You are online');
  await look(passenger, 'ride-accepted');
  await press(driver, "I'm at the pickup");
  await press(driver, 'Passenger is on board');
  await untilShown(passenger, 'You are on your way');
  await look(passenger, 'ride-in-progress');
  await look(driver, 'drive-in-progress');
  await press(driver, 'Complete the trip');
  await untilShown(passenger, 'You have arrived');
  await look(passenger, 'ride-receipt');
  await driver.getByText('★').first().waitFor();
  await look(driver, 'drive-receipt');
  for (const part of ['Trips', 'Profile']) {
    await driver.getByRole('link', { name: part }).click();
    await driver.getByRole('heading', { name: part, level: 1 }).waitFor();
    await look(driver, `drive-${part.toLowerCase()}`);
  }
  await driver.goto('/nowhere');
  await driver.getByRole('heading', { level: 1 }).waitFor();
  await look(driver, 'no-page');
  expect(findings).toEqual([]);
});
