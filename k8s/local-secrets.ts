/**
 * node k8s/local-secrets.ts | kubectl apply -f -
 *
 * What the local overlay reads and no repository holds: the keys and passwords of this installation (.local), as
 * `npm run compose` has them, and the public key of the development issuer.
 */
import { SERVICES } from '@cabstand/contracts';
import { containerFiles } from '../tools/runtime/index.ts';

/** `stringData` is a Secret's way of being written in clear; a ConfigMap has only one. */
const made = (kind: 'Secret' | 'ConfigMap', name: string, content: Record<string, string>) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'cabstand' },
  [kind === 'Secret' ? 'stringData' : 'data']: content,
});

const { environments, postgresPassword, databases, definitions, rabbitmqConf, issuerKeys } = await containerFiles();
const items = [
  ...SERVICES.map((service) => made('Secret', service, environments[service])),
  made('Secret', 'postgres', { password: postgresPassword, 'databases.sql': databases }),
  made('Secret', 'rabbitmq', { 'definitions.json': definitions, 'rabbitmq.conf': rabbitmqConf }),
  made('ConfigMap', 'development-issuer', { 'development-issuer.jwks.json': issuerKeys }),
];
console.log(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2));
