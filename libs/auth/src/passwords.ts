import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { DomainError } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';

const argon2Async = promisify(argon2);

/** OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane. */
const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
/** Half of libuv's four threads: a flood of sign-ins leaves files and DNS the others. */
const MAX_RUNNING = 2;
/** About two seconds' worth; whoever comes after that is told to come back. */
const MAX_WAITING = 100;

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');

/** Argon2id hashes in PHC string format, off the event loop and a few at a time. */
@Injectable()
export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  /** What a sign-in for an unknown account is compared with, so that it takes as long as for a known one. */
  private readonly nobodys = `$argon2id$v=19$m=${PARAMETERS.memory},t=${PARAMETERS.passes},p=${PARAMETERS.parallelism}$${unpadded(randomBytes(16))}$${unpadded(randomBytes(32))}`;

  /** @throws DomainError OVERLOADED */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(16);
    const tag = await this.derive(password, { ...PARAMETERS, nonce: salt });
    return `$argon2id$v=19$m=${PARAMETERS.memory},t=${PARAMETERS.passes},p=${PARAMETERS.parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
  }

  /**
   * `hash` is null for an account that doesn't exist: false, after the usual time.
   * @throws DomainError OVERLOADED
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const match = PHC.exec(hash ?? this.nobodys);
    if (!match) throw new Error('a stored password hash is not an argon2id PHC string');
    const [, memory, passes, parallelism, salt, tag] = match;
    const expected = Buffer.from(tag!, 'base64');
    const actual = await this.derive(password, {
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
      tagLength: expected.length,
      nonce: Buffer.from(salt!, 'base64'),
    });
    return timingSafeEqual(actual, expected) && hash !== null;
  }

  private async derive(password: string, parameters: typeof PARAMETERS & { nonce: Buffer }): Promise<Buffer> {
    await this.enter();
    try {
      // The same passphrase typed on another keyboard may be other code points (RFC 8265 would say NFC; NIST allows NFKC).
      return await argon2Async('argon2id', { ...parameters, message: password.normalize('NFKC') });
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    }
  }

  private async enter(): Promise<void> {
    if (this.running < MAX_RUNNING) {
      this.running++;
      return;
    }
    if (this.waiting.length >= MAX_WAITING) throw new DomainError('OVERLOADED', undefined, { retryAfterS: 2 });
    // Whoever leaves hands over its place, so `running` stays as it is.
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}
