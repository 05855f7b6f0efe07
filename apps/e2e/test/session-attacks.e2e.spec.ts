import { eventually } from '@cabstand/testing';
import { decodeJwt } from 'jose';
import { Platform } from '../src/platform.ts';
import { expectProblem, sendJson } from '../src/requests.ts';
import { ACCOUNT_SERVICES, Accounts, cookieOf, SESSION_ATTACKS } from '../src/session-attacks.ts';

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

  it('a session that is over at the trip service too, when it hears of it', async () => {
    const accounts = accountsOf();
    const lagsMs: number[] = [];
    for (let i = 0; i < 10; i++) {
      const { accessToken } = await accounts.victim();
      const trips = () => sendJson('GET', `${platform.urls.trip}/v1/trips`, undefined, accessToken);
      expect((await trips()).status).toBe(200);
      await accounts.signOut(accessToken);
      const endedAt = performance.now();
      await eventually(async () => expect((await trips()).status).toBe(401), { everyMs: 5 });
      lagsMs.push(performance.now() - endedAt);
      expect(decodeJwt(accessToken).exp! * 1_000 - Date.now()).toBeGreaterThan(240_000);
    }
    lagsMs.sort((a, b) => a - b);
    const [median, most] = [lagsMs[5]!, lagsMs.at(-1)!].map(Math.round);
    process.stdout.write(
      `${service}: an ended session's access token dies at the trip service after ${median} ms (median), ${most} ms (most)\n`,
    );
    // The token itself would have been good for minutes.
    expect(most).toBeLessThan(10_000);
  });
});
