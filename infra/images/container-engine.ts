import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { asRoot } from '../install.ts';
import { ROOT } from '../paths.ts';

/** What a command wrote to its standard output, without the last line's end. */
type Output = Promise<string>;

/**
 * Podman and Buildah with settings, storage, locks and networks of their own, in a folder that goes with them: images
 * and containers of whoever runs the test are neither seen nor touched.
 */
export class ContainerEngine {
  readonly folder: string;
  /**
   * What is of no use once nothing runs. In a short path: where it is longer than 50 characters, Podman refuses its own
   * call by which a container that has ended is started again.
   */
  readonly #running: string;
  readonly #prefix: string[];

  constructor(folder: string) {
    this.folder = folder;
    this.#running = `/tmp/cabstand-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
    const prefix = asRoot();
    if (prefix === null) throw new Error('containers need root, or sudo without a password');
    const inside = (name: string) => join(folder, name);
    for (const name of ['settings', 'tmp']) mkdirSync(inside(name), { recursive: true });
    const storage = { driver: 'overlay', graphroot: inside('images'), runroot: this.#running };
    writeFileSync(inside('settings/storage.conf'), `[storage]\n${toml(storage)}`);
    writeFileSync(
      inside('settings/containers.conf'),
      [
        // Podman asks for more than a machine with limits of its own can give.
        `[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]\n${toml({ log_driver: 'k8s-file' })}`,
        // No systemd: this runs in containers and on small machines too.
        `[engine]\n${toml({
          runtime: 'runc',
          cgroup_manager: 'cgroupfs',
          events_logger: 'file',
          lock_type: 'file',
          tmp_dir: join(this.#running, 'libpod'),
        })}`,
        `[network]\n${toml({ network_backend: 'netavark', network_config_dir: inside('networks') })}`,
      ].join('\n'),
    );
    const variables = {
      CONTAINERS_STORAGE_CONF: inside('settings/storage.conf'),
      CONTAINERS_CONF: inside('settings/containers.conf'),
      // Buildah keeps what `RUN --mount=type=cache` keeps there.
      TMPDIR: inside('tmp'),
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    };
    const asVariables = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    this.#prefix = [...prefix, 'env', ...asVariables];
  }

  /** Whether one was made in that folder and not removed. */
  static isIn(folder: string): boolean {
    return existsSync(join(folder, 'settings', 'containers.conf'));
  }

  podman(...args: string[]): Output {
    return this.run('podman', ...args);
  }

  /** @throws Error with what the command said last */
  async run(...command: string[]): Output {
    const [program, ...args] = [...this.#prefix, ...command] as [string, ...string[]];
    try {
      const { stdout } = await promisify(execFile)(program, args, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
      return stdout.trimEnd();
    } catch (error) {
      const { stderr = '', stdout = '', message } = error as { stderr?: string; stdout?: string; message: string };
      const said = (stderr + stdout).trimEnd().split('\n').slice(-30).join('\n');
      throw new Error(`${command.join(' ')}: ${said || message}`, { cause: error });
    }
  }

  /** Nothing of it stays: containers end, and storage, which mounts file systems, is emptied before its folder goes. */
  async remove(): Promise<void> {
    await this.podman('rm', '--all', '--force', '--time', '0');
    await this.podman('network', 'prune', '--force');
    await this.podman('rmi', '--all', '--force');
    await this.run('rm', '-rf', '--one-file-system', this.#running, this.folder);
  }
}

const toml = (settings: Record<string, string>) =>
  Object.entries(settings)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    .join('');
