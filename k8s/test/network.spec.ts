import { OVERLAYS, render } from '../src/kustomize.ts';
import { isReachable, type End, type PodEnd } from '../src/network.ts';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { ofKind, type KubernetesObject } from '../src/objects.ts';
import { portNamed, services } from '../src/pods.ts';
import { withKubectl } from './kubectl.ts';

/**
 * Who reaches what, as docs/architecture.md has it: a service its own database and RabbitMQ, the trip service the keys of
 * the two that sign tokens, the edge and the pages the public ports, Prometheus the metrics. Each `·` is a connection
 * that is refused.
 */
const CLUSTER = `
                  edge monitoring internet elsewhere stranger passenger driver trip web passenger-db driver-db trip-db amqp cnpg-operator rabbit-operator keda
passenger         yes  ·          ·        ·         ·        ·         ·      yes  yes ·            ·         ·       ·    ·             ·               ·
passenger:m       ·    yes        ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
driver            yes  ·          ·        ·         ·        ·         ·      yes  yes ·            ·         ·       ·    ·             ·               ·
driver:m          ·    yes        ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
trip              yes  ·          ·        ·         ·        ·         ·      ·    yes ·            ·         ·       ·    ·             ·               ·
trip:m            ·    yes        ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
web               yes  ·          ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
passenger-db      ·    ·          ·        ·         ·        yes       ·      ·    ·   yes          ·         ·       ·    yes           ·               ·
driver-db         ·    ·          ·        ·         ·        ·         yes    ·    ·   ·            yes       ·       ·    yes           ·               ·
trip-db           ·    ·          ·        ·         ·        ·         ·      yes  ·   ·            ·         yes     ·    yes           ·               ·
amqp              ·    ·          ·        ·         ·        yes       yes    yes  ·   ·            ·         ·       ·    ·             ·               ·
amqp-api          ·    ·          ·        ·         ·        yes       yes    yes  ·   ·            ·         ·       ·    ·             yes             ·
passenger-db:8000 ·    ·          ·        ·         ·        ·         ·      ·    ·   yes          ·         ·       ·    yes           ·               ·
driver-db:8000    ·    ·          ·        ·         ·        ·         ·      ·    ·   ·            yes       ·       ·    yes           ·               ·
trip-db:8000      ·    ·          ·        ·         ·        ·         ·      ·    ·   ·            ·         yes     ·    yes           ·               ·
passenger-db:9187 ·    yes        ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
driver-db:9187    ·    yes        ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
trip-db:9187      ·    yes        ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
amqp:4369         ·    ·          ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       yes  ·             ·               ·
amqp:15691        ·    yes        ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
amqp:25672        ·    ·          ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       yes  ·             ·               ·
istiod            -    -          -        -         ·        ·         ·      ·    ·   ·            ·         ·       ·    -             -               -
collector         -    -          -        -         ·        yes       yes    yes  ·   ·            ·         ·       ·    -             -               -
dns               -    -          -        -         yes      yes       yes    yes  yes yes          yes       yes     yes  -             -               -
dns:53/UDP        -    -          -        -         yes      yes       yes    yes  yes yes          yes       yes     yes  -             -               -
internet          -    -          -        -         ·        yes       yes    yes  ·   yes          yes       yes     yes  -             -               -
internet:6443     -    -          -        -         ·        ·         ·      ·    ·   yes          yes       yes     yes  -             -               -
metadata          -    -          -        -         ·        ·         ·      ·    ·   yes          yes       yes     yes  -             -               -
stranger          ·    ·          ·        ·         ·        ·         ·      ·    ·   ·            ·         ·       ·    ·             ·               ·
`;
/** The table with that in some cells of a row, which is added when it isn't there. `*` is any column. */
function altered(table: string, target: string, cells: Record<string, string>): string {
  const [head, ...rows] = table.trim().split('\n');
  const known = rows.find((row) => row.startsWith(`${target} `));
  const [, ...found] = known?.split(/\s+/) ?? [];
  const row = head!.split(/\s+/).map((source, index) => cells[source] ?? cells['*'] ?? found[index]!);
  return ['', head, ...rows.filter((each) => each !== known), [target, ...row].join(' '), ''].join('\n');
}
/** KEDA asks for the lengths of queues, and sidecars ask istiod for their configuration. */
const MESH = altered(altered(CLUSTER, 'amqp-api', { keda: 'yes' }), 'istiod', {
  ...{ passenger: 'yes', driver: 'yes', trip: 'yes', web: 'yes' },
});
/** The restored cluster is reached, and reaches others, as the trip service's own does; the two have nothing in common. */
const ADDED: { target: string; cells: Record<string, string> }[] = [
  { target: 'trip-db', cells: { 'trip-restored-db': '·' } },
  { target: 'trip-db:8000', cells: { 'trip-restored-db': '·' } },
  { target: 'trip-restored-db', cells: { '*': '·', trip: 'yes', 'cnpg-operator': 'yes', 'trip-restored-db': 'yes' } },
  { target: 'trip-restored-db:8000', cells: { '*': '·', 'cnpg-operator': 'yes', 'trip-restored-db': 'yes' } },
  { target: 'trip-restored-db:9187', cells: { '*': '·', monitoring: 'yes' } },
];
const RESTORE = ADDED.reduce(
  (table, { target, cells }) => altered(table, target, cells),
  withTwin(CLUSTER, 'trip-db', 'trip-restored-db'),
);
/** The table with one more column, the same as another. */
function withTwin(table: string, source: string, twin: string): string {
  const [head, ...rows] = table.trim().split('\n');
  const index = head!.split(/\s+/).indexOf(source);
  return ['', `${head} ${twin}`, ...rows.map((row) => `${row} ${row.split(/\s+/)[index + 1]}`), ''].join('\n');
}
const LOCAL = `
               edge monitoring elsewhere stranger passenger driver trip web local-db local-amqp
passenger      yes  ·          ·         ·        ·         ·      yes  yes ·        ·
passenger:m    ·    yes        ·         ·        ·         ·      ·    ·   ·        ·
driver         yes  ·          ·         ·        ·         ·      yes  yes ·        ·
driver:m       ·    yes        ·         ·        ·         ·      ·    ·   ·        ·
trip           yes  ·          ·         ·        ·         ·      ·    yes ·        ·
trip:m         ·    yes        ·         ·        ·         ·      ·    ·   ·        ·
web            yes  ·          ·         ·        ·         ·      ·    ·   ·        ·
local-db       ·    ·          ·         ·        yes       yes    yes  ·   ·        ·
local-amqp     ·    ·          ·         ·        yes       yes    yes  ·   ·        ·
local-amqp-api ·    ·          ·         ·        yes       yes    yes  ·   ·        ·
collector      -    -          -         ·        yes       yes    yes  ·   ·        ·
dns            -    -          -         yes      yes       yes    yes  yes yes      yes
dns:53/UDP     -    -          -         yes      yes       yes    yes  yes yes      yes
internet       -    -          -         ·        ·         ·      ·    ·   ·        ·
stranger       ·    ·          ·         ·        ·         ·      ·    ·   ·        ·
`;
const TABLES: Record<string, string> = {
  ...{ local: LOCAL, staging: CLUSTER, production: CLUSTER, mesh: MESH, restore: RESTORE },
};

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
  'trip-restored-db': pod('cabstand', { 'cnpg.io/cluster': 'trip-restored-postgres' }),
  amqp: called('rabbitmq'),
  'amqp-api': called('rabbitmq'),
  'local-db': { ...called('postgres'), ports: { postgres: 5432 } },
  'local-amqp': { ...called('rabbitmq'), ports: { amqp: 5672, management: 15672 } },
  'local-amqp-api': { ...called('rabbitmq'), ports: { amqp: 5672, management: 15672 } },
  'cnpg-operator': pod('cnpg-system'),
  'rabbit-operator': pod('rabbitmq-system'),
  keda: pod('keda'),
  istiod: pod('istio-system'),
  collector: pod('monitoring'),
  dns: pod('kube-system', { 'k8s-app': 'kube-dns' }),
};
const PORTS: Record<string, number> = {
  ...{ 'passenger-db': 5432, 'driver-db': 5432, 'trip-db': 5432, amqp: 5671, 'amqp-api': 15671 },
  ...{ 'local-db': 5432, 'local-amqp': 5672, 'local-amqp-api': 15672 },
  ...{ 'trip-restored-db': 5432, istiod: 15012 },
  ...{ collector: 4318, stranger: 8080, dns: 53, internet: 443, metadata: 443 },
};

