import { setTimeout as pause } from 'node:timers/promises';
import { Cluster } from './cluster.ts';
import { Library } from './library.ts';
import { say } from './say.ts';
import { Random } from './random.ts';
import { figuresOf, type Figure } from './report.ts';
import { DatabaseServer } from './servers.ts';
import { FAULTS } from './tally.ts';

const SINGLE_KILLS = 9;
/** Two of three at once: no majority, nothing is confirmed until one is back. */
const DOUBLE_KILLS = 2;

/** The library's workload on a cluster whose nodes are killed: here a confirm means a majority. */
export class ClusterRun {
  readonly #random: Random;
  #cluster: Cluster | undefined;
  #database: DatabaseServer | undefined;
  #library: Library | undefined;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  async execute(): Promise<Figure[]> {
    const kills = this.#random.shuffled([
      ...Array<number>(SINGLE_KILLS).fill(1),
      ...Array<number>(DOUBLE_KILLS).fill(2),
    ]);
    [this.#cluster, this.#database] = await Promise.all([Cluster.start(), DatabaseServer.start('postgres')]);
    const { url } = this.#database;
    process.env.CABSTAND_TEST_RUNTIME = JSON.stringify({ postgresUrl: url, ...this.#cluster.urls });
    say('servers: one PostgreSQL, a cluster of three RabbitMQ nodes');
    const setting = { writers: 3, pauseMs: 25, publisherUrl: url, consumerUrl: url };
    this.#library = await Library.start(setting, this.#random);
    let nodeKills = 0;
    for (const count of kills) {
      await pause(this.#random.between(1_000, 4_000));
      const victims = this.#random.shuffled(this.#cluster.members).slice(0, count);
      for (const victim of victims) this.#cluster.kill(victim);
      await pause(this.#random.between(0, 5_000));
      await this.#cluster.revive(...victims);
      nodeKills += count;
      say(`servers: killed ${victims.map(({ name }) => name).join(' and ')} and started again`);
    }
    say('everything is mended: the rest is drained');
    const tally = await this.#library.finish();
    return [
      { name: 'node kills', value: nodeKills, unit: '', atLeast: SINGLE_KILLS + 2 * DOUBLE_KILLS, isPlan: true },
      { name: 'library: committed at all', value: tally.committed, unit: '', atLeast: 1_000 },
      ...figuresOf('library', tally, FAULTS),
    ];
  }

  async stop(): Promise<void> {
    await this.#library?.drop().catch((error: unknown) => say(String(error)));
    await Promise.all([this.#cluster?.stop(), this.#database?.stop()]);
  }
}
