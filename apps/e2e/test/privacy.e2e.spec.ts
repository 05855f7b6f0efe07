import { randomUUID } from 'node:crypto';
import { EVENTS, subscriptions } from '@cabstand/contracts';
import { eventually, messageOf } from '@cabstand/testing';
import { createMessage, decrypt, encrypt, generateKey, readKey, readMessage, type PrivateKey } from 'openpgp';
import { query } from '../src/agreement.ts';
import { BrokerView } from '../src/messages.ts';
import {
  acceptedTrip,
  drive,
  newDriver,
  newPassenger,
  requestTrip,
  type NewDriver,
  type NewPassenger,
} from '../src/people.ts';
import { freshPlace } from '../src/places.ts';
import { Platform } from '../src/platform.ts';
import { expectProblem, send } from '../src/requests.ts';
import { openable, singing, stored } from '../src/stored.ts';

let platform: Platform;
let broker: BrokerView;

beforeAll(async () => {
  platform = await Platform.start();
  broker = await BrokerView.open(platform);
}, 120_000);
afterAll(async () => {
  await broker.close();
  await platform.stop();
});

const asking = (token: string, body?: object, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: {
    authorization: `Bearer ${token}`,
    ...(body ? { 'content-type': 'application/json' } : {}),
    'idempotency-key': randomUUID(),
    ...headers,
  },
  body: body ? JSON.stringify(body) : null,
});

