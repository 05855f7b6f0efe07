import { createHmac, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';

/** Whoever can sign as an issuer that the service under test trusts; from this, bad tokens are made. */
export interface Forger {
  issuer: string;
  /** The service under test. */
  audience: string;
  kid: string;
  publicKey: KeyObject;
  /** Signs with ES256 whatever it is given: a text is taken as it is, anything else as JSON. */
  sign(header: unknown, claims: unknown): string;
  /** Where nobody may ever ask for a key. */
  bait: string;
}

/** What is sent: the values of `Authorization` headers, and perhaps a query string or other headers. */
export interface Attack {
  authorization: string[];
  query?: string;
  headers?: Record<string, string>;
}

export type Make = (sample: Sample) => string | Attack;

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** JWS takes ECDSA signatures as two numbers side by side. */
export const signWith = (key: KeyObject, input: string, hash: string | null = 'sha256'): string =>
  sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');

export const hmac = (header: unknown, claims: unknown, secret: string | Buffer, hash = 'sha256'): string => {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
};

/** The object's JSON with a member written once more, before all others. */
export const twice = (object: object, name: string, first: unknown = 'first'): string =>
  `{${JSON.stringify(name)}:${JSON.stringify(first)},${JSON.stringify(object).slice(1)}`;

const makeStrangers = () => ({
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  k256: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed: generateKeyPairSync('ed25519'),
});
let made: ReturnType<typeof makeStrangers> | undefined;

/** Keys that nobody trusts, of each kind that a token's header can name. Made when they are needed: RSA takes long. */
export const strangers = () => (made ??= makeStrangers());

/** What the attacks change: a token that is good, and its parts. */
export class Sample {
  readonly header: { alg: string; typ: string; kid: string };
  readonly claims;
  readonly forger: Forger;

  constructor(forger: Forger) {
    const now = this.now();
    this.forger = forger;
    this.header = { alg: 'ES256', typ: 'at+jwt', kid: forger.kid };
    this.claims = {
      iss: forger.issuer,
      sub: randomUUID(),
      aud: [forger.audience],
      exp: now + 300,
      iat: now,
      jti: randomUUID(),
      client_id: 'test',
      sid: randomUUID(),
      role: 'operator',
    };
  }

  now = (): number => Math.floor(Date.now() / 1_000);

  good(): string {
    return this.forger.sign(this.header, this.claims);
  }

  /** Signed as it should be, with another header. */
  withHeader(changes: object): string {
    return this.forger.sign({ ...this.header, ...changes }, this.claims);
  }

  /** Signed as it should be, with other claims. */
  withClaims(changes: object): string {
    return this.forger.sign(this.header, { ...this.claims, ...changes });
  }

  /** Signed by somebody else. */
  by(key: KeyObject, changes: object = {}, hash: string | null = 'sha256'): string {
    const input = `${encode({ ...this.header, ...changes })}.${encode(this.claims)}`;
    return `${input}.${signWith(key, input, hash)}`;
  }

  parts(): [header: string, payload: string, signature: string] {
    return this.good().split('.') as [string, string, string];
  }

  withSignature(change: (signature: Buffer) => Buffer): string {
    const [header, payload, signature] = this.parts();
    return `${header}.${payload}.${change(Buffer.from(signature, 'base64url')).toString('base64url')}`;
  }
}
