import { eventually } from '@cabstand/testing';
import type { Page } from 'playwright-core';
import { newDriver, untilOffered, untilTrip } from '../src/people.ts';
import type { Platform } from '../src/platform.ts';
import {
  driverPage,
  fill,
  goOffline,
  goOnline,
  NEAR_PICKUP,
  passengerPage,
  press,
  quoteRide,
  requestRide,
  untilShown,
} from '../src/web-people.ts';
import { startMapServer } from '../src/map-server.ts';
import { inspect, storedText, untilFocused, WebProcess, type TestBrowser } from '../src/web.ts';
import { WebPlatform } from '../src/web-platform.ts';
import { northOf } from '../src/places.ts';

/** A map that shows nothing is one colour, and its picture next to nothing. */
const BLANK_BYTES = 6_000;

// Maps are drawn in software, and other tests may have the processor meanwhile.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let served: WebPlatform;
let platform: Platform;
let web: WebProcess;
let browser: TestBrowser;
/** One that can't draw the map: everything else works without it. */
let plain: TestBrowser;
const kept = (page: Page): Page => served.kept(page);

beforeAll(async () => {
  served = await WebPlatform.start();
  ({ platform, web } = served);
  browser = await served.browser();
  plain = await served.browser({ hasWebGl: false });
}, 90_000);
afterEach(async () => expect(await served.afterTest()).toEqual([]));
afterAll(() => served?.stop());

it('takes a passenger and a driver through a whole trip, whatever is reloaded', async () => {
  const driver = kept(await driverPage(browser, NEAR_PICKUP));
  await goOnline(driver);
  const passenger = kept(await passengerPage(browser));
  await requestRide(passenger);
  await passenger.reload();
  await untilShown(passenger, 'Looking for a driver');

  await press(driver, 'Accept');
  await untilShown(driver, 'Pick up Ada');
  await untilShown(passenger, 'Bruno is on the way to you');
  await untilShown(passenger, 'B-CS 1');
  await untilShown(driver, 'You are there');
  await press(driver, "I'm at the pickup");
  await untilShown(passenger, 'Bruno is waiting at the pickup');
  await driver.reload();
  await press(driver, 'Passenger is on board');
  await untilShown(passenger, 'You are on your way');
  await untilShown(passenger, /to go, /);
  await passenger.locator('.cab-marker').waitFor();
  await press(driver, 'Complete the trip');

  await untilShown(passenger, 'You have arrived');
  await untilShown(passenger, '€5.00');
  await passenger.getByText('★').nth(3).click();
  await press(passenger, 'Send rating');
  await untilShown(passenger, 'Thank you for rating Bruno.');
  await passenger.getByRole('link', { name: 'Trips' }).click();
  await untilShown(passenger, /^completed, /);
  await untilShown(driver, /1 trip$/);
  await driver.getByText('★').nth(4).click();
  await press(driver, 'Send rating');
  await untilShown(driver, /Thank you for rating/);
  await goOffline(driver);
});

it('passes a declined trip on to the next driver', async () => {
  const driver = kept(await driverPage(plain, NEAR_PICKUP));
  await goOnline(driver);
  const next = await newDriver(platform.urls, northOf(NEAR_PICKUP, 800));
  const passenger = kept(await passengerPage(plain));
  await untilShown(passenger, 'The map cannot be shown');
  await requestRide(passenger);
  await press(driver, 'Decline');
  await untilShown(driver, 'You declined.');
  const { offerId, tripId } = await untilOffered(next.api);
  await next.api.accept(offerId);
  await untilShown(passenger, 'Bruno is on the way to you');
  await goOffline(driver);
  await untilTrip(next.api, tripId, 'accepted');
  await next.api.cancel(tripId);
  await untilShown(passenger, 'The driver cancelled');
  await next.api.goOffline();
});

it('says where the device is, and nothing while the device does not', async () => {
  const driver = kept(await driverPage(plain, NEAR_PICKUP));
  await driver.getByText("This device's location").click();
  await goOnline(driver);
  await untilShown(driver, 'This device does not say where it is.');
  const passenger = kept(await passengerPage(plain));
  await requestRide(passenger);

  const { lat, lng } = northOf(NEAR_PICKUP, 300);
  await driver.context().grantPermissions(['geolocation']);
  await driver.context().setGeolocation({ latitude: lat, longitude: lng });
  await driver.reload();
  await untilShown(driver, /^(3[89]|40)0 m$/);
  await press(driver, 'Decline');
  await press(passenger, 'Cancel the ride');
  await press(passenger, 'Yes, cancel');
  await untilShown(passenger, 'Ride cancelled');
  await goOffline(driver);
});

it('tells the driver of an offer that the passenger has withdrawn', async () => {
  const driver = kept(await driverPage(plain, NEAR_PICKUP));
  await goOnline(driver);
  const passenger = kept(await passengerPage(plain));
  await requestRide(passenger);
  await untilShown(driver, 'A trip is offered to you');
  await press(passenger, 'Cancel the ride');
  await press(passenger, 'Yes, cancel');
  await untilShown(passenger, 'Ride cancelled');
  await untilShown(driver, 'the offer was withdrawn');
  await press(passenger, 'Same ride again');
  await passenger.getByRole('button', { name: 'Request this ride' }).waitFor();
  await goOffline(driver);
});