describe.each(['passenger', 'driver'] as const)('what a %s may take along', (role) => {
  let url: string;
  let authorization: string;
  let email: string;
  const keyOf = async (key: PrivateKey) => Buffer.from(key.toPublic().write()).toString('base64');
  const newKey = (changes = {}) =>
    generateKey({ userIDs: [{ email: 'ada@example.com' }], format: 'object', ...changes });

  beforeAll(async () => {
    const person = await (role === 'passenger' ? newPassenger(platform.urls) : newDriver(platform.urls));
    email = person.profile.email;
    authorization = `Bearer ${await person.api.session.token()}`;
    url = `${platform.urls[role]}/v1/${role}s/me/export`;
  });

  it('is in clear for who brings no key', async () => {
    const { status, json } = await send(url, { headers: { authorization } });
    expect([status, JSON.stringify(json)]).toEqual([200, expect.stringContaining(email)]);
  });

  it.each(['curve25519', 'rsa'] as const)('is encrypted for the owner of an OpenPGP key (%s)', async (type) => {
    const { privateKey } = await newKey(type === 'rsa' ? { type, rsaBits: 2_048 } : { type });
    const answer = await send(url, { headers: { authorization, 'openpgp-key': await keyOf(privateKey) } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/pgp-encrypted']);
    expect(answer.text).toMatch(/^-----BEGIN PGP MESSAGE-----/);
    expect(answer.text).not.toContain(email);
    const message = await readMessage({ armoredMessage: answer.text });
    const { data } = await decrypt({ message, decryptionKeys: privateKey });
    expect(data).toContain(email);
    const { privateKey: other } = await newKey();
    await expect(decrypt({ message, decryptionKeys: other })).rejects.toThrow();
  });

  it('is refused to what is no key to encrypt to', async () => {
    const { privateKey } = await newKey();
    const { privateKey: expired } = await newKey({ date: new Date(Date.now() - 60_000), keyExpirationTime: 1 });
    const { privateKey: signing } = await newKey({ subkeys: [] });
    const message = await encrypt({
      message: await createMessage({ text: 'x' }),
      encryptionKeys: privateKey.toPublic(),
      format: 'binary',
    });
    const bad: Record<string, string> = {
      nothing: '',
      'no base64': '???',
      'bytes of nothing': Buffer.from('hello').toString('base64'),
      'half a key': (await keyOf(privateKey)).slice(0, 200),
      'a private key': Buffer.from(privateKey.write()).toString('base64'),
      'an expired key': await keyOf(expired),
      'a key that only signs': await keyOf(signing),
      'a message': Buffer.from(message).toString('base64'),
    };
    for (const [what, key] of Object.entries(bad)) {
      const answer = await send(url, { headers: { authorization, 'openpgp-key': key } });
      expect([what, answer.status]).toEqual([what, 400]);
      expectProblem(answer, 400, 'REQUEST_INVALID');
    }
    expectProblem(await send(url, { headers: { 'openpgp-key': await keyOf(privateKey) } }), 401, 'TOKEN_MISSING');
    expect((await readKey({ binaryKey: privateKey.toPublic().write() })).isPrivate()).toBe(false);
  });
});

/** Everything that people can leave behind, under words that nobody else uses. */
async function live(): Promise<{ passenger: NewPassenger; driver: NewDriver; canaries: Record<string, string> }> {
  const mark = randomUUID().slice(0, 8);
  const place = freshPlace();
  const [passenger, driver] = [await newPassenger(platform.urls), await newDriver(platform.urls, place.pickup)];
  const canaries: Record<string, string> = {
    'her address': passenger.profile.email,
    'his address': driver.profile.email,
    'her name': `Xada${mark}`,
    'his name': `Xbob${mark}`,
    'her phone': `+49 30 ${parseInt(mark, 16)}`,
    'his licence': `L-${mark}`,
    'his plate': `P-${mark}`,
    'her words on a ride': `words-a-${mark}`,
    'his words on a ride': `words-b-${mark}`,
    'her reason': `reason-${mark}`,
    'what an event said of her': `Xeve${mark}`,
  };
  const [hers, his] = [await passenger.api.session.token(), await driver.api.session.token()];
  const change = (url: string, token: string, body: object) => send(url, { ...asking(token, body), method: 'PATCH' });
  await change(`${platform.urls.passenger}/v1/passengers/me`, hers, {
    name: `${canaries['her name']} Example`,
    phone: canaries['her phone'],
  });
  await change(`${platform.urls.driver}/v1/drivers/me`, his, {
    name: `${canaries['his name']} Example`,
    licenceNumber: canaries['his licence'],
    vehicle: { make: 'Cab', model: 'One', colour: 'white', plate: canaries['his plate'] },
  });
  const cancelled = await requestTrip(passenger.api, place);
  await passenger.api.cancel(cancelled.id, canaries['her reason']);
  const { id } = await acceptedTrip(passenger.api, driver.api, place);
  await drive(driver.api, id);
  const rating = `${platform.urls.trip}/v1/trips/${id}/rating`;
  const rated = [
    await send(rating, asking(hers, { stars: 5, comment: canaries['her words on a ride'] })),
    await send(rating, asking(his, { stars: 4, comment: canaries['his words on a ride'] })),
  ];
  expect(rated.map(({ status }) => status)).toEqual([201, 201]);
  const broken = messageOf('passenger', 'passenger.updated', {
    passengerId: passenger.id,
    firstName: [canaries['what an event said of her']],
  });
  await broker.publish('passenger', broken);
  await eventually(async () => {
    const dead = await query(platform.databases.trip.url, 'SELECT 1 FROM dead_letters');
    expect(dead).toHaveLength(1);
  });
  return { passenger, driver, canaries };
}

it('nothing of people who were erased is left: not for who has all databases, and not with all their keys', async () => {
  const { passenger, driver, canaries } = await live();
  // The whole lot is found before, or finding nothing would mean nothing.
  await eventually(async () => {
    const before = singing(await openable(platform), canaries);
    const found = before.map((where) => where.replace(/ in .*/, ''));
    expect(Object.keys(canaries).filter((name) => !found.includes(name))).toEqual([]);
    // The answer to a registration is remembered for whoever sends the key, and is nobody's until it is looked into.
    const answers = ['her address in passenger.idempotency_keys', 'his address in driver.idempotency_keys'];
    expect(before).toEqual(expect.arrayContaining(answers));
  });
  expect(singing(await stored(platform), canaries)).toEqual([]);

  for (const { api, role } of [
    { api: passenger.api, role: 'passenger' as const },
    { api: driver.api, role: 'driver' as const },
  ]) {
    const token = await api.session.token();
    const url = `${platform.urls[role]}/v1/${role}s/me`;
    const erased = await send(url, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } });
    expect(erased.status).toBe(204);
  }
  await eventually(async () => expect(singing(await openable(platform), canaries)).toEqual([]));
  for (const { queue } of subscriptions(EVENTS)) await broker.expectEmpty(queue);
  expect(
    singing(
      platform.log().map((text) => ({ where: 'log', text })),
      canaries,
    ),
  ).toEqual([]);
}, 120_000);
