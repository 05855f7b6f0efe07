import { Passwords } from './passwords.ts';

describe('passwords', () => {
  const EMAIL = 'ann.lee@example.com';
  const passwords = new Passwords();

  it('are kept as salted argon2id in PHC string format', async () => {
    const [first, second] = await Promise.all([
      passwords.hash('correct horse', EMAIL),
      passwords.hash('correct horse', EMAIL),
    ]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(first).not.toBe(second);
    await expect(passwords.verify('correct horse', first)).resolves.toBe(true);
    await expect(passwords.verify('correct horsf', first)).resolves.toBe(false);
  });

  it('are verified as the reference implementation does, with the parameters they were hashed with', async () => {
    // From test.c of https://github.com/P-H-C/phc-winner-argon2.
    const hash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    await expect(passwords.verify('password', hash)).resolves.toBe(true);
    await expect(passwords.verify('password', hash.replace('t=2', 't=1'))).resolves.toBe(false);
  });

  it('may be typed in any Unicode spelling', async () => {
    const composed = await passwords.hash('caf\u00e9 \ufb01ve', EMAIL);
    await expect(passwords.verify('cafe\u0301 five', composed)).resolves.toBe(true);
  });

  it('may be long, and every character counts', async () => {
    const long = 'x'.repeat(255);
    const hash = await passwords.hash(`${long}a`, EMAIL);
    await expect(passwords.verify(`${long}b`, hash)).resolves.toBe(false);
  });

  it('are refused for nobody, after the work that somebody costs', async () => {
    const usage = process.cpuUsage();
    const before = passwords.computed.total;
    await expect(passwords.verify('correct horse', null)).resolves.toBe(false);
    expect(passwords.computed.total - before).toBe(1);
    const { user } = process.cpuUsage(usage);
    // 19 MiB twice over takes tens of milliseconds; a comparison that is skipped takes none.
    expect(user).toBeGreaterThan(5_000);
  });

  it('are hashed a few at a time, and not without bound', async () => {
    const { computed } = passwords;
    computed.mostRunning = 0;
    const before = computed.total;
    const flood = Array.from({ length: 150 }, () => passwords.verify('x', null));
    const results = await Promise.allSettled(flood);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(48);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'OVERLOADED', retryAfterS: 2 });
    expect({ ...computed, total: computed.total - before }).toEqual({ total: 102, running: 0, mostRunning: 2 });
    await expect(passwords.verify('x', null)).resolves.toBe(false);
    // A hundred hashes, on however busy a machine.
  }, 60_000);

  it.each(['ann.lee@example.com', 'Ann.Lee@Example.com', 'ann.lee', '\uff21nn.lee'])(
    'are not what everybody knows of the account: %s',
    async (password) => {
      await expect(passwords.hash(password, EMAIL)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    },
  );
});
