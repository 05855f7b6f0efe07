/** Who follows what, in this process: streams under the id of what they tell of. */
export class Followers<Follower> {
  readonly #of = new Map<string, Set<Follower>>();

  /** Each id that is followed. */
  get ids(): string[] {
    return [...this.#of.keys()];
  }

  /** Returns what ends it. */
  add(id: string, follower: Follower): () => void {
    const ofId = this.#of.get(id) ?? new Set();
    this.#of.set(id, ofId.add(follower));
    return () => {
      ofId.delete(follower);
      if (ofId.size === 0) this.#of.delete(id);
    };
  }

  of(id: string): Iterable<Follower> {
    return this.#of.get(id) ?? [];
  }
}
