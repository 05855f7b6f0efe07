import type { Principal } from './principal.ts';
import { VerifiedTokens } from './verified-tokens.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const principal = (subject: string, ttlMs = 300_000): Principal => ({
  issuer: 'https://a.test',
  subject,
  role: 'passenger',
  sessionId: null,
  clientId: 'test',
  expiresAt: new Date(START + ttlMs),
});

let verified: VerifiedTokens;
beforeEach(() => {
  vi.useFakeTimers({ now: START });
  verified = new VerifiedTokens();
});
afterEach(() => vi.useRealTimers());

it('are known again, to the letter', () => {
  const ann = principal('ann');
  verified.add('token', ann);
  expect(verified.find('token')).toBe(ann);
  expect(verified.find('Token')).toBeUndefined();
});

it.each([
  ['a token of ten seconds', 10_000, 10_000],
  ['one of five minutes, which is verified once a minute', 300_000, 60_000],
])('are not known beyond their time: %s', (_, ttlMs, knownMs) => {
  verified.add('token', principal('ann', ttlMs));
  vi.setSystemTime(START + knownMs - 1);
  expect(verified.find('token')).toBeDefined();
  vi.setSystemTime(START + knownMs);
  expect(verified.find('token')).toBeUndefined();
  expect(verified.size).toBe(0);
});

it('are so many at most, and those in use stay', () => {
  verified.add('in use', principal('ann'));
  verified.add('idle', principal('bob'));
  for (let i = 0; i < 20_000; i++) {
    verified.add(`token ${i}`, principal('eve'));
    expect(verified.find('in use')).toBeDefined();
    expect(verified.size).toBeLessThanOrEqual(5_000);
  }
  expect(verified.find('idle')).toBeUndefined();
});

it('are forgotten together', () => {
  verified.add('token', principal('ann'));
  verified.clear();
  expect(verified.find('token')).toBeUndefined();
});