/** Pods, and one of their ports: `trip`, `trip:m` for the management port, `dns:53/UDP` for one by its number. */
function endNamed(objects: KubernetesObject[], title: string): { end: End; port: number; protocol?: string } {
  const [name, port, protocol] = title.split(/[:/]/) as [string, string?, string?];
  const other = OTHERS[name];
  if (other) return { end: other, port: Number(port ?? PORTS[name] ?? 0), protocol };
  const workload = services(objects).find((each) => each.name === name)!;
  const ports = { http: portNamed(workload, 'http')!, management: portNamed(workload, 'management')! };
  return { end: { ...workload, ports }, port: port ? ports.management : ports.http };
}

/** The table again, as the policies have it. `-` is where no policy of ours has a say. */
function asReached(objects: KubernetesObject[], table: string): { found: string; pairs: number } {
  const [, head, ...rows] = table.trimEnd().split('\n');
  const sources = head!.trim().split(/\s+/);
  let pairs = 0;
  const lines = rows.map((row) => {
    const [target, ...cells] = row.split(/\s+/);
    const { end, port, protocol } = endNamed(objects, target!);
    const found = sources.map((source, index) => {
      if (cells[index] === '-') return '-';
      pairs += 1;
      return isReachable(objects, endNamed(objects, source).end, end, port, protocol) ? 'yes' : '·';
    });
    return [target, ...found].join(' ');
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

type PolicyRule = Record<string, object[]>;

/** The rule without one of its several ports, or of its several peers: each in turn. */
const eachLess = (rule: PolicyRule): PolicyRule[] =>
  Object.entries(rule)
    .filter(([, entries]) => entries.length > 1)
    .flatMap(([list, entries]) => entries.map((_, index) => ({ ...rule, [list]: entries.toSpliced(index, 1) })));

/** The objects without a policy, with a rule less, or with less in a rule: each in turn. */
function eachLeftOut(objects: KubernetesObject[]): { title: string; left: KubernetesObject[] }[] {
  return ofKind<INetworkPolicy>(objects, 'NetworkPolicy').flatMap((policy) => {
    const { metadata, spec } = policy;
    const others = objects.filter((each) => each !== policy);
    const ofRules = (['ingress', 'egress'] as const).flatMap((direction) => {
      const rules = (spec?.[direction] ?? []) as PolicyRule[];
      return rules.flatMap((rule, index) =>
        [[], ...eachLess(rule).map((less) => [less])].map((instead) => ({
          title: `${metadata.name}: ${direction} ${index} as ${JSON.stringify(instead)}`,
          left: [...others, { ...policy, spec: { ...spec, [direction]: rules.toSpliced(index, 1, ...instead) } }],
        })),
      );
    });
    return [{ title: metadata.name, left: others }, ...ofRules];
  });
}

withKubectl('network policies', () => {
  it.each(OVERLAYS)('in %s connections are let through as the table says, and no others', (overlay) => {
    const { found, pairs } = asReached(render(overlay), TABLES[overlay]!);
    process.stdout.write(`${overlay}: ${pairs} pairs\n`);
    expect(found).toBe(squeezed(TABLES[overlay]!));
  });

  it.each(OVERLAYS)(
    'in %s the table is another without any single rule, port or peer, or with a rule too many',
    (overlay) => {
      const objects = render(overlay).filter(({ kind }) => ['NetworkPolicy', 'Deployment'].includes(kind));
      const isNoticed = (changed: KubernetesObject[]) =>
        asReached(changed, TABLES[overlay]!).found !== squeezed(TABLES[overlay]!);
      const leftOut = eachLeftOut(objects);
      process.stdout.write(`${overlay}: ${leftOut.length} left out, each in turn\n`);
      expect(leftOut.filter(({ left }) => !isNoticed(left)).map(({ title }) => title)).toEqual([]);
      const open = {
        ...ofKind<INetworkPolicy>(objects, 'NetworkPolicy')[0]!,
        metadata: { name: 'open', namespace: 'cabstand' },
        spec: { podSelector: {}, ingress: [{}] },
      };
      expect(isNoticed([...objects, open])).toBe(true);
    },
  );
});
