import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK, type JSONWebKeySet } from 'jose';
import { DataSource, Raw, type EntityManager, type FindOperator } from 'typeorm';
import { KEYS_FRESH_MS } from './issuer-keys.ts';
import { SigningKey } from './session.entities.ts';
import { SESSION_OPTIONS, type SessionOptions } from './session-options.ts';
import type { TrustedIssuer } from './variables.ts';

const generate = promisify(generateKeyPair);
/** Any number that nothing else in the database locks by: "sign" in ASCII. */
const GENERATION_LOCK = 0x7369676e;

/**
 * How long a new key is published before it signs. Longer than anybody holds a key set for fresh: whoever gets the
 * first token that it signs has had the time to learn of it.
 */
const LEAD_MS = 2 * KEYS_FRESH_MS;
/** For a replica that took the old key in the last moment, and has yet to sign with it. */
const RETIREMENT_MARGIN_MS = 60_000;

export interface SigningKeyPair {
  kid: string;
  alg: string;
  privateKey: KeyObject;
}

class SigningKeySealed extends Error {
  constructor(cause: unknown) {
    super('the signing key does not open: KEY_ENCRYPTION_KEY is not the one that sealed it', { cause });
  }
}

/** Those that sign now or have signed, and those that will. All times are the database's. */
const SIGNING = Raw((signsFrom) => `${signsFrom} <= now()`);
const NEXT = Raw((signsFrom) => `${signsFrom} > now()`);

/** The keys that this service signs with: made at the first start, kept encrypted, the same on every replica. */
@Injectable()
export class SigningKeys implements OnApplicationBootstrap {
  private opened?: SigningKeyPair;
  private readonly algorithm: TrustedIssuer['algorithm'];

  constructor(
    private readonly dataSource: DataSource,
    @Inject(SESSION_OPTIONS) private readonly options: SessionOptions,
  ) {
    this.algorithm = options.algorithm ?? 'ES256';
  }

  /** A key that can't be opened must stop the start, not the first sign-in; a database that is away just now must not. */
  async onApplicationBootstrap(): Promise<void> {
    await this.current().catch((error: unknown) => {
      if (error instanceof SigningKeySealed) throw error;
    });
  }

  /** The key that signs now: asked of the database each time, so that every replica goes over to the next at once. */
  async current(): Promise<SigningKeyPair> {
    const key = (await this.newest(this.dataSource.manager, SIGNING)) ?? (await this.createFirst());
    if (this.opened?.kid !== key.kid) this.opened = { kid: key.kid, alg: this.algorithm, privateKey: this.open(key) };
    return this.opened;
  }

  /** What verifies the tokens that are out there, and those of the next key. */
  async jwks(): Promise<JSONWebKeySet> {
    await this.current();
    return { keys: (await this.list()).map(({ publicJwk }) => publicJwk) };
  }

  /** Newest first. */
  list(): Promise<SigningKey[]> {
    return this.dataSource.getRepository(SigningKey).find({ order: { signsFrom: 'DESC' } });
  }

  /**
   * Publishes a key that will sign from when everybody knows it. While there is one that waits, that is the one: an
   * operator who asks again, or two of them, do one rotation.
   */
  async rotate(tx: EntityManager): Promise<SigningKey> {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [GENERATION_LOCK]);
    return (await this.newest(tx, NEXT)) ?? this.create(tx, this.options.signingKeyLeadMs ?? LEAD_MS);
  }

  /** Deletes keys whose last token has expired. */
  async retire(): Promise<void> {
    await this.dataSource.query(
      `DELETE FROM signing_keys WHERE kid IN (
         SELECT kid FROM (SELECT kid, lead(signs_from) OVER (ORDER BY signs_from) AS signed_until FROM signing_keys) AS keys
          WHERE signed_until < now() - make_interval(secs => $1))`,
      [(this.options.accessTokenTtlMs + RETIREMENT_MARGIN_MS) / 1_000],
    );
  }

  private newest(tx: EntityManager, signsFrom: FindOperator<Date>): Promise<SigningKey | null> {
    const publicJwk = Raw((jwk) => `${jwk} ->> 'alg' = :algorithm`, { algorithm: this.algorithm });
    return tx.findOne(SigningKey, { where: { signsFrom, publicJwk }, order: { signsFrom: 'DESC' } });
  }

  private createFirst(): Promise<SigningKey> {
    return this.dataSource.transaction(async (tx) => {
      // Replicas that start together must not each make a key.
      await tx.query('SELECT pg_advisory_xact_lock($1)', [GENERATION_LOCK]);
      return (await this.newest(tx, SIGNING)) ?? this.create(tx, 0);
    });
  }

  private open({ kid, sealedPrivateKey }: SigningKey): KeyObject {
    try {
      const pkcs8 = this.options.keyEncryptionKeys.openBare(sealedPrivateKey, kid);
      return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    } catch (cause) {
      throw new SigningKeySealed(cause);
    }
  }

  private async create(tx: EntityManager, leadMs: number): Promise<SigningKey> {
    const { publicKey, privateKey } =
      this.algorithm === 'ES256'
        ? await generate('ec', { namedCurve: 'P-256' })
        : await generate('rsa', { modulusLength: 2048 });
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    const [{ now }] = await tx.query<[{ now: Date }]>('SELECT now()');
    const key: SigningKey = {
      kid,
      publicJwk: { ...jwk, kid, alg: this.algorithm, use: 'sig' },
      sealedPrivateKey: this.options.keyEncryptionKeys.sealBare(pkcs8, kid),
      createdAt: now,
      signsFrom: new Date(now.getTime() + leadMs),
    };
    await tx.insert(SigningKey, key);
    return key;
  }
}
