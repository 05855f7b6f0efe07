import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { freePort } from '../../../infra/ports.ts';
import { testFolder } from '../../../infra/test-runtime.ts';
import type { ServiceUrls } from '../../../tools/client/api.ts';
import type { PerService } from './per-service.ts';

/** nginx before the replicas of each service, as an ingress is: it knows those that it is told of, and tries nothing twice. */
export class Gateway {
  readonly urls: ServiceUrls;
  readonly #folder = testFolder('-gateway');
  readonly #ports: PerService<number>;
  readonly #endpoints: PerService<string[]> = { passenger: [], driver: [], trip: [] };
  #generation = 0;
  #nginx: ChildProcess | undefined;
  #said = '';

  private constructor(ports: PerService<number>) {
    this.#ports = ports;
    const urlOf = (service: ServiceName) => `http://127.0.0.1:${ports[service]}`;
    this.urls = { passenger: urlOf('passenger'), driver: urlOf('driver'), trip: urlOf('trip') };
  }

  static async start(): Promise<Gateway> {
    const [passenger, driver, trip] = await Promise.all([freePort(), freePort(), freePort()]);
    const gateway = new Gateway({ passenger, driver, trip });
    mkdirSync(gateway.#folder, { recursive: true });
    gateway.#writeConfiguration();
    const args = ['-p', gateway.#folder, '-c', 'nginx.conf', '-e', 'error.log', '-g', 'daemon off;'];
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
    const nginx = spawn('nginx', args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    nginx.stderr.on('data', (chunk: Buffer) => (gateway.#said += String(chunk)));
    nginx.on('error', (error) => (gateway.#said += error.message));
    gateway.#nginx = nginx;
    await gateway.#untilInForce();
    return gateway;
  }

  /** New requests go to these alone once this resolves; those under way stay where they are. */
  async route(service: ServiceName, urls: string[]): Promise<void> {
    this.#endpoints[service] = urls.map((url) => new URL(url).host);
    this.#generation += 1;
    this.#writeConfiguration();
    this.#nginx!.kill('SIGHUP');
    await this.#untilInForce();
  }

  async stop(): Promise<void> {
    if (this.#nginx && this.#nginx.exitCode === null) {
      this.#nginx.kill('SIGTERM');
      await once(this.#nginx, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #untilInForce(): Promise<void> {
    const url = `${this.urls.trip}/-/generation`;
    await eventually(async () => {
      if (this.#nginx!.exitCode !== null) throw new Error(`nginx ended: ${this.#said}`);
      expect(await (await fetch(url)).text()).toBe(String(this.#generation));
    });
  }

  #writeConfiguration(): void {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path temp-${name};`,
    );
    const settings = [
      ...temporary,
      'access_log off;',
      // A new connection for each request: nginx may close one that lies idle just as its client sends on it.
      'keepalive_timeout 0;',
      'proxy_http_version 1.1;',
      'proxy_set_header Connection "";',
      'proxy_set_header Host $http_host;',
      'proxy_buffering off;',
      // What a service fails to answer has failed.
      'proxy_next_upstream off;',
    ];
    writeFileSync(
      join(this.#folder, 'nginx.conf'),
      `worker_processes 1;\npid nginx.pid;\nevents { worker_connections 2048; }\nhttp {\n${settings.join('\n')}\n${SERVICES.map((service) => this.#serverOf(service)).join('\n')}\n}\n`,
    );
  }

  #serverOf(service: ServiceName): string {
    const endpoints = this.#endpoints[service];
    const upstream = [...endpoints.map((host) => `server ${host};`), 'keepalive 32;'].join(' ');
    const answer = endpoints.length > 0 ? `proxy_pass http://${service};` : 'return 503;';
    return `${endpoints.length > 0 ? `upstream ${service} { ${upstream} }` : ''}
server {
  listen 127.0.0.1:${this.#ports[service]};
  location = /-/generation { return 200 "${this.#generation}"; }
  location / { ${answer} }
}`;
  }
}
