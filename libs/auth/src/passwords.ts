import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { DomainError } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import { isEmailOf, normalised } from './common-passwords.ts';

const argon2Async = promisify(argon2);

/** OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane. */
const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
/** Half of libuv's four threads: a flood of sign-ins leaves files and DNS the others. */
const MAX_RUNNING = 2;
/** About two seconds' worth; whoever comes after that is told to come back. */
const MAX_WAITING = 100;

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
const phc = (salt: Buffer, tag: Buffer) =>
  `$argon2id$v=19$m=${PARAMETERS.memory},t=${PARAMETERS.passes},p=${PARAMETERS.parallelism}$${unpadded(salt)}$${unpadded(tag)}`;

/** What may stop a guess at a password, and hears of wrong ones, while it is the only one of its turn. */
export interface Gate {
  /** Throws when there have been too many guesses, those included that were waiting in line before this one. */
  admit(): Promise<void>;
  failed(): Promise<void>;
}

/** Argon2id hashes in PHC string format, off the event loop and a few at a time. */
@Injectable()
export class Passwords {
  /** How many hashes have been computed, are now, and were at most at the same time. */
  readonly computed = { total: 0, running: 0, mostRunning: 0 };
  private taken = 0;
  private readonly waiting: (() => void)[] = [];
  /** What a sign-in for an unknown account is compared with, so that it takes as long as for a known one. */
  private readonly nobodys = phc(randomBytes(16), randomBytes(32));

  /** @throws DomainError OVERLOADED, REQUEST_INVALID when the password is the account's own e-mail address */
  async hash(password: string, email: string): Promise<string> {
    if (isEmailOf(email, password))
      throw new DomainError('REQUEST_INVALID', 'the password must not be the e-mail address');
    const salt = randomBytes(16);
    return this.inTurn(async () => phc(salt, await this.derive(password, { ...PARAMETERS, nonce: salt })));
  }

  /**
   * `hash` is null for an account that doesn't exist: false, after the usual time.
   * @throws DomainError OVERLOADED, and what the gate throws
   */
  async verify(password: string, hash: string | null, gate?: Gate): Promise<boolean> {
    const match = PHC.exec(hash ?? this.nobodys);
    if (!match) throw new Error('a stored password hash is not an argon2id PHC string');
    const [, memory, passes, parallelism, salt, tag] = match;
    const expected = Buffer.from(tag!, 'base64');
    const parameters = {
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
      tagLength: expected.length,
      nonce: Buffer.from(salt!, 'base64'),
    };
    return this.inTurn(async () => {
      await gate?.admit();
      const isRight = timingSafeEqual(await this.derive(password, parameters), expected) && hash !== null;
      if (!isRight) await gate?.failed();
      return isRight;
    });
  }

  private async derive(password: string, parameters: typeof PARAMETERS & { nonce: Buffer }): Promise<Buffer> {
    const { computed } = this;
    computed.total++;
    computed.mostRunning = Math.max(computed.mostRunning, ++computed.running);
    try {
      return await argon2Async('argon2id', { ...parameters, message: normalised(password) });
    } finally {
      computed.running--;
    }
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.taken < MAX_RUNNING) this.taken++;
    else if (this.waiting.length >= MAX_WAITING) throw new DomainError('OVERLOADED', undefined, { retryAfterS: 2 });
    // Whoever leaves hands over its place, so `taken` stays as it is.
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.taken--;
    }
  }
}
