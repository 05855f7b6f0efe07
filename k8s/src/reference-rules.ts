import type { ICertificate } from '@kubernetes-models/cert-manager/cert-manager.io/v1/Certificate';
import type { IExternalSecret } from '@kubernetes-models/external-secrets/external-secrets.io/v1/ExternalSecret';
import type { IGateway } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/Gateway';
import type { IHTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute';
import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import type { ITriggerAuthentication } from '@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication';
import { EVENTS, subscriptions } from '@cabstand/contracts';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IService } from 'kubernetes-models/v1/Service';
import { nameOf, ofKind, type KubernetesObject } from './objects.ts';
import { containersOf, matches, portNamed, services, workloads, type Workload } from './pods.ts';
import type { Rule } from './workload-rules.ts';

const namesOf = (objects: KubernetesObject[], kind: string) =>
  new Set(ofKind(objects, kind).map(({ metadata }) => metadata.name));

/** What one object says of another has to be true. */
export const REFERENCE_RULES: Record<string, Rule> = {
  'Services select pods, and lead to ports that these have': (objects) =>
    ofKind<IService>(objects, 'Service').flatMap((service) => {
      const selected = workloads(objects).filter(({ labels }) => matches(service.spec?.selector, labels));
      if (selected.length !== 1) return [`${nameOf(service)} selects ${selected.length} workloads`];
      return (service.spec?.ports ?? [])
        .filter(({ targetPort }) => portNamed(selected[0]!, String(targetPort)) === undefined)
        .map(({ name }) => `${nameOf(service)}: ${name}`);
    }),

  'no Service has both a public and a management port': (objects) =>
    ofKind<IService>(objects, 'Service')
      .filter(({ metadata }) => services(objects).some(({ name }) => metadata.name.startsWith(name)))
      .filter(({ spec }) => spec?.ports?.length !== 1)
      .map(nameOf),

  'selectors of Deployments match their own pods': (objects) =>
    ofKind<{ spec: { selector: { matchLabels: Record<string, string> } } }>(objects, 'Deployment').flatMap((object) => {
      const { labels } = workloads([object])[0]!;
      return matches(object.spec.selector.matchLabels, labels) ? [] : [nameOf(object)];
    }),

  'accounts of services exist, one for each': (objects) => {
    const accounts = services(objects).map(({ pod }) => pod.serviceAccountName ?? 'default');
    const missing = accounts.filter((account) => !namesOf(objects, 'ServiceAccount').has(account));
    return [...missing, ...(new Set(accounts).size === accounts.length ? [] : ['two services share an account'])];
  },

  'ConfigMaps that pods read exist, and cannot change under them': (objects) =>
    workloads(objects).flatMap((workload) =>
      configMapsOf(workload)
        // Made beside the Secrets of a local run.
        .filter((name) => name !== 'development-issuer')
        .filter((name) => {
          const map = ofKind<IConfigMap>(objects, 'ConfigMap').find(({ metadata }) => metadata.name === name);
          return map?.immutable !== true;
        })
        .map((name) => `${workload.title}: ${name}`),
    ),

  'no secret is in the tree': (objects) => [
    ...ofKind(objects, 'Secret').map(nameOf),
    ...ofKind<IConfigMap>(objects, 'ConfigMap').flatMap(({ metadata, data }) =>
      Object.entries(data ?? {})
        .filter(([name, value]) => /KEY$|PASSWORD|SECRET/.test(name) || /\/\/[^/@]*:[^/@]+@/.test(value))
        .map(([name]) => `ConfigMap ${metadata.name}: ${name}`),
    ),
  ],

  'each Deployment has one autoscaler and one budget, and neither is of anything else': (objects) => {
    const scaled = [
      ...ofKind<IHorizontalPodAutoscaler>(objects, 'HorizontalPodAutoscaler').map(
        ({ spec }) => spec?.scaleTargetRef.name,
      ),
      ...ofKind<IScaledObject>(objects, 'ScaledObject').map(({ spec }) => spec.scaleTargetRef.name),
    ];
    const budgets = ofKind<IPodDisruptionBudget>(objects, 'PodDisruptionBudget');
    const deployments = [...namesOf(objects, 'Deployment')];
    // Where servers are StatefulSets (local), there is one of each, on one node.
    const ours = namesOf(objects, 'StatefulSet').size > 0 ? [] : services(objects);
    return [
      ...ours
        .filter(({ name }) => scaled.filter((each) => each === name).length !== 1)
        .map(({ title }) => `autoscalers of ${title}`),
      ...ours
        .filter(({ labels }) => budgets.filter(({ spec }) => matches(spec?.selector?.matchLabels, labels)).length !== 1)
        .map(({ title }) => `budgets of ${title}`),
      ...scaled.filter((name) => !deployments.includes(name ?? '')).map((name) => `nothing is called ${name}`),
      ...budgets
        .filter(
          ({ spec }) =>
            // Pods of a RabbitmqCluster are made by its operator.
            spec?.selector?.matchLabels?.['app.kubernetes.io/name'] !== 'rabbitmq' &&
            !workloads(objects).some(({ labels }) => matches(spec?.selector?.matchLabels, labels)),
        )
        .map(nameOf),
    ];
  },

  'KEDA looks at every work queue of a service, and at no other': (objects) =>
    ofKind<IScaledObject>(objects, 'ScaledObject').flatMap(({ metadata, spec }) => {
      const watched = spec.triggers.flatMap(({ metadata: trigger }) => trigger.queueName ?? []).sort();
      const own = subscriptions(EVENTS).filter(({ consumer }) => consumer === metadata.name);
      return String(watched) === String(own.map(({ queue }) => queue).sort()) ? [] : [`${metadata.name}: ${watched}`];
    }),

  'KEDA is told where RabbitMQ is, to speak TLS with it, and who signed for it': (objects) =>
    ofKind<IScaledObject>(objects, 'ScaledObject').flatMap(({ metadata, spec }) =>
      spec.triggers
        .filter(({ type }) => type === 'rabbitmq')
        .flatMap(({ authenticationRef }) => {
          const { secretTargetRef = [], configMapTargetRef = [] } =
            ofKind<ITriggerAuthentication>(objects, 'TriggerAuthentication').find(
              (each) => each.metadata.name === authenticationRef?.name,
            )?.spec ?? {};
          const secrets = secretTargetRef.map(({ parameter }) => parameter);
          const tls = configMapTargetRef.find(({ parameter }) => parameter === 'tls');
          const maps = ofKind<IConfigMap>(objects, 'ConfigMap');
          const value = maps.find((each) => each.metadata.name === tls?.name)?.data?.[tls!.key];
          return [...['host', 'ca'].filter((each) => !secrets.includes(each)), ...(value === 'enable' ? [] : ['tls'])];
        })
        .map((missing) => `${metadata.name}: ${missing}`),
    ),

  'routes lead from names of the Gateway to public ports': (objects) =>
    ofKind<IHTTPRoute>(objects, 'HTTPRoute').flatMap((route) => {
      const listeners = ofKind<IGateway>(objects, 'Gateway').flatMap(({ spec }) => spec.listeners);
      const { hostnames = [], parentRefs = [], rules = [] } = route.spec;
      const backends = rules.flatMap((rule) => rule.backendRefs ?? []);
      return [
        ...parentRefs
          .filter((parent) => !listeners.some(({ name }) => name === parent.sectionName))
          .map(() => 'listener'),
        ...hostnames.filter((name) => !listeners.some(({ hostname }) => isWithin(name, hostname ?? ''))),
        ...backends.filter(({ name, port }) => portOf(objects, name, port) !== 'http').map(({ name }) => name),
      ].map((problem) => `${nameOf(route)}: ${problem}`);
    }),

  'certificates are for every name by which servers are called': (objects) => {
    const certificates = ofKind<ICertificate>(objects, 'Certificate');
    const names = new Set(certificates.flatMap(({ spec }) => spec?.dnsNames ?? []));
    const urls = ofKind<IConfigMap>(objects, 'ConfigMap').flatMap(({ data }) =>
      Object.values(data ?? {}).flatMap(
        (value) => value.match(/(postgres|amqps|https):\/\/[^\s"?]+\.svc\b[^\s"?]*/g) ?? [],
      ),
    );
    return urls.filter((url) => !names.has(new URL(url).hostname));
  },

  'Secrets that are named somewhere are made by somebody': (objects) => {
    const made = new Set([
      ...ofKind<ICertificate>(objects, 'Certificate').map(({ spec }) => spec?.secretName),
      ...ofKind<IExternalSecret>(objects, 'ExternalSecret').map(
        ({ spec, metadata }) => spec?.target?.name ?? metadata.name,
      ),
      ...(ofKind(objects, 'ExternalSecret').length === 0 ? LOCAL_SECRETS : []),
    ]);
    return secretsNamedIn(objects).filter((name) => !made.has(name));
  },
};

