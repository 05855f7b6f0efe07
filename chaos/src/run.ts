import { setTimeout as pause } from 'node:timers/promises';
import type { Link } from '@cabstand/testing';
import { FAIL_POINTS } from '../../libs/messaging/src/fail-point.ts';
import { Library } from './library.ts';
import { PLATFORM_FAULTS } from './platform-tally.ts';
import { planOf, type Fault, type LinkFault, type Plan } from './plan.ts';
import { Random } from './random.ts';
import { figuresOf, type Figure } from './report.ts';
import { Rides } from './rides.ts';
import { say } from './say.ts';
import { startServers, type Servers } from './servers.ts';
import { FAULTS } from './tally.ts';

/** The library and the platform on the same servers, both under way while everything below them fails. */
export class Run {
  readonly #plan: Plan;
  readonly #seed: number;
  readonly #limitMs: number;
  readonly #counts = { brokerKills: 0, serviceKills: 0, inTheirStep: 0, databaseFaults: 0, linkFaults: 0 };
  #servers: Servers | undefined;
  #starting: Promise<unknown> = Promise.resolve();
  #library: Library | undefined;
  #rides: Rides | undefined;

  /** @param limitMs when it is over, what is left of the plan is left out, and the run fails for that */
  constructor(mode: 'quick' | 'full', seed: number, limitMs: number) {
    this.#seed = seed;
    this.#limitMs = limitMs;
    this.#plan = planOf(mode, new Random(seed));
  }

  async execute(): Promise<Figure[]> {
    const { pairs, writers, separateDatabases } = this.#plan;
    this.#servers = await startServers(!separateDatabases);
    const { databases } = this.#servers;
    say(`servers: ${separateDatabases ? 'a PostgreSQL for each service' : 'one PostgreSQL'}, one RabbitMQ node`);
    const setting = { writers, pauseMs: 25, publisherUrl: databases.trip.url, consumerUrl: databases.passenger.url };
    const postgresUrls = { passenger: databases.passenger.url, driver: databases.driver.url, trip: databases.trip.url };
    // A generator each: what one asks for doesn't change what the other gets.
    const start = async () => {
      const library = (this.#library = await Library.start(setting, new Random(this.#seed + 1)));
      const rides = (this.#rides = await Rides.start(pairs, new Random(this.#seed + 2), { postgresUrls }));
      return { library, rides };
    };
    const starting = start();
    this.#starting = starting.catch(() => undefined);
    const { library, rides } = await starting;
    say(`workload: ${writers * 2} writers, 2 consumers; ${pairs} passengers with ${pairs} drivers`);
    const halfMs = this.#limitMs / 2;
    // One after the other: while the broker is down nobody's ride gets to the step that a kill waits for.
    await Promise.all([this.#killServices(rides, performance.now() + halfMs), this.#reachFailPoints(library)]);
    await this.#breakThings(rides, library, performance.now() + halfMs);
    return this.#addUp(library, rides);
  }

  async stop(): Promise<void> {
    // Interrupted in the middle of the start: what is half started has to be known before it can be ended.
    await this.#starting;
    await this.#library?.drop().catch((error: unknown) => say(String(error)));
    await this.#rides?.stop().catch((error: unknown) => say(String(error)));
    await this.#servers?.stop();
  }

  async #reachFailPoints(library: Library): Promise<void> {
    await library.reachAll((point) =>
      say(`library: ${library.reached.includes(point) ? 'died' : 'did NOT die'} at ${point}`),
    );
  }

  async #killServices(rides: Rides, until: number): Promise<void> {
    for (const kill of this.#plan.serviceKills) {
      if (performance.now() > until) return;
      if (await rides.kill(kill)) this.#counts.inTheirStep += 1;
      this.#counts.serviceKills += 1;
      say(`platform: killed ${kill.service} ${kill.afterMs} ms into "${kill.step}"`);
    }
  }

  async #breakThings(rides: Rides, library: Library, until: number): Promise<void> {
    for (const { afterMs, ...fault } of this.#plan.faults) {
      if (performance.now() > until) return;
      await pause(afterMs);
      await this.#commit(fault, rides, library);
    }
  }

  async #commit(fault: Fault, rides: Rides, library: Library): Promise<void> {
    const servers = this.#servers!;
    switch (fault.kind) {
      case 'broker':
        await servers.broker.kill();
        this.#counts.brokerKills += 1;
        return say('servers: killed RabbitMQ and started it again');
      case 'database':
        await servers.databases[fault.service].hurt(fault.fault, this.#plan.frozenMs);
        this.#counts.databaseFaults += 1;
        return say(`servers: ${fault.fault} of the ${fault.service} service's PostgreSQL`);
      case 'link': {
        const { to } = fault;
        const { publisher, consumer } = library.databases;
        const byDatabase = { passenger: [consumer.link], driver: [], trip: [publisher.link] };
        const links =
          to === 'broker'
            ? [rides.platform.broker.link, library.broker.link]
            : [rides.platform.databases[to].link, ...byDatabase[to]];
        await Promise.all(links.map((link) => this.#spoil(link, fault.fault)));
        this.#counts.linkFaults += 1;
        return say(`links: ${fault.fault} on the way to ${to === 'broker' ? 'RabbitMQ' : `${to}'s PostgreSQL`}`);
      }
    }
  }

  async #spoil(link: Link, fault: LinkFault): Promise<void> {
    switch (fault) {
      case 'latency':
        link.weather = { latencyMs: 150 };
        break;
      case 'throttling':
        link.weather = { bytesPerS: 20_000 };
        break;
      case 'blackhole':
        link.weather = { blackhole: true };
        break;
      case 'reset':
        return link.reset();
      case 'half-open':
        return link.halfOpen();
    }
    await pause(this.#plan.linkBadMs);
    link.weather = {};
  }

  async #addUp(library: Library, rides: Rides): Promise<Figure[]> {
    say('everything is mended: the rest is drained');
    const [tally, platform] = await Promise.all([library.finish(), rides.finish()]);
    for (const complaint of platform.complaints.slice(0, 10)) say(`platform: ${complaint}`);
    const planned = (kind: Fault['kind']) => this.#plan.faults.filter((fault) => fault.kind === kind).length;
    const done: [string, number, number][] = [
      ['broker kills', this.#counts.brokerKills, planned('broker')],
      ['service kills', this.#counts.serviceKills, this.#plan.serviceKills.length],
      ['database faults', this.#counts.databaseFaults, planned('database')],
      ['link faults', this.#counts.linkFaults, planned('link')],
      ['fail points that a process died at', library.reached.length, FAIL_POINTS.length],
    ];
    return [
      { name: 'service kills in the step that they waited for', value: this.#counts.inTheirStep, unit: '' },
      ...done
        .filter(([, , atLeast]) => atLeast > 0)
        .map(([name, value, atLeast]): Figure => ({ name, value, unit: '', atLeast, isPlan: true })),
      { name: 'library: committed at all', value: tally.committed, unit: '', atLeast: 1_000 },
      ...figuresOf('library', tally, FAULTS),
      ...figuresOf('platform', platform, PLATFORM_FAULTS),
    ];
  }
}
