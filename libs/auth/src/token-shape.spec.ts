import { claimedIssuer, readShape, TOKEN_MAX_BYTES } from './token-shape.ts';

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const HEADER = { alg: 'ES256', typ: 'at+jwt', kid: 'k1' };
const PAYLOAD = { iss: 'https://a.test' };
const SIGNATURE = part('signature');
const token = (header: unknown = HEADER, payload: unknown = PAYLOAD) => `${part(header)}.${part(payload)}.${SIGNATURE}`;

describe('the shape of a token', () => {
  it('is read', () => {
    expect(readShape(token())).toEqual({ kid: 'k1', alg: 'ES256', issuer: 'https://a.test' });
    const spaced = `{ "alg" : "ES256", "kid":"k\\"1{", "typ":"at+jwt", "ours": [{"a":1}, {"a":1}, "a"] }`;
    expect(readShape(token(spaced, '{"iss":"https://a.test","address":{"iss":1},"s":"\\"iss\\":"}'))).toEqual({
      kid: 'k"1{',
      alg: 'ES256',
      issuer: 'https://a.test',
    });
  });

  it.each([
    ['empty', ''],
    ['no dots', 'abc'],
    ['two parts', `${part(HEADER)}.${part(PAYLOAD)}`],
    ['four parts', `${token()}.${SIGNATURE}`],
    ['five parts (JWE)', `${token()}.${SIGNATURE}.${SIGNATURE}`],
    ['no signature', `${part(HEADER)}.${part(PAYLOAD)}.`],
    ['padding', `${part(HEADER)}.${part(PAYLOAD)}.YQ==`],
    ['plain base64 alphabet', `${part(HEADER)}.${part(PAYLOAD)}.+/+/`],
    ['white space', `${part(HEADER)}.${part(PAYLOAD)}. ${SIGNATURE}`],
    ['bits behind the last byte', `${part(HEADER)}.${part(PAYLOAD)}.YR`],
    ['an impossible length', `${part(HEADER)}.${part(PAYLOAD)}.YWFhY`],
    ['too long', token(HEADER, { ...PAYLOAD, filler: 'x'.repeat(TOKEN_MAX_BYTES) })],
    ['a header that is not JSON', `${part('{')}.${part(PAYLOAD)}.${SIGNATURE}`],
    ['a header that is an array', token([])],
    ['a header that is null', token('null')],
    ['a payload that is a string', token(HEADER, '"x"')],
    ['invalid UTF-8', `${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${part(PAYLOAD)}.${SIGNATURE}`],
    ['a header said twice', token('{"alg":"ES256","kid":"k1","typ":"at+jwt","alg":"none"}')],
    ['a claim said twice', token(HEADER, '{"iss":"https://a.test","sub":"a","sub":"b"}')],
    ['a claim said twice, once in escapes', token(HEADER, '{"iss":"https://a.test","\\u0069ss":"https://b.test"}')],
    ['a claim said twice further in', token(HEADER, '{"iss":"https://a.test","x":[{"a":{"b":1,"b":2}}]}')],
    ['a byte order mark', token(HEADER, '\ufeff{"iss":"https://a.test"}')],
    ['typ in capitals', token({ ...HEADER, typ: 'AT+JWT' })],
    ['typ JWT', token({ ...HEADER, typ: 'JWT' })],
    ['no typ', token({ alg: 'ES256', kid: 'k1' })],
    ['no kid', token({ alg: 'ES256', typ: 'at+jwt' })],
    ['an empty kid', token({ ...HEADER, kid: '' })],
    ['a kid that is a number', token({ ...HEADER, kid: 1 })],
    ['a long kid', token({ ...HEADER, kid: 'k'.repeat(201) })],
    ['no alg', token({ typ: 'at+jwt', kid: 'k1' })],
    ['no issuer', token(HEADER, {})],
    ['two issuers', token(HEADER, { iss: ['https://a.test'] })],
    ...['jwk', 'jku', 'x5c', 'x5u', 'crit', 'b64', 'zip', 'enc'].map((name) => [
      name,
      token({ ...HEADER, [name]: [] }),
    ]),
  ])('is refused: %s', (_, text) => {
    expect(readShape(text)).toBeNull();
  });

  it('is read in time that grows with its length only', () => {
    const hostile = token(HEADER, `{"iss":"${'\\\\'.repeat(2_000)}","a":${'['.repeat(500)}${']'.repeat(500)}}`);
    const startedAt = performance.now();
    for (let i = 0; i < 100; i++) readShape(hostile);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe('the claimed issuer', () => {
  const trusted = [
    { issuer: 'https://a.test', jwksUri: 'https://a.test/jwks', algorithm: 'ES256' as const, roles: [] },
  ];
  const claimed = { kid: 'k1', alg: 'ES256', issuer: 'https://a.test' };

  it('is one of the trusted ones, with the algorithm that is pinned for it', () => {
    expect(claimedIssuer(claimed, trusted)).toBe(trusted[0]);
  });

  it.each([
    ['another issuer', { ...claimed, issuer: 'https://b.test' }],
    ['a trailing slash', { ...claimed, issuer: 'https://a.test/' }],
    ['another case', { ...claimed, issuer: 'https://A.test' }],
    ['no signature', { ...claimed, alg: 'none' }],
    ['a shared secret', { ...claimed, alg: 'HS256' }],
    ['another asymmetric algorithm', { ...claimed, alg: 'RS256' }],
    ['another spelling', { ...claimed, alg: 'es256' }],
  ])('is refused: %s', (_, changed) => {
    expect(claimedIssuer(changed, trusted)).toBeNull();
  });
});
