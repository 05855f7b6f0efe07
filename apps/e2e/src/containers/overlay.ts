import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SERVICES } from '@cabstand/contracts';
import { eventually, Link } from '@cabstand/testing';
import {
  ensureServiceDatabases,
  ROOT,
  secret,
  startTestRuntime,
  type ContainerEngine,
} from '../../../../infra/index.ts';
import { render } from '../../../../k8s/src/kustomize.ts';
import type { KubernetesObject } from '../../../../k8s/src/objects.ts';
import type { ServiceUrls } from '../../../../tools/client/api.ts';
import { perService, type PerService } from '../per-service.ts';

interface Deployment extends KubernetesObject {
  spec: { template: { spec: PodSpec } };
}
interface Secret extends KubernetesObject {
  stringData: Record<string, string>;
}
interface PodSpec {
  containers: { livenessProbe?: object; startupProbe?: object; readinessProbe?: object; ports?: object }[];
}

const NETWORK = 'cabstand-test';
/** What has a Deployment of ours. */
export const PODS = [...SERVICES, 'web'] as const;
export type PodName = (typeof PODS)[number];
const PORTS: Record<PodName, { http: number; ready: string }> = {
  passenger: { http: 3001, ready: '9101/readyz' },
  driver: { http: 3002, ready: '9102/readyz' },
  trip: { http: 3003, ready: '9103/readyz' },
  web: { http: 4200, ready: '4200/livez' },
};
/** Services of the overlay that lead to servers of this machine here, and the ports that they are asked for. */
const SERVERS = { postgres: 5432, amqp: 5672, management: 15672 };

/**
 * What of the overlay Podman plays. The rest is a cluster's, and replaced where pods need it:
 *
 * - Services: `hostAliases` have their names, and lead to the pods and to PostgreSQL and RabbitMQ, which run on this
 *   machine in place of their StatefulSets;
 * - Secrets: Podman 4.3 writes a played one as YAML and reads it as JSON, so it is given them by `podman secret`;
 * - `restartPolicy`: "Always" goes for init containers too there, and those that have ended well;
 * - probes, which it would run by systemd, with a program in the container that isn't there;
 * - ports, which it would open on this machine, where they may be in use: pods are asked at their own addresses;
 * - what it passes over in a Deployment: `preStop`, `topologySpreadConstraints`, `fsGroup`, and how to roll out.
 */
const PLAYED = ['ConfigMap', 'Deployment'];

/** The local overlay of `k8s/` as Podman runs it, with the Secrets of `k8s/local-secrets.ts`. */
export class PlayedOverlay {
  /** As this machine reaches the services. */
  readonly urls: ServiceUrls;
  readonly pagesUrl: string;
  /** The databases, by a way that doesn't go through a container. */
  readonly databases: PerService<{ url: string }>;
  readonly #engine: ContainerEngine;
  readonly #addresses: Record<PodName, string>;
  readonly #closers: (() => Promise<void>)[];

  private constructor(
    engine: ContainerEngine,
    databases: PerService<{ url: string }>,
    gateway: string,
    closers: (() => Promise<void>)[],
  ) {
    this.#engine = engine;
    this.databases = databases;
    this.#closers = closers;
    this.#addresses = Object.fromEntries(PODS.map((pod, index) => [pod, addressOf(gateway, 11 + index)])) as Record<
      PodName,
      string
    >;
    const urlOf = (pod: PodName) => `http://${this.#addresses[pod]}:${PORTS[pod].http}`;
    this.urls = perService(urlOf);
    this.pagesUrl = urlOf('web');
  }

  /** Starts the servers and plays the overlay; answers once every pod is ready. */
  static async play(engine: ContainerEngine): Promise<PlayedOverlay> {
    const dir = join(engine.folder, 'installation');
    const { stop, ...runtime } = await startTestRuntime(dir);
    const closers = [stop];
    try {
      const urls = await ensureServiceDatabases(runtime.postgresUrl, (service) => secret(dir, `postgres-${service}`));
      const gateway = await makeNetwork(engine);
      const servers = { postgres: runtime.postgresUrl, amqp: runtime.amqpUrl, management: runtime.managementUrl };
      for (const [server, url] of Object.entries(servers) as [keyof typeof SERVERS, string][]) {
        const link = await Link.to(url, { host: gateway, port: SERVERS[server] });
        closers.unshift(() => link.stop());
      }
      const overlay = new PlayedOverlay(
        engine,
        perService((service) => ({ url: urls[service] })),
        gateway,
        closers,
      );
      const objects = [...render('local'), ...(await localSecrets(dir))];
      for (const pod of PODS) await overlay.#play(pod, gateway, objects);
      await Promise.all(PODS.map((pod) => overlay.untilReady(pod)));
      return overlay;
    } catch (error) {
      for (const close of closers) await close();
      throw error;
    }
  }

