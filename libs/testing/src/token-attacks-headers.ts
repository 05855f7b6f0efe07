import { randomBytes, randomUUID } from 'node:crypto';
import { encode, hmac, signWith, strangers, type Make, type Sample } from './token-forge.ts';

const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
const spki = ({ forger }: Sample) => forger.publicKey.export({ type: 'spki', format: 'der' });
const pem = ({ forger }: Sample) => forger.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const jwk = ({ forger }: Sample) => forger.publicKey.export({ format: 'jwk' });
const strangerJwk = () => strangers().ec.publicKey.export({ format: 'jwk' });
const hs256 = (sample: Sample, secret: string | Buffer, changes: object = {}) =>
  hmac({ ...sample.header, alg: 'HS256', ...changes }, sample.claims, secret);
export const ALGORITHMS: Record<string, Make> = {
  ...Object.fromEntries(
    ['none', 'None', 'NONE', 'nOnE', ''].map((alg): [string, Make] => [
      `alg '${alg}', no signature`,
      ({ header, claims }) => `${encode({ ...header, alg })}.${encode(claims)}.`,
    ]),
  ),
  'alg none beside a good signature': (s) => `${encode({ ...s.header, alg: 'none' })}.${s.parts().slice(1).join('.')}`,
  'HMAC with the public key in PEM as secret': (s) => hs256(s, pem(s)),
  'HMAC with the public key in PEM, trimmed': (s) => hs256(s, pem(s).trim()),
  'HMAC with the public key in DER as secret': (s) => hs256(s, spki(s)),
  'HMAC with the public JWK as secret': (s) => hs256(s, JSON.stringify(jwk(s))),
  'HMAC with the kid as secret': (s) => hs256(s, s.forger.kid),
  'HMAC with an empty secret': (s) => hs256(s, ''),
  'HMAC-384 with the public key': (s) => hmac({ ...s.header, alg: 'HS384' }, s.claims, pem(s), 'sha384'),
  'HMAC-512 with the public key': (s) => hmac({ ...s.header, alg: 'HS512' }, s.claims, pem(s), 'sha512'),
  'RS256 where ES256 is pinned': (s) => s.by(strangers().rsa.privateKey, { alg: 'RS256' }),
  'RS256 in the header, ES256 in the signature': (s) => s.withHeader({ alg: 'RS256' }),
  'an RSA signature under ES256': (s) => s.by(strangers().rsa.privateKey),
  PS256: (s) => s.by(strangers().rsa.privateKey, { alg: 'PS256' }),
  ES384: (s) => s.by(strangers().p384.privateKey, { alg: 'ES384' }, 'sha384'),
  ES512: (s) => s.by(strangers().p521.privateKey, { alg: 'ES512' }, 'sha512'),
  ES256K: (s) => s.by(strangers().k256.privateKey, { alg: 'ES256K' }),
  EdDSA: (s) => s.by(strangers().ed.privateKey, { alg: 'EdDSA' }, null),
  'alg in lower case': (s) => s.withHeader({ alg: 'es256' }),
  'no alg': (s) => s.withHeader({ alg: undefined }),
  'alg null': (s) => s.withHeader({ alg: null }),
  'alg a list': (s) => s.withHeader({ alg: ['ES256'] }),
};

export const SIGNATURES: Record<string, Make> = {
  'signature stripped': (s) => `${s.parts().slice(0, 2).join('.')}.`,
  'signature stripped with its dot': (s) => s.parts().slice(0, 2).join('.'),
  'signature truncated': (s) => s.withSignature((bytes) => bytes.subarray(0, 63)),
  'signature extended': (s) => s.withSignature((bytes) => Buffer.concat([bytes, Buffer.of(0)])),
  'one bit of the signature flipped': (s) =>
    s.withSignature((bytes) => Buffer.concat([Buffer.of(bytes[0]! ^ 1), bytes.subarray(1)])),
  'a signature of zeros (CVE-2022-21449)': (s) => s.withSignature(() => Buffer.alloc(64)),
  "a signature of the curve's order": (s) => s.withSignature(() => Buffer.concat([ORDER, ORDER])),
  'a signature of noise': (s) => s.withSignature(() => randomBytes(64)),
  'a signature in DER': (s) => s.withSignature(() => Buffer.from('3006020101020101', 'hex')),
  "another token's signature": (s) =>
    `${s.parts().slice(0, 2).join('.')}.${s.withClaims({ jti: randomUUID() }).split('.')[2]}`,
  'a signature over the payload alone': (s) => {
    const [header, payload] = s.parts();
    return `${header}.${payload}.${signWith(strangers().ec.privateKey, payload)}`;
  },
  'another subject under the old signature': (s) => {
    const [header, , signature] = s.parts();
    return `${header}.${encode({ ...s.claims, sub: randomUUID() })}.${signature}`;
  },
  'another header under the old signature': (s) =>
    `${encode({ ...s.header, extra: 1 })}.${s.parts().slice(1).join('.')}`,
  "a stranger's signature under a known kid": (s) => s.by(strangers().ec.privateKey),
};

