import { OVERLAYS, render } from '../src/kustomize.ts';
import { isReachable, type End, type PodEnd } from '../src/network.ts';
import type { KubernetesObject } from '../src/objects.ts';
import { portNamed, services } from '../src/pods.ts';
import { withKubectl } from './kubectl.ts';

/**
 * Who reaches what, as docs/architecture.md has it: a service its own database and RabbitMQ, the trip service the keys of
 * the two that sign tokens, the edge and the pages the public ports, Prometheus the metrics. Each `·` is a connection
 * that is refused.
 */
const CLUSTER = `
                 passenger passenger:m driver driver:m trip trip:m web passenger-db driver-db trip-db amqp amqp-api collector dns internet metadata stranger
edge             yes       ·           yes    ·        yes  ·      yes ·            ·         ·       ·    ·        -         -   -        -        ·
monitoring       ·         yes         ·      yes      ·    yes    ·   ·            ·         ·       ·    ·        -         -   -        -        ·
internet         ·         ·           ·      ·        ·    ·      ·   ·            ·         ·       ·    ·        -         -   -        -        ·
elsewhere        ·         ·           ·      ·        ·    ·      ·   ·            ·         ·       ·    ·        -         -   -        -        ·
stranger         ·         ·           ·      ·        ·    ·      ·   ·            ·         ·       ·    ·        ·         yes ·        ·        ·
passenger        ·         ·           ·      ·        ·    ·      ·   yes          ·         ·       yes  yes      yes       yes yes      ·        ·
driver           ·         ·           ·      ·        ·    ·      ·   ·            yes       ·       yes  yes      yes       yes yes      ·        ·
trip             yes       ·           yes    ·        ·    ·      ·   ·            ·         yes     yes  yes      yes       yes yes      ·        ·
web              yes       ·           yes    ·        yes  ·      ·   ·            ·         ·       ·    ·        ·         yes ·        ·        ·
passenger-db     ·         ·           ·      ·        ·    ·      ·   yes          ·         ·       ·    ·        ·         yes yes      yes      ·
driver-db        ·         ·           ·      ·        ·    ·      ·   ·            yes       ·       ·    ·        ·         yes yes      yes      ·
trip-db          ·         ·           ·      ·        ·    ·      ·   ·            ·         yes     ·    ·        ·         yes yes      yes      ·
amqp             ·         ·           ·      ·        ·    ·      ·   ·            ·         ·       ·    ·        ·         yes yes      yes      ·
cnpg-operator    ·         ·           ·      ·        ·    ·      ·   yes          yes       yes     ·    ·        -         -   -        -        ·
rabbit-operator  ·         ·           ·      ·        ·    ·      ·   ·            ·         ·       ·    yes      -         -   -        -        ·
keda             ·         ·           ·      ·        ·    ·      ·   ·            ·         ·       ·    ·        -         -   -        -        ·
`;
const MESH = CLUSTER.replace(/^keda.*$/m, (row) => row.replace(/^((?:\S+\s+){12})·/, '$1yes'));
const LOCAL = `
                 passenger passenger:m driver driver:m trip trip:m web local-db local-amqp local-amqp-api dns internet stranger
edge             yes       ·           yes    ·        yes  ·      yes ·        ·          ·              -   -        ·
elsewhere        ·         ·           ·      ·        ·    ·      ·   ·        ·          ·              -   -        ·
stranger         ·         ·           ·      ·        ·    ·      ·   ·        ·          ·              yes ·        ·
passenger        ·         ·           ·      ·        ·    ·      ·   yes      yes        yes            yes ·        ·
driver           ·         ·           ·      ·        ·    ·      ·   yes      yes        yes            yes ·        ·
trip             yes       ·           yes    ·        ·    ·      ·   yes      yes        yes            yes ·        ·
web              yes       ·           yes    ·        yes  ·      ·   ·        ·          ·              yes ·        ·
local-db         ·         ·           ·      ·        ·    ·      ·   ·        ·          ·              yes ·        ·
local-amqp       ·         ·           ·      ·        ·    ·      ·   ·        ·          ·              yes ·        ·
`;
const TABLES: Record<string, string> = { local: LOCAL, staging: CLUSTER, production: CLUSTER, mesh: MESH };

const pod = (namespace: string, labels: Record<string, string> = {}, ports: Record<string, number> = {}): PodEnd => ({
  namespace,
  labels,
  ports,
});
const called = (name: string) => pod('cabstand', { 'app.kubernetes.io/name': name });

