import { eventually } from '@cabstand/testing';
import { PassengerApi, type Account } from '../../../tools/client/api.ts';
import { call } from '../../../tools/client/http.ts';
import type { Tokens } from '../../../tools/client/session.ts';
import {
  PASSWORD,
  acceptedTrip,
  drive,
  driverProfile,
  newDriver,
  newPassenger,
  profile,
  refusal,
  requestTrip,
  untilOffered,
} from '../src/people.ts';
import { freshPlace } from '../src/places.ts';
import { Platform } from '../src/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform?.stop());

const tokenInvalid = { status: 401, code: 'TOKEN_INVALID' };

describe.each([
  { service: 'passenger', path: 'passengers', make: profile },
  { service: 'driver', path: 'drivers', make: driverProfile },
] as const)('a $service account', ({ service, path, make }) => {
  const at = (rest: string) => `${platform.urls[service]}/v1/${rest}`;
  const open = async () => {
    const own = make();
    const { body: account } = await call<Account>('POST', at(path), { body: own });
    const { body: tokens } = await call<Tokens>('POST', at('sessions'), {
      body: { email: own.email, password: own.password },
    });
    return { own, account, tokens, token: tokens.accessToken };
  };

  it('is opened once per e-mail, shows everything but the password, and changes', async () => {
    const { own, account, token } = await open();
    expect(account).toMatchObject({ email: own.email, name: own.name, phone: own.phone });
    expect(JSON.stringify(account)).not.toContain(own.password);
    expect(await refusal(call('POST', at(path), { body: make({ email: own.email.toUpperCase() }) }))).toEqual({
      status: 409,
      code: 'EMAIL_TAKEN',
    });
    const { body: changed } = await call<Account>('PATCH', at(`${path}/me`), { token, body: { name: 'Carla New' } });
    expect(changed).toMatchObject({ id: account.id, name: 'Carla New', phone: own.phone });
    expect((await call('GET', at(`${path}/me`), { token })).body).toEqual(changed);
    expect(JSON.stringify((await call('GET', at(`${path}/me/export`), { token })).body)).toContain(own.email);
  });

  it('is signed in to with its password, which can be changed', async () => {
    const { own, token } = await open();
    const wrong = { status: 401, code: 'CREDENTIALS_INVALID' };
    const signIn = (password: string) => call('POST', at('sessions'), { body: { email: own.email, password } });
    expect(await refusal(signIn('not the password'))).toEqual(wrong);
    const nobody = { email: make().email, password: PASSWORD };
    expect(await refusal(call('POST', at('sessions'), { body: nobody }))).toEqual(wrong);
    const change = { currentPassword: own.password, newPassword: 'another long password' };
    expect((await call('PUT', at(`${path}/me/password`), { token, body: change })).status).toBe(204);
    expect(await refusal(signIn(own.password))).toEqual(wrong);
    expect((await signIn('another long password')).status).toBe(201);
  });

  it('refreshes with rotation: one successor for all retries, and reuse ends the session', async () => {
    const { tokens } = await open();
    const refresh = (refreshToken: string) =>
      call<Tokens>('POST', at('sessions/refresh'), { body: { refreshToken } }).then(({ body }) => body);
    const parallel = await Promise.all(Array.from({ length: 20 }, () => refresh(tokens.refreshToken)));
    expect(new Set(parallel.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    const successor = parallel[0]?.refreshToken ?? '';
    expect(successor).not.toBe(tokens.refreshToken);
    const next = await refresh(successor);
    // The first token again, after its successor was used: somebody has a copy.
    const invalid = { status: 401, code: 'REFRESH_TOKEN_INVALID' };
    expect(await refusal(refresh(tokens.refreshToken))).toEqual(invalid);
    expect(await refusal(refresh(next.refreshToken))).toEqual(invalid);
    expect(await refusal(call('GET', at(`${path}/me`), { token: next.accessToken }))).toEqual(tokenInvalid);
  });

  it('signs out everywhere: here at once, at the trip service when it hears of it', async () => {
    const { tokens, token } = await open();
    const trips = `${platform.urls.trip}/v1/trips`;
    expect((await call('GET', trips, { token })).status).toBe(200);
    expect((await call('DELETE', at('sessions/current'), { token })).status).toBe(204);
    expect(await refusal(call('GET', at(`${path}/me`), { token }))).toEqual(tokenInvalid);
    const { refreshToken } = tokens;
    expect(await refusal(call('POST', at('sessions/refresh'), { body: { refreshToken } }))).toMatchObject({
      status: 401,
    });
    await eventually(async () => expect(await refusal(call('GET', trips, { token }))).toEqual(tokenInvalid));
  });

  it('is erased on request, and nobody can sign in to it any more', async () => {
    const { own, token } = await open();
    expect((await call('DELETE', at(`${path}/me`), { token })).status).toBe(204);
    expect(await refusal(call('GET', at(`${path}/me`), { token }))).toEqual(tokenInvalid);
    const { email, password } = own;
    expect(await refusal(call('POST', at('sessions'), { body: { email, password } }))).toMatchObject({ status: 401 });
    expect((await call('POST', at(path), { body: make({ email }) })).status).toBe(201);
  });

  it('is suspended and reinstated by an operator, and by nobody else', async () => {
    const { own, account, token } = await open();
    const suspend = at(`${path}/${account.id}/suspend`);
    expect(await refusal(call('POST', suspend, { token }))).toEqual({ status: 403, code: 'ROLE_FORBIDDEN' });
    expect(await refusal(call('POST', suspend))).toEqual({ status: 401, code: 'TOKEN_MISSING' });
    const operator = await platform.operatorToken();
    expect((await call('POST', suspend, { token: operator })).status).toBe(200);
    expect(await refusal(call('GET', at(`${path}/me`), { token }))).toMatchObject({ status: 401 });
    const { email, password } = own;
    const signIn = () => call('POST', at('sessions'), { body: { email, password } });
    expect(await refusal(signIn())).toEqual({ status: 403, code: 'ACCOUNT_SUSPENDED' });
    await call('POST', at(`${path}/${account.id}/reinstate`), { token: operator });
    expect((await signIn()).status).toBe(201);
    const unknown = at(`${path}/${crypto.randomUUID()}/suspend`);
    expect(await refusal(call('POST', unknown, { token: operator }))).toEqual({ status: 404, code: 'NOT_FOUND' });
  });
});

describe('tokens', () => {
  it('open what they name and nothing else', async () => {
    const [passenger, driver] = await Promise.all([newPassenger(platform.urls), newDriver(platform.urls)]);
    const passengerToken = await passenger.api.session.token();
    const driverToken = await driver.api.session.token();
    const { urls } = platform;
    expect(await refusal(call('GET', `${urls.driver}/v1/drivers/me`, { token: passengerToken }))).toEqual(tokenInvalid);
    expect(await refusal(call('GET', `${urls.passenger}/v1/passengers/me`, { token: driverToken }))).toEqual(
      tokenInvalid,
    );
    expect(await refusal(call('POST', `${urls.trip}/v1/quotes`, { token: driverToken, body: freshPlace() }))).toEqual({
      status: 403,
      code: 'ROLE_FORBIDDEN',
    });
    const operator = await platform.operatorToken();
    expect(await refusal(call('POST', `${urls.trip}/v1/quotes`, { token: operator, body: freshPlace() }))).toEqual({
      status: 403,
      code: 'ROLE_FORBIDDEN',
    });
    expect((await call('GET', `${urls.trip}/v1/trips`, { token: operator })).status).toBe(200);
  });
});

describe('an account with a trip under way', () => {
  it('is erased only when the trip is over', async () => {
    const place = freshPlace();
    const passenger = await newPassenger(platform.urls);
    const driver = await newDriver(platform.urls, place.pickup);
    const { id } = await acceptedTrip(passenger.api, driver.api, place);
    const accounts = [
      { url: `${platform.urls.passenger}/v1/passengers/me`, session: passenger.api.session },
      { url: `${platform.urls.driver}/v1/drivers/me`, session: driver.api.session },
    ];
    for (const { url, session } of accounts) {
      await eventually(async () =>
        expect(await refusal(call('DELETE', url, { token: await session.token() }))).toEqual({
          status: 409,
          code: 'TRIP_UNDER_WAY',
        }),
      );
    }
    await drive(driver.api, id);
    for (const { url, session } of accounts) {
      await eventually(async () => {
        expect((await call('DELETE', url, { token: await session.token() })).status).toBe(204);
      });
    }
    const operator = await platform.operatorToken();
    await eventually(async () => {
      const { body } = await call<{ passenger?: unknown; driver?: unknown }>(
        'GET',
        `${platform.urls.trip}/v1/trips/${id}`,
        { token: operator },
      );
      expect([body.passenger, body.driver]).toEqual([undefined, undefined]);
    });
  });

  it('is suspended only for what comes after', async () => {
    const place = freshPlace();
    const passenger = await newPassenger(platform.urls);
    const driver = await newDriver(platform.urls, place.pickup);
    const { id } = await acceptedTrip(passenger.api, driver.api, place);
    const token = await platform.operatorToken();
    await call('POST', `${platform.urls.passenger}/v1/passengers/${passenger.id}/suspend`, { token });
    await call('POST', `${platform.urls.driver}/v1/drivers/${driver.id}/suspend`, { token });
    await drive(driver.api, id);

    const next = await newPassenger(platform.urls);
    const nextTrip = await requestTrip(next.api, place);
    const other = await newDriver(platform.urls, place.pickup);
    await untilOffered(other.api, nextTrip.id);

    const again = new PassengerApi(platform.urls, passenger.profile);
    await eventually(async () => {
      expect(await refusal(again.session.signIn())).toEqual({ status: 403, code: 'ACCOUNT_SUSPENDED' });
    });
  });
});