  /** The container in the pod, as Podman names it. */
  containerOf = (pod: PodName) => `${pod}-pod-0-${pod}`;

  async untilReady(pod: PodName): Promise<void> {
    const url = `http://${this.#addresses[pod]}:${PORTS[pod].ready}`;
    const look = async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      // A connection with an answer that nobody has read is not noticed to be dead, and gets the next request.
      await response.text();
      expect(response.status).toBe(200);
    };
    await eventually(look, { timeoutMs: 60_000, everyMs: 10 }).catch(async (error: unknown) => {
      const log = await this.#engine.podman('logs', this.containerOf(pod));
      throw new Error(`${pod} did not become ready:\n${log}`, { cause: error });
    });
  }

  /** An operator's token, as `npm run token` makes it for those who run this installation. */
  operatorToken(): Promise<string> {
    return asInstallation(join(this.#engine.folder, 'installation'), 'tools/token.ts', 'operator');
  }

  /** Its containers go with their engine. */
  async stop(): Promise<void> {
    for (const close of this.#closers) await close();
  }

  async #play(pod: PodName, gateway: string, objects: KubernetesObject[]): Promise<void> {
    const isItsOwn = ({ kind, metadata }: KubernetesObject) => kind === 'ConfigMap' || metadata.name === pod;
    const own = objects.filter(isItsOwn);
    const secret = own.find(({ kind }) => kind === 'Secret') as Secret | undefined;
    if (secret) {
      const file = this.#write(`${pod}.json`, JSON.stringify(encoded(secret)));
      await this.#engine.podman('secret', 'create', pod, file);
    }
    const aliases = [
      ...SERVICES.map((each) => ({ ip: this.#addresses[each], hostnames: [each] })),
      { ip: gateway, hostnames: ['postgres', 'rabbitmq'] },
    ];
    const documents = own
      .filter(({ kind }) => PLAYED.includes(kind))
      .map((each) => (each.kind === 'Deployment' ? forPodman(each as Deployment, aliases) : each));
    // JSON is YAML.
    const file = this.#write(`${pod}.yaml`, documents.map((each) => JSON.stringify(each)).join('\n---\n'));
    const at = this.#addresses[pod];
    // With a MAC address that changes, this machine would look for a restarted pod at its old one, for up to 45 s.
    await this.#engine.podman('play', 'kube', '--network', NETWORK, '--ip', at, '--mac-address', macOf(at), file);
  }

  #write(name: string, content: string): string {
    const file = join(this.#engine.folder, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  }
}

/** As a Secret's `data` has it. */
const encoded = ({ stringData }: Secret) =>
  Object.fromEntries(Object.entries(stringData).map(([name, value]) => [name, Buffer.from(value).toString('base64')]));

function forPodman(deployment: Deployment, hostAliases: { ip: string; hostnames: string[] }[]): Deployment {
  const copy = structuredClone(deployment);
  const pod = copy.spec.template.spec;
  Object.assign(pod, { hostAliases, restartPolicy: 'OnFailure' });
  for (const container of pod.containers) {
    delete container.livenessProbe;
    delete container.startupProbe;
    delete container.readinessProbe;
    delete container.ports;
  }
  return copy;
}

/** Answers the network's address on this machine, which is there as long as a pod is. */
async function makeNetwork(engine: ContainerEngine): Promise<string> {
  await engine.podman('network', 'create', '--disable-dns', NETWORK);
  const [network] = JSON.parse(await engine.podman('network', 'inspect', NETWORK)) as [
    { subnets: [{ gateway: string }] },
  ];
  const { gateway } = network.subnets[0];
  const holder = 'keeps-the-network';
  await engine.podman('pod', 'create', '--network', NETWORK, '--ip', addressOf(gateway, 10), '--name', holder);
  await engine.podman('pod', 'start', holder);
  return gateway;
}

/** A locally administered one (IEEE 802). */
const macOf = (address: string) =>
  ['02', '00', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');

const addressOf = (gateway: string, host: number) => gateway.replace(/\d+$/, String(host));

async function localSecrets(dir: string): Promise<KubernetesObject[]> {
  const { items } = JSON.parse(await asInstallation(dir, 'k8s/local-secrets.ts')) as { items: KubernetesObject[] };
  return items;
}

/** Runs a script of the repository with this folder in place of `.local`. */
async function asInstallation(dir: string, script: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, CABSTAND_LOCAL: dir };
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, script), ...args], { env });
  return stdout.trim();
}
