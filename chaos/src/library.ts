import { mkdirSync, readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createTestBroker, createTestDatabase, type TestBroker, type TestDatabase } from '@cabstand/testing';
import { query } from '../../apps/e2e/src/agreement.ts';
import { FAIL_POINTS, type FailPoint } from '../../libs/messaging/src/fail-point.ts';
import type { Random } from './random.ts';
import { buildReplica, ReplicaProcess } from './replica-process.ts';
import { FOLDER } from './servers.ts';
import { bindTap, publicationsOf } from './tap.ts';
import { tallyOf, type Evidence, type Tally } from './tally.ts';

export interface LibrarySetting {
  writers: number;
  /** Between two transactions of one writer, on average. */
  pauseMs: number;
  publisherUrl: string;
  consumerUrl: string;
}

const DIES_WITHIN_MS = 30_000;
const RESTS_WITHIN_MS = 120_000;

/**
 * The library alone: two replicas write rows with events in one transaction, two give each event one effect in
 * another database, while whoever runs this breaks things.
 */
export class Library {
  readonly broker: TestBroker;
  readonly databases: { publisher: TestDatabase; consumer: TestDatabase };
  readonly publishers: ReplicaProcess[];
  readonly consumers: ReplicaProcess[];
  /** Fail points at which a process has died. */
  readonly reached: FailPoint[] = [];
  readonly #journals: string[];
  readonly #random: Random;

  private constructor(parts: Pick<Library, 'broker' | 'databases' | 'publishers' | 'consumers'>, random: Random) {
    this.broker = parts.broker;
    this.databases = parts.databases;
    this.publishers = parts.publishers;
    this.consumers = parts.consumers;
    this.#journals = parts.publishers.map(({ name }) => journalOf(name));
    this.#random = random;
  }

  static async start(setting: LibrarySetting, random: Random): Promise<Library> {
    const folder = join(FOLDER, 'library');
    mkdirSync(folder, { recursive: true });
    const [broker, publisher, consumer, file] = await Promise.all([
      createTestBroker(),
      createTestDatabase('trip', setting.publisherUrl),
      createTestDatabase('passenger', setting.consumerUrl),
      buildReplica(join(folder, 'replica')),
    ]);
    await bindTap(broker);
    const replica = (service: 'trip' | 'passenger', index: number) => {
      const name = `${service}-${index}`;
      return new ReplicaProcess(
        name,
        file,
        {
          service,
          databaseUrl: (service === 'trip' ? publisher : consumer).url,
          amqpUrl: broker.urlFor(service),
          journal: journalOf(name),
          seed: random.between(1, 1e9),
          writers: service === 'trip' ? setting.writers : 0,
          pauseMs: setting.pauseMs,
          migrate: false,
        },
        join(FOLDER, 'logs'),
      );
    };
    const publishers = [0, 1].map((index) => replica('trip', index));
    const consumers = [0, 1].map((index) => replica('passenger', index));
    await Promise.all([publishers[0]!.migrate(), consumers[0]!.migrate()]);
    await query(publisher.url, 'CREATE TABLE subjects (id uuid PRIMARY KEY, sequence int NOT NULL)');
    await query(publisher.url, 'CREATE TABLE facts (token uuid PRIMARY KEY, poison boolean NOT NULL)');
    // Nothing unique here: an effect that happens twice has to show.
    await query(consumer.url, 'CREATE TABLE effects (token uuid NOT NULL)');
    const library = new Library({ broker, databases: { publisher, consumer }, publishers, consumers }, random);
    await library.#startAll();
    return library;
  }

  get replicas(): ReplicaProcess[] {
    return [...this.publishers, ...this.consumers];
  }

