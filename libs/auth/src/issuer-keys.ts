import { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DomainError, type ServiceName } from '@cabstand/contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  jwksCache,
  type CryptoKey,
  type JSONWebKeySet,
  type JWKSCacheInput,
} from 'jose';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IssuerKeySet } from './auth.entities.ts';
import { SigningKey } from './session.entities.ts';
import type { TrustedIssuer } from './variables.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export const AUTH_OPTIONS = Symbol('cabstand:auth-options');

export interface AuthOptions {
  /** This service, as it is named in `aud`. */
  audience: ServiceName;
  trustedIssuers: readonly TrustedIssuer[];
  /** At most one fetch for unknown `kid`s in this time, whatever the flood. */
  keyFetchCooldownMs?: number;
  keyFetchTimeoutMs?: number;
  /** Keys older than this are fetched again, in the background: they go on verifying meanwhile. */
  keysFreshMs?: number;
}

/** Less than a new key is published before it signs, see SigningKeys. */
export const KEYS_FRESH_MS = 60_000;
/** How soon an issuer that could not be reached is tried again when no key of it is known. */
const RETRY_AFTER_MS = 1_000;

type RemoteKeys = ReturnType<typeof createRemoteJWKSet>;
interface IssuerState {
  remote: RemoteKeys;
  cache: KeptKeys;
  /** When the last attempt failed; undefined after one that didn't. */
  failedAtMs?: number;
}

/** What `jose` holds: it writes here in the moment in which a set that it has fetched takes effect. */
class KeptKeys {
  uat?: number;
  private set?: JSONWebKeySet;

  constructor(
    kept: IssuerKeySet | null,
    private readonly changed: () => void,
  ) {
    this.set = kept?.jwks;
    this.uat = kept?.fetchedAt.getTime();
  }

  get jwks(): JSONWebKeySet | undefined {
    return this.set;
  }

  set jwks(next: JSONWebKeySet) {
    const isOther = JSON.stringify(next) !== JSON.stringify(this.set);
    this.set = next;
    if (isOther) this.changed();
  }
}

/**
 * The public keys of the trusted issuers. `jose` fetches, holds and picks them; this class adds where they
 * come from (`http(s):`, by way of the issuer's OpenID configuration or not, `file:`, or `own:` = this service's own
 * signing keys), and keeps the last good set in the database.
 */
@Injectable()
export class IssuerKeys {
  private readonly states = new Map<string, Promise<IssuerState>>();
  private readonly keyObjects = new WeakMap<CryptoKey, KeyObject>();
  private readonly log = new Logger(IssuerKeys.name);
  private readonly cooldownMs: number;
  private readonly timeoutMs: number;
  private readonly freshMs: number;

  constructor(
    private readonly dataSource: DataSource,
    private readonly verified: VerifiedTokens,
    @Inject(AUTH_OPTIONS) options: AuthOptions,
  ) {
    this.cooldownMs = options.keyFetchCooldownMs ?? 30_000;
    this.timeoutMs = options.keyFetchTimeoutMs ?? 3_000;
    this.freshMs = options.keysFreshMs ?? KEYS_FRESH_MS;
  }

  /**
   * The issuer's key of that id.
   * @throws DomainError TOKEN_INVALID when the issuer has no such key, ISSUER_UNAVAILABLE when it can't be asked
   */
  async find(issuer: TrustedIssuer, kid: string): Promise<KeyObject> {
    const state = await this.stateOf(issuer);
    const ageMs = Date.now() - (state.cache.uat ?? 0);
    if (state.cache.jwks && ageMs > this.freshMs && !state.remote.reloading && !this.justFailed(state, this.cooldownMs))
      state.remote.reload().catch(() => undefined);
    try {
      const key = await state.remote({ alg: issuer.algorithm, kid });
      let keyObject = this.keyObjects.get(key);
      if (!keyObject) this.keyObjects.set(key, (keyObject = KeyObject.from(key)));
      return keyObject;
    } catch (error) {
      // While the issuer can't be reached an unknown key may well be its new one.
      const unreachable = state.failedAtMs !== undefined;
      if (unreachable) throw new DomainError('ISSUER_UNAVAILABLE', undefined, { retryAfterS: 2, cause: error });
      if (error instanceof errors.JOSEError) throw new DomainError('TOKEN_INVALID', undefined, { cause: error });
      throw error;
    }
  }

