import { encode, strangers, twice, type Make, type Sample } from './token-forge.ts';

const without = (object: object, name: string) => ({ ...object, [name]: undefined });
const strangerJwk = () => strangers().ec.publicKey.export({ format: 'jwk' });
/** Another spelling of the same bytes: the bits behind the last byte are set. */
const noncanonical = (part: string) =>
  part.length % 4 === 0 ? `${part}=` : part.slice(0, -1) + String.fromCharCode(part.charCodeAt(part.length - 1) + 1);

export const ENCODINGS: Record<string, Make> = {
  padding: (s) => `${s.good()}==`,
  'padding inside': (s) =>
    s
      .parts()
      .map((part) => `${part}=`)
      .join('.'),
  'the alphabet of plain base64': (s) =>
    `${s.parts().slice(0, 2).join('.')}.${Buffer.alloc(64, 0xfb).toString('base64')}`,
  'bits behind the signature': (s) =>
    s
      .parts()
      .map((part, i) => (i === 2 ? noncanonical(part) : part))
      .join('.'),
  'bits behind the payload': (s) =>
    s
      .parts()
      .map((part, i) => (i === 1 ? noncanonical(part) : part))
      .join('.'),
  'a line break inside': (s) => s.good().replace('.', '.%0a'),
  'a dot before': (s) => `.${s.good()}`,
  'a dot behind': (s) => `${s.good()}.`,
  'four parts': (s) => `${s.good()}.${encode('x')}`,
  'a JWE': (s) =>
    [
      encode({ alg: 'dir', enc: 'A128GCM', typ: 'at+jwt', kid: s.forger.kid }),
      '',
      encode('iv'),
      encode(s.good()),
      encode('tag'),
    ].join('.'),
  'a JWE to our public key': (s) =>
    [
      encode({ alg: 'ECDH-ES', enc: 'A256GCM', kid: s.forger.kid, epk: strangerJwk(), cty: 'JWT' }),
      encode('key'),
      encode('iv'),
      encode(s.good()),
      encode('tag'),
    ].join('.'),
  'a JWE of three parts': (s) => s.forger.sign({ ...s.header, alg: 'dir', enc: 'A128GCM' }, s.good()),
  'a token in a token': (s) => s.forger.sign({ ...s.header, cty: 'JWT' }, s.good()),
  'JSON serialisation': (s) => {
    const [header, payload, signature] = s.parts();
    return JSON.stringify({ protected: header, payload, signature });
  },
  'a byte order mark': (s) => s.forger.sign(s.header, `\ufeff${JSON.stringify(s.claims)}`),
  'a header that is a list': (s) => s.forger.sign([s.header], s.claims),
  'a header that is null': (s) => s.forger.sign('null', s.claims),
  'a payload that is a list': (s) => s.forger.sign(s.header, [s.claims]),
  'a payload that is no JSON': (s) => s.forger.sign(s.header, 'iss=x'),
  'something behind the payload': (s) => s.forger.sign(s.header, `${JSON.stringify(s.claims)}{}`),
  'an empty payload': (s) => s.forger.sign(s.header, ''),
  'a payload of endless depth': (s) => s.forger.sign(s.header, `${'['.repeat(2_500)}${']'.repeat(2_500)}`),
  'text that is no token': () => 'x'.repeat(100),
  '12 KB': (s) => s.withClaims({ filler: 'x'.repeat(8_500) }),
  ...Object.fromEntries(
    ['alg', 'kid', 'typ'].map((name): [string, Make] => [
      `the header ${name} twice`,
      (s) => s.forger.sign(twice(s.header, name), s.claims),
    ]),
  ),
  ...Object.fromEntries(
    ['iss', 'sub', 'aud', 'exp', 'role', 'sid'].map((name): [string, Make] => [
      `the claim ${name} twice`,
      (s) => s.forger.sign(s.header, twice(s.claims, name)),
    ]),
  ),
  'a claim twice, once in escapes': (s) =>
    s.forger.sign(s.header, `{"\\u0072ole":"passenger",${JSON.stringify(s.claims).slice(1)}`),
  'a claim twice, further in': (s) =>
    s.forger.sign(s.header, `{"x":[{"a":1,"a":2}],${JSON.stringify(s.claims).slice(1)}`),
};