  /** Lets a process die at each fail point once, those of either side in an order of the seed's choice. */
  async reachAll(onReached: (point: FailPoint) => void): Promise<void> {
    const order = this.#random.shuffled(FAIL_POINTS).map((point) => ({ point, nth: this.#random.between(1, 3) }));
    const reachEach = async (side: ReplicaProcess[], points: typeof order) => {
      const [armed] = side;
      // The others have to go: they might hold the outbox's partitions, or take all the messages.
      await Promise.all(side.map((replica) => replica.kill()));
      for (const { point, nth } of points) {
        if (await this.#reach(armed!, point, nth)) this.reached.push(point);
        onReached(point);
      }
      await Promise.all(side.map((replica) => replica.start()));
    };
    await Promise.all([
      reachEach(
        this.publishers,
        order.filter(({ point }) => isPublishers(point)),
      ),
      reachEach(
        this.consumers,
        order.filter(({ point }) => !isPublishers(point)),
      ),
    ]);
  }

  /** Ends the writing, waits until everything has come to rest, and adds up. */
  async finish(): Promise<Tally> {
    await this.#startAll();
    for (const publisher of this.publishers) publisher.quiet();
    const deadline = Date.now() + RESTS_WITHIN_MS;
    let evidence = await this.#evidence();
    let calmRounds = 0;
    // Twice the same: an event may be between two places while both are looked at.
    while (calmRounds < 3 && Date.now() < deadline) {
      await pause(500);
      const next = await this.#evidence();
      const moves =
        next.effects.length + next.deadLetters.length - evidence.effects.length - evidence.deadLetters.length;
      calmRounds = next.stuck === 0 && moves === 0 ? calmRounds + 1 : 0;
      evidence = next;
    }
    const stops = await Promise.all(this.replicas.map((replica) => replica.stop()));
    const unclean = stops.filter(({ code }) => code !== 0).length;
    evidence.publications = (await publicationsOf(this.broker)).map(({ payload, subject, sequence }) => ({
      token: String(payload.passengerId),
      subject,
      sequence,
    }));
    const tally = tallyOf(evidence);
    return { ...tally, stuck: tally.stuck + unclean };
  }

  async drop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.kill()));
    await Promise.all([this.broker.drop(), this.databases.publisher.drop(), this.databases.consumer.drop()]);
  }

  /** Once more when it took too long: what leads there is left to chance. */
  async #reach(replica: ReplicaProcess, point: FailPoint, nth: number): Promise<boolean> {
    for (const count of [nth, 1, 1]) {
      await replica.start(`${point}:${count}`);
      if (await replica.diesWithin(DIES_WITHIN_MS)) return true;
      await replica.kill();
    }
    return false;
  }

  async #startAll(): Promise<void> {
    await Promise.all(this.replicas.filter((replica) => !replica.isRunning).map((replica) => replica.start()));
  }

  async #evidence(): Promise<Evidence> {
    const [publisher, consumer] = [this.databases.publisher.url, this.databases.consumer.url];
    const [facts, outbox, effects, dead, waiting] = await Promise.all([
      query<{ token: string; poison: boolean }>(publisher, 'SELECT token, poison FROM facts'),
      query<{ count: number }>(publisher, 'SELECT count(*)::int FROM outbox'),
      query<{ token: string }>(consumer, 'SELECT token FROM effects'),
      query<{ token: string }>(
        consumer,
        `SELECT convert_from(body, 'UTF8')::json->>'passengerId' AS token FROM dead_letters`,
      ),
      waitingMessages(this.broker),
    ]);
    const noted = this.#journals.flatMap(linesOf);
    const tokensOf = (what: string) =>
      new Set(noted.filter((line) => line.startsWith(`${what} `)).map((line) => line.slice(what.length + 1)));
    return {
      attempted: tokensOf('attempted'),
      acknowledged: tokensOf('acknowledged'),
      committed: new Set(facts.map(({ token }) => token)),
      poison: new Set(facts.filter(({ poison }) => poison).map(({ token }) => token)),
      publications: [],
      effects: effects.map(({ token }) => token),
      deadLetters: dead.map(({ token }) => token),
      stuck: outbox[0]!.count + waiting,
    };
  }
}

const isPublishers = (point: FailPoint) => /^(transaction|relay)\./.test(point);
const journalOf = (name: string) => join(FOLDER, 'library', `${name}.journal`);
const linesOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []);

/** What the consumer still has before it, in its work queue, its retry queues and its dead queue. */
async function waitingMessages({ vhost, management }: TestBroker): Promise<number> {
  const queues = await management.get<{ name: string; messages?: number }[]>(
    `/api/queues/${encodeURIComponent(vhost)}`,
  );
  return queues
    .filter(({ name }) => name.startsWith('passenger.trip-events'))
    .reduce((sum, { messages }) => sum + (messages ?? 1), 0);
}
