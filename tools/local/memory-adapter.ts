import type { Adapter, AdapterPayload } from 'oidc-provider';

/**
 * What the identity provider remembers, as long as it runs: its own store in memory would tell everybody at each start
 * that it isn't for production. One operator's few sign-ins; each entry goes when it ends.
 */
export class MemoryAdapter implements Adapter {
  static readonly #entries = new Map<string, AdapterPayload>();
  readonly #kind: string;

  constructor(kind: string) {
    this.#kind = kind;
  }

  async upsert(id: string, payload: AdapterPayload, expiresInS: number): Promise<void> {
    MemoryAdapter.#entries.set(this.#key(id), payload);
    setTimeout(() => void this.destroy(id), expiresInS * 1_000).unref();
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return MemoryAdapter.#entries.get(this.#key(id));
  }

  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.uid === uid);
  }

  findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.userCode === userCode);
  }

  async consume(id: string): Promise<void> {
    const payload = await this.find(id);
    if (payload) payload.consumed = Math.floor(Date.now() / 1_000);
  }

  async destroy(id: string): Promise<void> {
    MemoryAdapter.#entries.delete(this.#key(id));
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [key, payload] of MemoryAdapter.#entries)
      if (payload.grantId === grantId) MemoryAdapter.#entries.delete(key);
  }

  #key(id: string): string {
    return `${this.#kind} ${id}`;
  }

  async #findBy(fits: (payload: AdapterPayload) => boolean): Promise<AdapterPayload | undefined> {
    for (const [key, payload] of MemoryAdapter.#entries)
      if (key.startsWith(`${this.#kind} `) && fits(payload)) return payload;
    return undefined;
  }
}
