import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attack, goodToken, TOKEN_ATTACKS } from './token-attacks.ts';
import type { TestIssuer } from './tokens.ts';

export interface AttackedService {
  /** Of a route that operators may read. */
  url: string;
  /** It may grant `operator` there. */
  issuer: TestIssuer;
  /** The service as it is named in `aud`. */
  audience: string;
}

/**
 * Declares the tests that every token attack is refused by a running service: 401, saying how to authenticate, and
 * nobody is ever asked for a key that a token names.
 */
export function describeTokenAttacks(service: () => AttackedService): void {
  let bait: Server;
  let asked = 0;
  beforeAll(async () => {
    bait = createServer((_, response) => {
      asked++;
      response.end('{"keys":[]}');
    });
    await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => bait.close());
  const forger = () => {
    const { issuer, audience } = service();
    return issuer.forger(audience, `http://127.0.0.1:${(bait.address() as AddressInfo).port}/keys`);
  };

  describe(`${TOKEN_ATTACKS.length} token attacks`, () => {
    it('begin from a token that is good', async () => {
      const token = goodToken(forger());
      expect((await attack(service().url, { authorization: [`Bearer ${token}`] })).status).toBe(200);
    });

    it.each(TOKEN_ATTACKS)('%s', async (_, make) => {
      const { status, challenge, body } = await attack(service().url, make(forger()));
      expect({ status, challenge, code: (JSON.parse(body) as { code: string }).code }).toEqual({
        status: 401,
        challenge: expect.stringMatching(/^Bearer( error="invalid_token")?$/) as string,
        code: expect.stringMatching(/^TOKEN_(INVALID|MISSING)$/) as string,
      });
    });

    it('64 KB: refused before it is read', async () => {
      const make = () => ({ authorization: [`Bearer ${'x'.repeat(64 * 1024)}`] });
      expect((await attack(service().url, make())).status).toBe(431);
    });

    it('asked nobody for a key that a token names', () => {
      expect(asked).toBe(0);
    });
  });
}