/** Bad values of one claim each: a function gets the sample. */
const CLAIM_VALUES: Record<string, unknown[]> = {
  iss: [
    undefined,
    null,
    '',
    0,
    [],
    'https://evil.test',
    (s: Sample) => `${s.claims.iss}/`,
    (s: Sample) => s.claims.iss.toUpperCase(),
    (s: Sample) => [s.claims.iss],
    (s: Sample) => `${s.claims.iss}.evil.test`,
    (s: Sample) => s.claims.iss.replace('://', '://evil.test@'),
  ],
  aud: [
    undefined,
    null,
    '',
    [],
    'web',
    0,
    {},
    (s: Sample) => `${s.forger.audience}.evil`,
    (s: Sample) => s.forger.audience.toUpperCase(),
    (s: Sample) => [[s.forger.audience]],
    (s: Sample) => ({ [s.forger.audience]: true }),
    (s: Sample) => `${s.forger.audience} web`,
  ],
  sub: [undefined, null, '', 7, [], {}, 'x'.repeat(300)],
  exp: [
    undefined,
    null,
    0,
    -1,
    '',
    true,
    [],
    9e12,
    1e300,
    (s: Sample) => s.now(),
    (s: Sample) => s.now() - 1,
    (s: Sample) => String(s.claims.exp),
    (s: Sample) => s.claims.exp * 1_000,
    (s: Sample) => [s.claims.exp],
  ],
  nbf: [null, '', true, (s: Sample) => s.now() + 120, (s: Sample) => String(s.now())],
  iat: [
    undefined,
    null,
    '',
    (s: Sample) => s.now() + 3_600,
    (s: Sample) => String(s.now()),
    (s: Sample) => s.now() + 0.5,
  ],
  jti: [undefined, '', 7, null],
  client_id: [undefined, '', 7, null],
  role: [undefined, null, '', 'admin', 'OPERATOR', 'operator ', ['operator'], { operator: true }, 'operator,driver'],
  sid: [7, [], {}, null],
};

export const CLAIMS: Record<string, Make> = Object.fromEntries(
  Object.entries(CLAIM_VALUES).flatMap(([claim, values]) =>
    values.map((value): [string, Make] => [
      `${claim} ${
        typeof value === 'function'
          ? value
              .toString()
              .replace(/^\(s\) ?=>/, '')
              .replace(/\s+/g, '')
          : (JSON.stringify(value)?.slice(0, 40) ?? 'left out')
      }`,
      (s) =>
        value === undefined
          ? s.forger.sign(s.header, without(s.claims, claim))
          : s.withClaims({ [claim]: typeof value === 'function' ? (value as (sample: Sample) => unknown)(s) : value }),
    ]),
  ),
);

const bearer = (s: Sample) => `Bearer ${s.good()}`;
export const PRESENTATIONS: Record<string, Make> = {
  'no token': () => ({ authorization: [] }),
  'in the query': (s) => ({ authorization: [], query: `access_token=${s.good()}` }),
  'in the query as well': (s) => ({ authorization: [bearer(s)], query: `access_token=${s.good()}` }),
  'two headers, both good': (s) => ({ authorization: [bearer(s), bearer(s)] }),
  'two headers, the first good': (s) => ({ authorization: [bearer(s), 'Bearer x'] }),
  'two headers, the second good': (s) => ({ authorization: ['Basic YTpi', bearer(s)] }),
  'two tokens in one header': (s) => ({ authorization: [`${bearer(s)}, ${bearer(s)}`] }),
  'two words': (s) => ({ authorization: [`${bearer(s)} x`] }),
  'no scheme': (s) => ({ authorization: [s.good()] }),
  'another scheme': (s) => ({ authorization: [`Token ${s.good()}`] }),
  DPoP: (s) => ({ authorization: [`DPoP ${s.good()}`] }),
  'Basic, as password': (s) => ({ authorization: [`Basic ${Buffer.from(`x:${s.good()}`).toString('base64')}`] }),
  'an empty scheme': () => ({ authorization: ['Bearer '] }),
  'a scheme and no space': (s) => ({ authorization: [`Bearer${s.good()}`] }),
  'in a cookie': (s) => ({ authorization: [], headers: { cookie: `access_token=${s.good()}` } }),
  'in a header of its own': (s) => ({ authorization: [], headers: { 'x-access-token': s.good() } }),
  'in Proxy-Authorization': (s) => ({ authorization: [], headers: { 'proxy-authorization': bearer(s) } }),
};
