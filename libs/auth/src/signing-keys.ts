import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK, type JSONWebKeySet } from 'jose';
import { DataSource } from 'typeorm';
import { seal, unseal } from './sealed-box.ts';
import { SigningKey } from './session.entities.ts';
import { SESSION_OPTIONS, type SessionOptions } from './session-options.ts';

const generate = promisify(generateKeyPair);
/** Any number that nothing else in the database locks by: "sign" in ASCII. */
const GENERATION_LOCK = 0x7369676e;

export interface SigningKeyPair {
  kid: string;
  privateKey: KeyObject;
}

class SigningKeySealed extends Error {
  constructor(cause: unknown) {
    super('the signing key does not open: KEY_ENCRYPTION_KEY is not the one that sealed it', { cause });
  }
}

/** The keys that this service signs with: made at the first start, kept encrypted, the same on every replica. */
@Injectable()
export class SigningKeys implements OnApplicationBootstrap {
  private loading?: Promise<SigningKeyPair>;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(SESSION_OPTIONS) private readonly options: SessionOptions,
  ) {}

  /** A key that can't be opened must stop the start, not the first sign-in; a database that is away just now must not. */
  async onApplicationBootstrap(): Promise<void> {
    await this.current().catch((error: unknown) => {
      if (error instanceof SigningKeySealed) throw error;
    });
  }

  /** The key that signs now. */
  current(): Promise<SigningKeyPair> {
    this.loading ??= this.loadOrCreate().catch((error: unknown) => {
      this.loading = undefined;
      throw error;
    });
    return this.loading;
  }

  /** What verifies the tokens that are out there: every key there is. */
  async jwks(): Promise<JSONWebKeySet> {
    await this.current();
    const keys = await this.dataSource.getRepository(SigningKey).find({ order: { createdAt: 'DESC' } });
    return { keys: keys.map(({ publicJwk }) => publicJwk) };
  }

  private async loadOrCreate(): Promise<SigningKeyPair> {
    const newest = await this.dataSource.transaction(async (tx) => {
      // Replicas that start together must not each make a key.
      await tx.query('SELECT pg_advisory_xact_lock($1)', [GENERATION_LOCK]);
      const [existing] = await tx.getRepository(SigningKey).find({ order: { createdAt: 'DESC' }, take: 1 });
      if (existing) return existing;
      const created = await this.create();
      await tx.getRepository(SigningKey).insert(created);
      return created;
    });
    return { kid: newest.kid, privateKey: this.open(newest) };
  }

  private open({ kid, sealedPrivateKey }: SigningKey): KeyObject {
    try {
      const pkcs8 = unseal(this.options.keyEncryptionKey, sealedPrivateKey, kid);
      return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    } catch (cause) {
      throw new SigningKeySealed(cause);
    }
  }

  private async create(): Promise<SigningKey> {
    const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    return {
      kid,
      publicJwk: { ...jwk, kid, alg: 'ES256', use: 'sig' },
      sealedPrivateKey: seal(this.options.keyEncryptionKey, privateKey.export({ format: 'der', type: 'pkcs8' }), kid),
      createdAt: new Date(),
    };
  }
}