/** What k8s/local-secrets.ts makes. */
export const LOCAL_SECRETS = ['passenger', 'driver', 'trip', 'postgres', 'rabbitmq'];

const isWithin = (name: string, pattern: string) =>
  pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;

/** The name of a Service's port. */
const portOf = (objects: KubernetesObject[], name: string, port?: number) =>
  ofKind<IService>(objects, 'Service')
    .find(({ metadata }) => metadata.name === name)
    ?.spec?.ports?.find((each) => each.port === port)?.name;

const configMapsOf = (workload: Workload) => [
  ...containersOf(workload).flatMap(({ envFrom }) =>
    (envFrom ?? []).flatMap(({ configMapRef }) => configMapRef?.name ?? []),
  ),
  ...(workload.pod.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []),
];

/** In pods, and in the fields by which custom resources name a Secret. */
function secretsNamedIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const reference = inner as { name?: string; secretName?: string };
    if (['secretRef', 'importCredentialsSecret'].includes(key)) return [reference.name!];
    if (
      [
        'serverTLSSecret',
        'clientCASecret',
        'serverCASecret',
        'replicationTLSSecret',
        'secretName',
        'caSecretName',
      ].includes(key)
    )
      return [inner as string];
    if (key === 'secretTargetRef') return (inner as { name: string }[]).map(({ name }) => name);
    if (key === 'secret' && typeof reference.name === 'string') return [reference.name];
    return secretsNamedIn(inner);
  });
}
