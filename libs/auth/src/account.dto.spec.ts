import { Email, firstName, Password, PersonName, Phone } from './account.dto.ts';
import { secretKeyVariable, trustedIssuersVariable } from './variables.ts';

describe('account fields', () => {
  it('have one spelling of an e-mail address', () => {
    expect(Email.parse(' Ann.Lee@Example.COM ')).toBe('ann.lee@example.com');
    expect(Email.parse('\uff41nn@example.com')).toBe('ann@example.com');
  });

  it.each([
    [Email, 'ann'],
    [Email, 'ann@'],
    [Email, `${'a'.repeat(250)}@example.com`],
    [Email, 'ann@example.com\u0000'],
    [Password, 'seven77'],
    [Password, 'x'.repeat(257)],
    // Four of what people count, although eight of what JavaScript does.
    [Password, '\u{1f695}'.repeat(4)],
    [Password, 'password'],
    [Password, 'PassWord123'],
    [Password, 'qwertyuiop'],
    [Password, '\uff50assword1'],
    [PersonName, '   '],
    [PersonName, 'Ann\u0000'],
    [PersonName, 'Ann\nLee'],
    [PersonName, 'x'.repeat(101)],
    [Phone, 'call me'],
    [Phone, '+49\u0000151'],
    [Phone, '1'],
  ])('refuse what is none (%#)', async (schema, value) => {
    expect((await schema.safeParseAsync(value)).success).toBe(false);
  });

  it.each([
    [Password, 'correct horse battery staple'],
    [Password, 'x'.repeat(128)],
    [Password, '\u{1f695}\u{1f6b2}'.repeat(4)],
    [PersonName, 'Zoë van der Berg-Łukasz'],
    [PersonName, '李小龍'],
    [Phone, '+49 151 2345678'],
    [Phone, '(030) 123-456'],
  ])('take what people have (%#)', async (schema, value) => {
    expect(await schema.parseAsync(value)).toBe(value);
  });

  it('give away the first name only', () => {
    expect(firstName(' Ann  Lee ')).toBe('Ann');
  });
});

describe('variables of the environment', () => {
  const issuer = { issuer: 'https://a.test', jwksUri: 'file:///jwks.json', roles: ['operator'] };

  it('list the trusted issuers, ES256 unless said otherwise', () => {
    expect(trustedIssuersVariable().parse(JSON.stringify([issuer]))).toEqual([{ ...issuer, algorithm: 'ES256' }]);
    expect(trustedIssuersVariable().parse('[]')).toEqual([]);
  });

  it.each([
    ['not JSON', '[{'],
    ['not a list', '{}'],
    ['a symmetric algorithm', JSON.stringify([{ ...issuer, algorithm: 'HS256' }])],
    ['no role', JSON.stringify([{ ...issuer, roles: [] }])],
    ['an unknown role', JSON.stringify([{ ...issuer, roles: ['admin'] }])],
    ['keys from nowhere', JSON.stringify([{ ...issuer, jwksUri: 'data:application/json,{}' }])],
    ['keys from two places', JSON.stringify([{ ...issuer, discovery: true }])],
    ['keys from no place', JSON.stringify([{ ...issuer, jwksUri: undefined }])],
    ['a name for a role that there is not', JSON.stringify([{ ...issuer, roleNames: { admin: 'admin' } }])],
    ['an unknown setting', JSON.stringify([{ ...issuer, secret: 'x' }])],
    ['the same issuer twice', JSON.stringify([issuer, issuer])],
  ])('refuse trusted issuers: %s', (_, text) => {
    expect(trustedIssuersVariable().safeParse(text).success).toBe(false);
  });

  it('hold keys of 32 bytes', () => {
    expect(secretKeyVariable().parse(Buffer.alloc(32, 7).toString('base64'))).toEqual(Buffer.alloc(32, 7));
    expect(secretKeyVariable().safeParse(Buffer.alloc(31).toString('base64')).success).toBe(false);
  });
});
