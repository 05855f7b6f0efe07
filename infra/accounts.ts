import type { ServiceName } from '@cabstand/contracts';
import type { Accounts } from './rabbitmq/definitions.ts';
import { secret } from './secrets.ts';

/** The broker's users of one installation; their passwords are made on first use and kept beside its data. */
export function installationAccounts(
  dir: string,
  tls = false,
): Accounts & { admin: { name: string; password: string } } {
  return {
    vhost: 'cabstand',
    admin: { name: 'admin', password: secret(dir, 'rabbitmq-admin') },
    tls,
    nameOf: (service: ServiceName) => service,
    passwordOf: (service: ServiceName) => secret(dir, `rabbitmq-${service}`),
  };
}
