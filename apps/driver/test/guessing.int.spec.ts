import { eventually } from '@cabstand/testing';
import { PASSWORD, startPlatform, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ LIMITS: 'production' });
});
afterAll(() => platform.stop());

it('a password is guessed ten times, however many addresses a guesser claims to have, and whoever watches is told', async () => {
  const { id, email } = await platform.signUp();
  const guess = (password: string, from: string) =>
    platform.call('POST', '/v1/sessions', { body: { email, password }, headers: { 'x-forwarded-for': from } });
  const answers: { status: number; retryAfterS: number }[] = [];
  for (let i = 0; i < 12; i++) {
    const { status, headers } = await guess(`guess number ${i}`, `203.0.113.${i}`);
    answers.push({ status, retryAfterS: Number(headers.get('retry-after')) });
  }
  // The sixth costs a second; not to wait is to fail.
  expect(answers.map(({ status }) => status)).toEqual([...Array<number>(6).fill(401), ...Array<number>(6).fill(429)]);
  expect(answers[6]!.retryAfterS).toBe(1);
  expect(answers[11]!.retryAfterS).toBeGreaterThan(800);
  expect(await guess(PASSWORD, '198.51.100.1')).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });

  const locked = await eventually(() => {
    const found = platform.messages.published.filter(({ type }) => type === 'security.account-locked');
    expect(found).toHaveLength(1);
    return found[0]!;
  });
  expect(locked.payload).toMatchObject({ accountId: id, issuer: 'https://driver.test', network: '127.0.0.1' });
  expect(JSON.stringify(locked)).not.toContain(email);
});
