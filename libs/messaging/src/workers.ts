/** Longest waits for company: beside a batch that is being handled, and otherwise. An idle service never waits. */
const LINGER_MS = { batched: 40, usual: 5 };
/** Batches that take less may grow. */
const QUICK_MS = 10;
const FULL_BATCHES = 2;
/** So many at once mean load. */
const LOADED = 8;

export interface Job {
  /** Not to be handled together with others: it was, and they failed. */
  alone: boolean;
  /** May be what takes the process down: handled with nothing else under way, so that nothing else suffers. */
  readonly suspect: boolean;
}

/**
 * Handles what arrives: at once while idle, and otherwise what has gathered meanwhile, together. So batches form
 * only where there is a backlog; how large they may become is found out by how they fare.
 */
export class Workers<T extends Job> {
  private readonly waiting: T[] = [];
  private readonly suspects: T[] = [];
  private busy = 0;
  private exclusive = false;
  private limit: number;
  private loaded = false;
  private linger: NodeJS.Timeout | undefined;
  private starting: NodeJS.Immediate | undefined;

  /** @param handle returns the jobs that are to be handled again. Never rejects. */
  constructor(
    private readonly concurrency: number,
    private readonly largest: number,
    private readonly handle: (jobs: T[]) => Promise<T[]>,
  ) {
    this.limit = largest;
  }

  add(job: T): void {
    (job.suspect ? this.suspects : this.waiting).push(job);
    // In one chunk from the network are many: they are read before the first of them is begun.
    if ((this.busy === 0 && !this.loaded) || this.isEnough()) {
      this.starting ??= setImmediate(() => this.start());
    } else this.wait();
  }

  private wait(): void {
    this.linger ??= setTimeout(() => this.start(), this.loaded && this.busy > 0 ? LINGER_MS.batched : LINGER_MS.usual);
  }

  private start(): void {
    clearImmediate(this.starting);
    clearTimeout(this.linger);
    this.starting = this.linger = undefined;
    if (this.exclusive) return;
    if (this.suspects.length > 0) {
      if (this.busy > 0) return;
      this.exclusive = true;
      // In another order after each crash: the one that causes them doesn't always take the same ones with it.
      return this.run(this.suspects.splice(Math.floor(Math.random() * this.suspects.length), 1));
    }
    while (this.waiting[0]?.alone && this.busy < this.concurrency) this.run(this.waiting.splice(0, 1));
    if (this.waiting.length === 0 || this.busy >= this.concurrency) return;
    const firstAlone = this.waiting.findIndex(({ alone }) => alone);
    this.run(this.waiting.splice(0, Math.min(this.limit, firstAlone === -1 ? Infinity : firstAlone)));
    if (this.waiting.length === 0) return;
    if (this.isEnough()) this.start();
    else this.wait();
  }

  /** Slow handlers run beside each other; for quick ones a second batch while the first one commits is enough. */
  private isEnough(): boolean {
    return this.limit === 1 || (this.busy < FULL_BATCHES && this.waiting.length >= this.limit);
  }

  private run(jobs: T[]): void {
    this.busy++;
    const startedAt = performance.now();
    void this.handle(jobs).then((again) => {
      this.busy--;
      this.exclusive = false;
      this.waiting.unshift(...again);
      // As many as there was time for, or a quarter of what failed, and growing again with each that went quickly.
      if (jobs.length > 1 && again.length === jobs.length) this.limit = Math.max(1, this.limit >> 2);
      else if (again.length > 0) this.limit = jobs.length - again.length;
      else if (performance.now() - startedAt < QUICK_MS) this.limit = Math.min(this.largest, this.limit * 2);
      this.loaded = jobs.length >= LOADED;
      clearTimeout(this.linger);
      this.linger = undefined;
      if (this.waiting.length === 0 && this.suspects.length === 0) return;
      if (this.loaded && again.length === 0 && this.waiting.length < this.limit) this.wait();
      else this.start();
    });
  }
}
