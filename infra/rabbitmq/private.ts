import { isDockerRunning, startRabbitmqContainer, stopRabbitmqContainer } from './container.ts';
import { canInstallPackages, installRabbitmq } from '../install.ts';
import { findRabbitmqServer, startRabbitmqNode, type Broker, type NodeOptions } from './node.ts';

export interface PrivateBroker extends Broker {
  how: string;
  container: string | null;
}

/**
 * A broker of our own, by whatever this machine has: the installed package, Docker, or the right to install the package.
 * @throws Error with one line saying what to install
 */
export async function startPrivateBroker(options: NodeOptions, say: (line: string) => void): Promise<PrivateBroker> {
  if (!findRabbitmqServer()) {
    // The container's user couldn't read keys that are its owner's alone.
    if (isDockerRunning() && !options.accounts.tls) {
      const broker = await startRabbitmqContainer(options);
      const stop = () => stopRabbitmqContainer(broker.container);
      return { ...broker, pid: null, stop, how: `container ${broker.container}` };
    }
    if (!canInstallPackages()) {
      throw new Error(
        'RabbitMQ is missing: install rabbitmq-server (or start Docker, or set AMQP_URL), then run this again',
      );
    }
    say('installing rabbitmq-server with apt-get, without starting a system-wide broker');
    await installRabbitmq(say);
  }
  return { ...(await startRabbitmqNode(options)), how: 'private node', container: null };
}
