import { z } from 'zod';
import { baseConfig, duration, port, wholeNumber } from './config.ts';

test.each([
  ['500ms', 500],
  ['15s', 15_000],
  ['2m', 120_000],
  ['24h', 86_400_000],
  ['30d', 2_592_000_000],
])('reads %s as %d ms', (text, ms) => expect(duration().parse(text)).toBe(ms));

test.each(['', '15', 's', '1.5s', '-1s', '15 s', '15sec', '1s1s', ' 15s'])('refuses %j as a duration', (text) => {
  expect(duration().safeParse(text).success).toBe(false);
});

test('takes the default as it would be written', () => {
  expect(z.object({ TTL: duration('5m') }).parse({})).toEqual({ TTL: 300_000 });
});

test.each([
  ['3001', 3001],
  [' 3001 ', 3001],
  ['0', 0],
  [undefined, 3000],
])('reads %j as port %d', (text, value) => expect(port(3000).parse(text)).toBe(value));

test.each(['  ', '0x10', '1e3', '-1', '3001.5', '65536', 'http'])('refuses %j as a port', (text) => {
  expect(port(3000).safeParse(text).success).toBe(false);
});

test('refuses a number below the least', () => expect(wholeNumber(10, 2).safeParse('1').success).toBe(false));

test.each([
  [undefined, []],
  ['', []],
  ['10.0.0.0/8, 2001:db8::/32,192.0.2.1', ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1']],
])('reads %j as trusted proxies', (text, networks) => {
  expect(baseConfig.TRUSTED_PROXIES.parse(text)).toEqual(networks);
});

test.each(['0.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0.0/', 'loopback', '10.0.0', '10.0.0.0/8/8', '*'])(
  'refuses %j as a trusted proxy',
  (text) => expect(baseConfig.TRUSTED_PROXIES.safeParse(text).success).toBe(false),
);

test.each([
  [undefined, ['http://localhost:4200']],
  [
    'https://app.example.com, https://ops.example.com:8443',
    ['https://app.example.com', 'https://ops.example.com:8443'],
  ],
])('reads %j as origins', (text, origins) => expect(baseConfig.WEB_ORIGINS.parse(text)).toEqual(origins));

test.each([
  '*',
  'null',
  'https://app.example.com/',
  'https://*.example.com',
  'app.example.com',
  'file:///a',
  'HTTPS://a',
])('refuses %j as an origin', (text) => expect(baseConfig.WEB_ORIGINS.safeParse(text).success).toBe(false));

test.each([
  ['production', 'read', 600],
  ['local', 'read', 10_000_000],
  [undefined, 'sign-in', 10_000_000],
  ['production, read=900/1m', 'read', 900],
  ['production,read=900/1m', 'write', 120],
] as const)('reads %j as limits', (text, name, calls) => {
  expect(baseConfig.LIMITS.parse(text).limits[name]).toMatchObject({ name, calls });
});

test.each([
  'none',
  'read=5/1m',
  'production,reads=5/1m',
  'production,read=5',
  'production,read=0/1m',
  'local,read=5/1d',
])('refuses %j as limits', (text) => expect(baseConfig.LIMITS.safeParse(text).success).toBe(false));
