import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  definitionsOf,
  findRabbitmqServer,
  freePort,
  installationAccounts,
  isPortInUse,
  isRunning,
  Management,
  secret,
  spawnRecorded,
  stopProcess,
  tailOf,
  type ProcessRecord,
} from '../../infra/index.ts';
import { Balancer } from './balancer.ts';
import { FOLDER } from './servers.ts';

const STARTS_WITHIN_MS = 180_000;

interface Member {
  name: string;
  dir: string;
  amqpPort: number;
  managementPort: number;
  distPort: number;
  record: ProcessRecord | undefined;
}

/** Three nodes of the installed RabbitMQ that form a cluster, behind one address. */
export class Cluster {
  readonly members: Member[];
  readonly #dir: string;
  readonly #epmdPort: number;
  #epmd: ProcessRecord | undefined;
  #balancers: { amqp: Balancer; management: Balancer } | undefined;

  private constructor(dir: string, epmdPort: number, members: Member[]) {
    this.#dir = dir;
    this.#epmdPort = epmdPort;
    this.members = members;
  }

  static async start(): Promise<Cluster> {
    const dir = join(FOLDER, 'cluster');
    const members = await Promise.all(
      [1, 2, 3].map(async (index): Promise<Member> => {
        const [amqpPort, managementPort, distPort] = await Promise.all([freePort(), freePort(), freePort()]);
        return {
          name: `rabbit${index}`,
          dir: join(dir, `rabbit${index}`),
          amqpPort,
          managementPort,
          distPort,
          record: undefined,
        };
      }),
    );
    const cluster = new Cluster(dir, await freePort(), members);
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** By way of a balancer, because a client knows one address only. */
  get urls(): { amqpUrl: string; managementUrl: string } {
    const { vhost } = this.#accounts;
    const { amqp, management } = this.#balancers!;
    return {
      amqpUrl: `amqp://${this.#credentials}@127.0.0.1:${amqp.port}/${encodeURIComponent(vhost)}`,
      managementUrl: `http://${this.#credentials}@127.0.0.1:${management.port}`,
    };
  }

  kill(member: Member): void {
    process.kill(Number(readFileSync(join(member.dir, 'pid'), 'utf8')), 'SIGKILL');
  }

  /** The start of one that was killed, until it is a member again. */
  async revive(...members: Member[]): Promise<void> {
    for (const { record } of members) if (record) await stopProcess(record, { graceMs: 10_000 });
    // Together: of two that went down, the first to come back may wait for the other.
    for (const member of members) await this.#launch(member);
    for (const member of members) await this.#untilReady(member);
  }

  async stop(): Promise<void> {
    this.#balancers?.amqp.stop();
    this.#balancers?.management.stop();
    await Promise.all(this.members.flatMap(({ record }) => (record ? [stopProcess(record, { graceMs: 10_000 })] : [])));
    if (this.#epmd) await stopProcess(this.#epmd);
  }

  get #accounts() {
    return installationAccounts(this.#dir);
  }

  get #credentials(): string {
    const { name, password } = this.#accounts.admin;
    return `${name}:${password}`;
  }

  async #start(): Promise<void> {
    const args = ['-port', String(this.#epmdPort), '-address', '127.0.0.1'];
    this.#epmd = (await spawnRecorded({ dir: this.#dir, name: 'epmd', command: 'epmd', args })).record;
    for (const member of this.members) {
      this.#configure(member);
      await this.#launch(member);
      // One after the other: each finds those before it, and joins them.
      await this.#untilReady(member);
    }
    this.#balancers = {
      amqp: await Balancer.before(this.members.map(({ amqpPort }) => amqpPort)),
      management: await Balancer.before(this.members.map(({ managementPort }) => managementPort)),
    };
    const nodes = await new Management(this.urls.managementUrl).get<{ running: boolean }[]>('/api/nodes');
    if (nodes.filter(({ running }) => running).length !== 3) throw new Error('the nodes did not form a cluster');
  }

  #configure({ dir, amqpPort, managementPort }: Member): void {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // Queues are declared when all three are there, so that each has three replicas.
    const { users, vhosts, permissions } = definitionsOf(this.#accounts);
    const isAdmin = (name: string) => name === this.#accounts.admin.name;
    const definitions = {
      users: users.filter(({ name }) => isAdmin(name)),
      vhosts,
      permissions: permissions.filter(({ user }) => isAdmin(user)),
    };
    writeFileSync(join(dir, 'definitions.json'), JSON.stringify(definitions), { mode: 0o600 });
    const settings = [
      `listeners.tcp.1 = 127.0.0.1:${amqpPort}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${managementPort}`,
      `load_definitions = ${join(dir, 'definitions.json')}`,
      'cluster_formation.peer_discovery_backend = classic_config',
      ...this.members.map(
        ({ name }, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}@localhost`,
      ),
      'cluster_partition_handling = pause_minority',
      'disk_free_limit.absolute = 200MB',
      'log.console.level = warning',
      'log.file = false',
      'log.console = true',
      'collect_statistics_interval = 1000',
    ];
    writeFileSync(join(dir, 'rabbitmq.conf'), `${settings.join('\n')}\n`);
    writeFileSync(join(dir, 'enabled_plugins'), '[rabbitmq_management].\n');
    writeFileSync(join(dir, 'empty-env.conf'), '');
    writeFileSync(join(dir, '.erlang.cookie'), secret(this.#dir, 'erlang-cookie'), { mode: 0o400 });
  }

  async #launch(member: Member): Promise<void> {
    const command = findRabbitmqServer();
    if (!command) throw new Error('rabbitmq-server is not installed');
    const { name, dir, distPort } = member;
    const inherited = Object.entries(process.env).filter(([variable]) => !/^(RABBITMQ|ERL)_/.test(variable));
    const env = {
      ...Object.fromEntries(inherited),
      HOME: dir,
      ERL_EPMD_PORT: String(this.#epmdPort),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      detached: '1',
      RABBITMQ_NODENAME: `${name}@localhost`,
      RABBITMQ_DIST_PORT: String(distPort),
      RABBITMQ_CONF_ENV_FILE: join(dir, 'empty-env.conf'),
      RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
      RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
      RABBITMQ_LOG_BASE: join(this.#dir, 'logs'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_PID_FILE: join(dir, 'pid'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
        '-kernel inet_dist_use_interface {127,0,0,1} -rabbit quorum_tick_interval 1000',
    };
    member.record = (await spawnRecorded({ dir: this.#dir, name, command, args: [], env })).record;
  }

  async #untilReady({ name, amqpPort, managementPort, record }: Member): Promise<void> {
    const management = new Management(`http://${this.#credentials}@127.0.0.1:${managementPort}`);
    const deadline = Date.now() + STARTS_WITHIN_MS;
    while (!((await isPortInUse(amqpPort)) && (await management.isReady()))) {
      if ((record && !isRunning(record)) || Date.now() > deadline)
        throw new Error(`${name} did not start:\n${tailOf(join(this.#dir, 'logs', `${name}.log`), 40)}`);
      await pause(100);
    }
  }
}