it('says that the connection is lost, and catches up when it is back', async () => {
  const { api } = await newDriver(platform.urls, NEAR_PICKUP);
  const passenger = kept(await passengerPage(plain));
  await requestRide(passenger);
  const { offerId, tripId } = await untilOffered(api);
  await web.stop();
  await untilShown(passenger, 'Connection lost: reconnecting');
  await api.accept(offerId);
  await untilTrip(api, tripId, 'accepted');
  await api.arrive(tripId);
  await web.start();
  await untilShown(passenger, 'Bruno is waiting at the pickup');
  await passenger.getByText('Connection lost: reconnecting').waitFor({ state: 'detached' });
  await api.cancel(tripId);
  await api.goOffline();
});

it('makes one trip of a request whose answer is lost', async () => {
  const passenger = kept(await passengerPage(plain));
  await quoteRide(passenger);
  const keys: (string | undefined)[] = [];
  await passenger.route('**/api/trip/v1/trips', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    keys.push((await route.request().headerValue('idempotency-key')) ?? undefined);
    if (keys.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await press(passenger, 'Request this ride');
  await untilShown(passenger, 'Looking for a driver');
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
  await press(passenger, 'Cancel the ride');
  await press(passenger, 'Yes, cancel');
  await untilShown(passenger, 'Ride cancelled');
  await passenger.getByRole('link', { name: 'Trips' }).click();
  await untilShown(passenger, /^cancelled, /);
  expect(await passenger.locator('.history-item').count()).toBe(1);
});

it('says which field is wrong, keeps what was typed, and no secret', async () => {
  const page = kept(await plain.page());
  await page.goto('/ride');
  await page.getByRole('tab', { name: 'Create account' }).click();
  await fill(page, { Name: 'Ada', 'E-mail': 'ada@example.com', Phone: 'none', Password: 'password1' });
  await press(page, 'Create account');
  await untilShown(page, 'Must be a phone number.');
  await untilShown(page, 'guessed first');
  await page.reload();
  expect(await page.getByLabel('Phone').inputValue()).toBe('none');
  expect(await page.getByLabel('Password').inputValue()).toBe('');
  await fill(page, { Phone: '+49 30 1234567', Password: 'a long enough password' });
  await press(page, 'Create account');
  await page.getByRole('heading', { name: 'Where to?' }).waitFor();
  expect(await storedText(page)).not.toMatch(/password|eyJ/);
  const cookies = await page.context().cookies(`${web.url}/api/passenger/v1/sessions/refresh`);
  expect(cookies).toMatchObject([{ httpOnly: true, sameSite: 'Strict', path: '/api/passenger/v1/sessions' }]);
});

it('works with the keyboard alone', async () => {
  const page = kept(await passengerPage(browser));
  await page.getByRole('button', { name: 'Pickup: take the middle of the map' }).focus();
  await page.keyboard.press('Enter');
  await untilShown(page, 'On the map: 52.5200, 13.4050');
  await page.getByRole('button', { name: /Dropoff$/ }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.type('Harb');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Request this ride' }).focus();
  await page.keyboard.press('Enter');
  await untilShown(page, 'Looking for a driver');
  // The button is gone; the focus is where it goes on.
  await untilFocused(page, 'Your ride');
  expect(await page.title()).toBe('Take a ride · Cabstand');
  await press(page, 'Cancel the ride');
  await press(page, 'Yes, cancel');
  await untilShown(page, 'Ride cancelled');
});

it('draws the map that MAP_STYLE_URL names, from another origin, and its own without that', async () => {
  const maps = await startMapServer();
  const styled = WebProcess.before(platform, await WebProcess.port(), { MAP_STYLE_URL: maps.styleUrl });
  try {
    await styled.start();
    const page = kept(await browser.page({ baseURL: styled.url }));
    await page.goto('/ride');
    await page.locator('.map-canvas[data-ready]').waitFor();
    expect(maps.asked).toEqual(['/style.json', '/land.json']);
    maps.stop();
    await page.reload();
    await untilShown(page, 'this is a plain map instead');
    await page.locator('.map-canvas[data-ready]').waitFor();
  } finally {
    await styled.stop();
    maps.stop();
  }
});

describe('every page', () => {
  /** Of one passenger. */
  let passenger: Page | undefined;
  afterAll(() => passenger?.context().close());

  const cases: { name: string; page: () => Promise<Page> }[] = [
    { name: 'city', page: () => visited('/') },
    { name: 'ride-visitor', page: () => visited('/ride') },
    { name: 'drive-visitor', page: () => visited('/drive') },
    {
      name: 'ride-quote',
      page: async () => {
        passenger ??= await passengerPage(browser);
        await quoteRide(passenger);
        return passenger;
      },
    },
    { name: 'ride-profile', page: () => part('Profile') },
    { name: 'ride-trips', page: () => part('Trips') },
    {
      name: 'drive-online',
      page: async () => {
        const page = kept(await driverPage(browser, NEAR_PICKUP));
        await goOnline(page);
        return page;
      },
    },
  ];

  async function visited(path: string): Promise<Page> {
    const page = kept(await browser.page());
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    return page;
  }

  async function part(name: string): Promise<Page> {
    passenger ??= await passengerPage(browser);
    await passenger.getByRole('link', { name }).click();
    await passenger.getByRole('heading', { name, level: 1 }).waitFor();
    return passenger;
  }

  it.each(cases)('$name is accessible, and fits phones and walls', async ({ name, page: opened }) => {
    const page = await opened();
    await page.locator('.map-canvas[data-ready]').waitFor();
    const look = async () => {
      await eventually(
        async () => expect((await page.locator('.map-canvas').screenshot()).length).toBeGreaterThan(BLANK_BYTES),
        { timeoutMs: 40_000 },
      );
      expect(await page.getByRole('main').isVisible()).toBe(true);
    };
    expect(await inspect(page, name, look)).toEqual([]);
  });
});