/** What is no service of ours. Labels of operators' pods are those that the operators give them. */
const OTHERS: Record<string, End> = {
  edge: pod('cabstand-edge'),
  monitoring: pod('monitoring'),
  internet: { address: '203.0.113.7' },
  /** Where clouds hand out a machine's credentials. */
  metadata: { address: '169.254.169.254' },
  elsewhere: pod('default'),
  stranger: called('stranger'),
  'passenger-db': pod('cabstand', { 'cnpg.io/cluster': 'passenger-postgres' }),
  'driver-db': pod('cabstand', { 'cnpg.io/cluster': 'driver-postgres' }),
  'trip-db': pod('cabstand', { 'cnpg.io/cluster': 'trip-postgres' }),
  amqp: called('rabbitmq'),
  'amqp-api': called('rabbitmq'),
  'local-db': { ...called('postgres'), ports: { postgres: 5432 } },
  'local-amqp': { ...called('rabbitmq'), ports: { amqp: 5672, management: 15672 } },
  'local-amqp-api': { ...called('rabbitmq'), ports: { amqp: 5672, management: 15672 } },
  'cnpg-operator': pod('cnpg-system'),
  'rabbit-operator': pod('rabbitmq-system'),
  keda: pod('keda'),
  collector: pod('monitoring'),
  dns: pod('kube-system', { 'k8s-app': 'kube-dns' }),
};
const PORTS: Record<string, number> = {
  ...{ 'passenger-db': 5432, 'driver-db': 5432, 'trip-db': 5432, amqp: 5671, 'amqp-api': 15671 },
  ...{ 'local-db': 5432, 'local-amqp': 5672, 'local-amqp-api': 15672 },
  ...{ collector: 4318, stranger: 8080, dns: 53, internet: 443, metadata: 443 },
};

/** The pods of a service, and the number of one of its ports: `trip`, `trip:m` for the management port. */
function endNamed(objects: KubernetesObject[], name: string): { end: End; port: number } {
  const other = OTHERS[name];
  if (other) return { end: other, port: PORTS[name] ?? 0 };
  const [service, management] = name.split(':');
  const workload = services(objects).find((each) => each.name === service)!;
  const ports = { http: portNamed(workload, 'http')!, management: portNamed(workload, 'management')! };
  return { end: { ...workload, ports }, port: management ? ports.management : ports.http };
}

/** The table again, as the policies have it. `-` is where no policy of ours has a say. */
function asReached(objects: KubernetesObject[], table: string): { found: string; pairs: number } {
  const [, head, ...rows] = table.trimEnd().split('\n');
  const columns = head!.trim().split(/\s+/);
  let pairs = 0;
  const lines = rows.map((row) => {
    const [source, ...cells] = row.split(/\s+/);
    const from = endNamed(objects, source!).end;
    const found = columns.map((column, index) => {
      if (cells[index] === '-') return '-';
      pairs += 1;
      const { end, port } = endNamed(objects, column);
      return isReachable(objects, from, end, port) ? 'yes' : '·';
    });
    return [source, ...found].join(' ');
  });
  return { found: lines.join('\n'), pairs };
}

const squeezed = (table: string) =>
  table
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => row.trim().split(/\s+/).join(' '))
    .join('\n');

withKubectl('network policies', () => {
  it.each(OVERLAYS)('in %s connections are let through as the table says, and no others', (overlay) => {
    const { found, pairs } = asReached(render(overlay), TABLES[overlay]!);
    process.stdout.write(`${overlay}: ${pairs} pairs\n`);
    expect(found).toBe(squeezed(TABLES[overlay]!));
  });

  it('without a policy that something needs, or with one too many, the table is another', () => {
    const objects = render('production');
    const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');
    const unnoticed = policies.filter(
      (policy) =>
        asReached(
          objects.filter((each) => each !== policy),
          CLUSTER,
        ).found === squeezed(CLUSTER),
    );
    expect(unnoticed.map(({ metadata }) => metadata.name)).toEqual([]);
    const open = {
      ...policies[0]!,
      metadata: { name: 'open', namespace: 'cabstand' },
      spec: { podSelector: {}, ingress: [{}] },
    };
    expect(asReached([...objects, open], CLUSTER).found).not.toBe(squeezed(CLUSTER));
  });
});
