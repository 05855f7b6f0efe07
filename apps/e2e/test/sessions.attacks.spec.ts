import { eventually } from '@cabstand/testing';
import { decodeJwt } from 'jose';
import { Platform } from '../src/platform.ts';
import { expectProblem, sendJson } from '../src/requests.ts';
import { ACCOUNT_SERVICES, Accounts, cookieOf, ENDINGS, SESSION_ATTACKS } from '../src/session-attacks.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform?.stop());

describe.each(ACCOUNT_SERVICES)('the %s service refuses', (service) => {
  const accountsOf = () => new Accounts(platform, service);

  it.each(Object.entries(SESSION_ATTACKS))('%s', async (_, { attempt, refused, leaves }) => {
    const accounts = accountsOf();
    const victim = await accounts.victim();
    const [status, code] = refused.split(' ');
    expectProblem(await attempt(accounts, victim), Number(status), code);
    const good = {
      token: (await accounts.refresh(victim.refreshToken)).status === 200,
      cookie: (await accounts.refreshCookie(victim.cookie)).status === 200,
      access: (await accounts.me(victim.accessToken)).status === 200,
    };
    const client = leaves === 'both sessions' || leaves === 'the client';
    const browser = leaves === 'both sessions' || leaves === 'the browser';
    expect(good).toEqual({ token: client, access: client, cookie: browser });
  });

  it('to fork a session: fifty refreshes at once have one successor', async () => {
    const accounts = accountsOf();
    const { refreshToken, cookie } = await accounts.victim();
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const answer = i % 2 ? await accounts.refresh(refreshToken) : await accounts.refreshCookie(cookie);
        return answer.json?.refreshToken ?? cookieOf(answer);
      }),
    );
    expect(new Set(answers).size).toBe(2);
  });

  it('a session that was fixed beforehand: signing in begins another', async () => {
    const accounts = accountsOf();
    const [attacker, victim] = [await accounts.victim(), await accounts.victim()];
    const { email, password } = victim;
    const planted = { cookie: attacker.cookie, origin: accounts.url, 'session-mode': 'cookie' };
    const answer = await accounts.signIn({ email, password }, planted);
    expect(cookieOf(answer)).not.toBe(attacker.cookie);
    const known = decodeJwt(String((await accounts.refreshCookie(attacker.cookie)).json?.accessToken));
    const begun = decodeJwt(String(answer.json?.accessToken));
    expect([known.sub, begun.sub]).toEqual([attacker.id, victim.id]);
    expect(known.sid).not.toBe(begun.sid);
  });

  const lagsMs: number[] = [];
  it.each(Object.entries(ENDINGS))('an access token when %s, at the trip service too', async (_, end) => {
    const accounts = accountsOf();
    for (let i = 0; i < 3; i++) {
      const victim = await accounts.victim();
      const trips = () => sendJson('GET', `${platform.urls.trip}/v1/trips`, undefined, victim.accessToken);
      expect((await trips()).status).toBe(200);
      await end(accounts, victim);
      const endedAt = performance.now();
      await eventually(async () => expect((await trips()).status).toBe(401), { everyMs: 5 });
      lagsMs.push(performance.now() - endedAt);
      // By itself it would have been good for minutes.
      expect(decodeJwt(victim.accessToken).exp! * 1_000 - Date.now()).toBeGreaterThan(240_000);
    }
  });
  afterAll(() => {
    lagsMs.sort((a, b) => a - b);
    const [median, most] = [lagsMs[lagsMs.length >> 1], lagsMs.at(-1)].map((ms) => Math.round(ms ?? NaN));
    process.stdout.write(
      `An access token outlived its session with the ${service} service by ${median} ms, at most ${most} ms.\n`,
    );
  });
});