  private stateOf(issuer: TrustedIssuer): Promise<IssuerState> {
    let state = this.states.get(issuer.issuer);
    if (!state) {
      state = this.open(issuer);
      this.states.set(issuer.issuer, state);
      // A database that was away must not be remembered as the answer.
      state.catch(() => this.states.delete(issuer.issuer));
    }
    return state;
  }

  private async open(issuer: TrustedIssuer): Promise<IssuerState> {
    const kept = await this.dataSource.getRepository(IssuerKeySet).findOneBy({ issuer: issuer.issuer });
    const cache = new KeptKeys(kept, () => this.verified.clear());
    const state: IssuerState = {
      cache,
      remote: createRemoteJWKSet(new URL(issuer.jwksUri ?? configurationUrl(issuer)), {
        // Never refused for age: see KEYS_FRESH_MS.
        cacheMaxAge: Infinity,
        cooldownDuration: this.cooldownMs,
        timeoutDuration: this.timeoutMs,
        [jwksCache]: cache as JWKSCacheInput,
        [customFetch]: (url, init) => this.fetch(issuer, state, url, init),
      }),
    };
    return state;
  }

  private async fetch(issuer: TrustedIssuer, state: IssuerState, url: string, init: RequestInit): Promise<Response> {
    if (this.justFailed(state, state.cache.jwks ? this.cooldownMs : RETRY_AFTER_MS))
      throw new Error(`the keys of ${issuer.issuer} could not be fetched a moment ago`);
    try {
      const jwks = await this.read(issuer, url, init);
      if (!url.startsWith('own:'))
        await this.dataSource
          .getRepository(IssuerKeySet)
          .upsert({ issuer: issuer.issuer, jwks, fetchedAt: new Date() }, ['issuer']);
      state.failedAtMs = undefined;
      return Response.json(jwks);
    } catch (error) {
      state.failedAtMs = Date.now();
      this.log.warn({ event: 'issuer-keys.fetch-failed', issuer: issuer.issuer, err: error });
      throw error;
    }
  }

  private async read(issuer: TrustedIssuer, url: string, init: RequestInit): Promise<JSONWebKeySet> {
    const jwks: unknown = url.startsWith('own:')
      ? { keys: (await this.dataSource.getRepository(SigningKey).find()).map(({ publicJwk }) => publicJwk) }
      : url.startsWith('file:')
        ? JSON.parse(await readFile(new URL(url), 'utf8'))
        : await fetchJson(issuer.discovery ? await discover(issuer, init) : url, init);
    if (!isKeySet(jwks)) throw new Error('that is not a JWKS');
    return jwks;
  }

  private justFailed = (state: IssuerState, withinMs: number) =>
    state.failedAtMs !== undefined && Date.now() - state.failedAtMs < withinMs;
}

/** OpenID Connect Discovery 1.0, section 4: the issuer's path stays before it. */
const configurationUrl = ({ issuer }: TrustedIssuer) => `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;

const Configuration = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** @throws Error when the configuration is another issuer's, or sends us from https to where anybody can answer */
async function discover(issuer: TrustedIssuer, init: RequestInit): Promise<string> {
  const { issuer: named, jwks_uri } = Configuration.parse(await fetchJson(configurationUrl(issuer), init));
  const isSafe = !issuer.issuer.startsWith('https:') || jwks_uri.startsWith('https:');
  if (named !== issuer.issuer || !isSafe) throw new Error('that is not its OpenID configuration');
  return jwks_uri;
}

async function fetchJson(url: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, init);
  if (response.status !== 200) throw new Error(`answered ${response.status}`);
  return response.json();
}

/** At least one key: an issuer that publishes none is broken, and would lock everybody out. */
const isKeySet = (value: unknown): value is JSONWebKeySet =>
  typeof value === 'object' &&
  value !== null &&
  'keys' in value &&
  Array.isArray(value.keys) &&
  value.keys.length > 0 &&
  value.keys.every((key) => typeof key === 'object' && key !== null);
