import { randomUUID } from 'node:crypto';
import type { GeoPoint } from '@cabstand/contracts';
import type { Page } from 'playwright-core';
import { PASSWORD } from './people.ts';
import type { TestBrowser } from './web.ts';

/** "Cathedral Square" and "Opera" of the pages' own list of places, which are ten seconds apart for who drives fast. */
export const PICKUP = 'Cathedral Square';
export const DROPOFF = 'Opera';
/** Beside that pickup. */
export const NEAR_PICKUP: GeoPoint = { lat: 52.5212, lng: 13.4059 };

export const PERSON = { Name: 'Ada Example', Phone: '+49 30 1234567', Password: PASSWORD };
const CAB = { 'Licence number': 'B-123456', Make: 'Cab', Model: 'One', Colour: 'white', Plate: 'B-CS 1' };

export async function register(page: Page, path: string, answers: Record<string, string>): Promise<void> {
  await page.goto(path);
  await page.getByRole('tab', { name: 'Create account' }).click();
  await fill(page, { 'E-mail': `${randomUUID()}@example.com`, ...answers });
  await page.getByRole('button', { name: 'Create account' }).click();
}

export async function fill(page: Page, answers: Record<string, string>): Promise<void> {
  for (const [label, answer] of Object.entries(answers)) await page.getByLabel(label, { exact: true }).fill(answer);
}

/** A passenger with a new account, at the page where rides are booked. */
export async function passengerPage(browser: TestBrowser, name = 'Ada Example'): Promise<Page> {
  const page = await browser.page();
  await register(page, '/ride', { ...PERSON, Name: name });
  await page.getByRole('heading', { name: 'Where to?' }).waitFor();
  return page;
}

/** A driver with a new account, whose cab stands there. */
export async function driverPage(browser: TestBrowser, at: GeoPoint, name = 'Bruno Example'): Promise<Page> {
  const page = await browser.page(
    {},
    { 'cabstand.driver.cab': at, 'cabstand.driver.settings': { mode: 'simulated', isFast: true } },
  );
  await register(page, '/drive', { ...PERSON, ...CAB, Name: name });
  await page.getByRole('heading', { name: 'You are offline' }).waitFor();
  return page;
}

export async function goOnline(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Go online' }).click();
  await page.getByText('Waiting for a trip').waitFor();
}

/** Takes the driver out of the way of whoever comes next. */
export async function goOffline(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Go offline' }).click();
  await page.getByRole('heading', { name: 'You are offline' }).waitFor();
}

export async function choose(page: Page, end: 'Pickup' | 'Dropoff', place: string): Promise<void> {
  await page.getByRole('button', { name: new RegExp(`${end}$`) }).click();
  await page.getByRole('option', { name: place }).click();
}

export async function quoteRide(page: Page): Promise<void> {
  await choose(page, 'Pickup', PICKUP);
  await choose(page, 'Dropoff', DROPOFF);
  await page.getByRole('button', { name: 'Request this ride' }).waitFor();
}

export async function requestRide(page: Page): Promise<void> {
  await quoteRide(page);
  await page.getByRole('button', { name: 'Request this ride' }).click();
  await page.getByText('Looking for a driver').waitFor();
}

export const press = (page: Page, name: string | RegExp): Promise<void> => page.getByRole('button', { name }).click();
export const untilShown = (page: Page, text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor();