export const KIDS: Record<string, Make> = {
  "a stranger's key under its own kid": (s) => s.by(strangers().ec.privateKey, { kid: randomUUID() }),
  'no kid': (s) => s.withHeader({ kid: undefined }),
  ...Object.fromEntries(
    Object.entries({
      empty: '',
      null: null,
      'a number': 0,
      'a list': [''],
      'an object': { $ne: null },
      'in another case': (s: Sample) =>
        s.forger.kid.replace(/[a-z]/gi, (c) => (c < 'a' ? c.toLowerCase() : c.toUpperCase())),
      'with a NUL behind': (s: Sample) => `${s.forger.kid}\0`,
      'with white space': (s: Sample) => ` ${s.forger.kid}`,
      'of 10,000 characters': 'k'.repeat(3_000),
      __proto__: '__proto__',
      constructor: 'constructor',
      'with a line break': 'x\r\nset-cookie: a=b',
    }).map(([what, kid]): [string, Make] => [
      `kid ${what}`,
      (s) => s.withHeader({ kid: typeof kid === 'function' ? kid(s) : kid }),
    ]),
  ),
  ...Object.fromEntries(
    [
      '../../../../../../dev/null',
      '/dev/null',
      'file:///dev/null',
      '..%2f..%2fdev%2fnull',
      "' UNION SELECT 'secret' --",
      "x'; DROP TABLE issuer_keys; --",
      '$(cat /etc/passwd)',
      '{{7*7}}',
    ].map((kid): [string, Make] => [`kid ${kid}, with an empty secret`, (s) => hs256(s, '', { kid })]),
  ),
  'kid a path, signed by a stranger': (s) => s.by(strangers().ec.privateKey, { kid: '../../package.json' }),
};

export const KEY_SOURCES: Record<string, Make> = {
  'jwk of a stranger': (s) => s.by(strangers().ec.privateKey, { jwk: strangerJwk() }),
  'jwk of a stranger, no kid': (s) => s.by(strangers().ec.privateKey, { jwk: strangerJwk(), kid: undefined }),
  'jwk beside a good signature': (s) => s.withHeader({ jwk: jwk(s) }),
  'jku elsewhere': (s) => s.by(strangers().ec.privateKey, { jku: s.forger.bait }),
  'jku elsewhere, with the issuer as user': (s) =>
    s.by(strangers().ec.privateKey, { jku: s.forger.bait.replace('://', `://${new URL(s.forger.issuer).host}@`) }),
  'jku beside a good signature': (s) => s.withHeader({ jku: s.forger.bait }),
  'x5u elsewhere': (s) => s.by(strangers().ec.privateKey, { x5u: s.forger.bait }),
  'x5u a file': (s) => s.by(strangers().ec.privateKey, { x5u: 'file:///etc/ssl/cert.pem' }),
  'x5c of a stranger': (s) =>
    s.by(strangers().ec.privateKey, {
      x5c: [strangers().ec.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    }),
  'an issuer where the bait is': (s) =>
    s.forger.sign({ ...s.header, kid: randomUUID() }, { ...s.claims, iss: new URL(s.forger.bait).origin }),
};

export const EXTENSIONS: Record<string, Make> = {
  'crit of something known': (s) => s.withHeader({ crit: ['exp'], exp: s.claims.exp }),
  'crit of something unknown': (s) => s.withHeader({ crit: ['https://evil.test/x'], 'https://evil.test/x': true }),
  'crit empty': (s) => s.withHeader({ crit: [] }),
  'b64 false': (s) => s.withHeader({ b64: false, crit: ['b64'] }),
  'b64 false, not critical': (s) => s.withHeader({ b64: false }),
  'an unencoded payload': (s) => {
    const header = encode({ ...s.header, b64: false, crit: ['b64'] });
    return `${header}.${JSON.stringify(s.claims)}.${s.parts()[2]}`;
  },
  zip: (s) => s.withHeader({ zip: 'DEF' }),
  enc: (s) => s.withHeader({ enc: 'A128GCM' }),
  ...Object.fromEntries(
    [
      'JWT',
      'jwt',
      'AT+JWT',
      'at+jwt ',
      'dpop+jwt',
      'logout+jwt',
      'secevent+jwt',
      'JOSE',
      '',
      null,
      ['at+jwt'],
      undefined,
    ].map((typ): [string, Make] => [`typ ${JSON.stringify(typ)}`, (s) => s.withHeader({ typ })]),
  ),
};
