import type { IContainer } from 'kubernetes-models/v1/Container';
import { ofKind, type KubernetesObject } from '../src/objects.ts';
import { services, settingsOf, type Workload } from '../src/pods.ts';

interface Fault {
  /** `production` unless it takes another. */
  overlay?: string;
  /** Changes the objects, or answers others. */
  plant: (objects: KubernetesObject[]) => KubernetesObject[] | void;
}

type Loose = Record<string, unknown>;
const trip = (objects: KubernetesObject[]): Workload => services(objects).find(({ name }) => name === 'trip')!;
const container = (objects: KubernetesObject[], service = 'trip'): IContainer =>
  services(objects).find(({ name }) => name === service)!.pod.containers[0]!;
const settings = (objects: KubernetesObject[], service: string): Loose => settingsOf(objects, service);
const specOf = (objects: KubernetesObject[], kind: string, name: string) =>
  ofKind<{ spec: Loose }>(objects, kind).find(({ metadata }) => metadata.name === name)!.spec;
const without = (objects: KubernetesObject[], kind: string, name: RegExp) =>
  objects.filter((each) => each.kind !== kind || !name.test(each.metadata.name));
const set = (target: object | undefined, change: Loose): void => void Object.assign(target!, change);

/** What each rule has to notice: somebody's plausible mistake. */
export const FAULTS: Record<string, Fault[]> = {
  'pods keep to the level `restricted` of the Pod Security Standards': [
    { plant: (all) => set(container(all).securityContext, { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } }) },
    { plant: (all) => set(trip(all).pod, { hostNetwork: true }) },
  ],
  'pods of RabbitMQ are told to keep to it, whatever their operator does by itself': [
    { plant: (all) => set(specOf(all, 'RabbitmqCluster', 'rabbitmq'), { override: undefined }) },
    { plant: (all) => set(overriddenPod(all), { securityContext: { runAsNonRoot: true } }) },
    { overlay: 'mesh', plant: (all) => set(overriddenPod(all).containers[0], { name: 'broker' }) },
  ],
  'services write nothing to their file system, and run as a numbered user': [
    { plant: (all) => set(container(all).securityContext, { readOnlyRootFilesystem: false }) },
    { plant: (all) => set(trip(all).pod.securityContext, { runAsUser: undefined }) },
  ],
  'images have a tag, and it is not `latest`': [
    { plant: (all) => set(container(all), { image: 'registry.cabstand.example/cabstand/trip' }) },
    { plant: (all) => set(container(all), { image: 'cabstand/trip:latest' }) },
    { plant: (all) => set(specOf(all, 'RabbitmqCluster', 'rabbitmq'), { image: 'rabbitmq' }) },
  ],
  'containers say what they need and what they may use': [
    { plant: (all) => set(container(all).resources, { limits: { cpu: '1' } }) },
  ],
  'a service has the memory that it was seen to use, for all the streams that it may hold too': [
    { plant: (all) => set(container(all).resources, { limits: { cpu: '2', memory: '512Mi' } }) },
    { plant: (all) => set(container(all).resources, { requests: { cpu: '250m', memory: '128Mi' } }) },
    { plant: (all) => set(settings(all, 'driver'), { STREAMS_PER_REPLICA: '20000' }) },
  ],
  'a service has started before its probe gives up, with no more CPU than it is promised': [
    { plant: (all) => set(container(all).resources, { requests: { cpu: '20m', memory: '256Mi' } }) },
    { plant: (all) => set(container(all).resources, { requests: { memory: '256Mi' } }) },
    { plant: (all) => set(container(all).startupProbe, { failureThreshold: 1 }) },
  ],
  'a service is promised the CPU at which it gets another replica, and one replica is able to use it': [
    { plant: (all) => set(container(all).resources, { requests: { cpu: '250m', memory: '256Mi' } }) },
    { plant: (all) => scaleAt(all, '1500m', { requests: { cpu: '2', memory: '256Mi' } }) },
    { overlay: 'mesh', plant: (all) => set(container(all).resources, { requests: { cpu: '250m', memory: '256Mi' } }) },
  ],
  'probes of services ask ports that exist, on the management port where there is one': [
    { plant: (all) => set(container(all).livenessProbe?.httpGet, { port: 'manage' }) },
    { plant: (all) => set(container(all).readinessProbe?.httpGet, { port: 'http' }) },
    { plant: (all) => set(container(all), { startupProbe: undefined }) },
    { plant: (all) => set(container(all, 'web').livenessProbe?.httpGet, { scheme: 'HTTP' }) },
  ],
  'services have the time to stop': [
    { plant: (all) => set(trip(all).pod, { terminationGracePeriodSeconds: 15 }) },
    { plant: (all) => set(container(all), { lifecycle: undefined }) },
  ],
  'migrations run first, by the program and in the environment of the service': [
    { plant: (all) => set(trip(all).pod, { initContainers: [] }) },
    {
      plant: (all) =>
        set(services(all).find(({ name }) => name === 'web')!.pod, { initContainers: trip(all).pod.initContainers }),
    },
    { plant: (all) => set(container(all), { image: 'registry.cabstand.example/cabstand/trip:0.2.0' }) },
  ],
  'no pod has a token for the Kubernetes API': [
    { plant: (all) => set(trip(all).pod, { automountServiceAccountToken: true }) },
  ],
  'replicas are spread over zones and machines': [
    { plant: (all) => set(trip(all).pod, { topologySpreadConstraints: [] }) },
  ],
  'a roll-out never takes a replica away before another is ready': [
    { plant: (all) => set(specOf(all, 'Deployment', 'trip'), { strategy: { type: 'Recreate' } }) },
  ],
  'Services select pods, and lead to ports that these have': [
    { plant: (all) => set(specOf(all, 'Service', 'trip'), { selector: { app: 'trip' } }) },
    {
      plant: (all) => set(specOf(all, 'Service', 'trip'), { ports: [{ name: 'http', port: 3003, targetPort: 'web' }] }),
    },
  ],
  'no Service has both a public and a management port': [
    {
      plant: (all) =>
        set(specOf(all, 'Service', 'trip'), {
          ports: ['http', 'management'].map((name, index) => ({ name, port: 3003 + index, targetPort: name })),
        }),
    },
  ],
  'selectors of Deployments match their own pods': [
    { plant: (all) => set(specOf(all, 'Deployment', 'trip'), { selector: { matchLabels: { app: 'trip' } } }) },
  ],
  'accounts of services exist, one for each': [
    { plant: (all) => without(all, 'ServiceAccount', /^trip$/) },
    { plant: (all) => set(trip(all).pod, { serviceAccountName: 'driver' }) },
  ],
  'ConfigMaps that pods read exist, and cannot change under them': [
    { plant: (all) => without(all, 'ConfigMap', /^trip/) },
    { plant: (all) => all.filter(({ kind }) => kind === 'ConfigMap').forEach((map) => set(map, { immutable: false })) },
  ],
  'no secret is in the tree': [
    { plant: (all) => [...all, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'trip' } }] },
    {
      plant: (all) =>
        ofKind<{ data: Loose }>(all, 'ConfigMap').forEach(({ data }) =>
          set(data, { DATABASE_URL: 'postgres://trip:hush@trip-postgres-rw.cabstand.svc:5432/trip' }),
        ),
    },
  ],
  'each Deployment has one autoscaler and one budget, and neither is of anything else': [
    { plant: (all) => without(all, 'HorizontalPodAutoscaler', /^trip$/) },
    { plant: (all) => without(all, 'HorizontalPodAutoscaler', /./) },
    { plant: (all) => without(all, 'PodDisruptionBudget', /^web$/) },
    { overlay: 'mesh', plant: (all) => without(all, 'ScaledObject', /^driver$/) },
    { overlay: 'mesh', plant: (all) => without(all, 'HorizontalPodAutoscaler', /^web$/) },
    {
      overlay: 'mesh',
      plant: (all) => [
        ...all,
        { ...all[0]!, kind: 'HorizontalPodAutoscaler', spec: { scaleTargetRef: { name: 'trip' } } } as KubernetesObject,
      ],
    },
    { plant: (all) => set(specOf(all, 'PodDisruptionBudget', 'trip'), { selector: { matchLabels: { app: 'trip' } } }) },
  ],
  'KEDA looks at every work queue of a service, and at no other': [
    { overlay: 'mesh', plant: (all) => set(specOf(all, 'ScaledObject', 'trip'), { triggers: [] }) },
  ],
  'KEDA is told where RabbitMQ is, to speak TLS with it, and who signed for it': [
    {
      overlay: 'mesh',
      plant: (all) => set(specOf(all, 'TriggerAuthentication', 'trip-queues'), { secretTargetRef: [] }),
    },
    {
      overlay: 'mesh',
      plant: (all) => set(specOf(all, 'TriggerAuthentication', 'trip-queues'), { configMapTargetRef: undefined }),
    },
    { overlay: 'mesh', plant: (all) => without(all, 'ConfigMap', /^keda-rabbitmq$/) },
  ],
  'routes lead from names of the Gateway to public ports': [
    {
      plant: (all) =>
        set(specOf(all, 'HTTPRoute', 'trip'), { rules: [{ backendRefs: [{ name: 'trip-management', port: 9103 }] }] }),
    },
    { plant: (all) => set(specOf(all, 'HTTPRoute', 'trip'), { hostnames: ['trip.elsewhere.example'] }) },
    {
      plant: (all) => set(specOf(all, 'HTTPRoute', 'trip'), { parentRefs: [{ name: 'cabstand', sectionName: 'tls' }] }),
    },
  ],
  'certificates are for every name by which servers are called': [
    { plant: (all) => without(all, 'Certificate', /^driver-tls$/) },
    { plant: (all) => without(all, 'Certificate', /^trip-postgres-tls$/) },
  ],
  'Secrets that are named somewhere are made by somebody': [
    { plant: (all) => without(all, 'ExternalSecret', /^trip$/) },
    { plant: (all) => without(all, 'ExternalSecret', /^rabbitmq-trip-topology$/) },
    { plant: (all) => without(all, 'Certificate', /^trip-tls$/) },
    { overlay: 'mesh', plant: (all) => without(all, 'ExternalSecret', /^postgres-trip$/) },
  ],
  'a database is named for its service, and so is the role that owns it': [
    {
      overlay: 'restore',
      plant: (all) => set(recoveryOf(all), { database: undefined, owner: undefined }),
    },
    {
      plant: (all) =>
        set(specOf(all, 'Cluster', 'trip-postgres'), { bootstrap: { initdb: { database: 'trip', owner: 'driver' } } }),
    },
  ],
  'a restored database comes from a cluster and a store that are there': [
    { overlay: 'restore', plant: (all) => set(recoveryOf(all), { source: 'elsewhere' }) },
    { overlay: 'restore', plant: (all) => without(all, 'ObjectStore', /^trip-backups$/) },
    { overlay: 'restore', plant: (all) => without(all, 'Cluster', /^trip-postgres$/) },
  ],
  'each cluster archives its log in a store of its own': [
    { plant: (all) => without(all, 'ObjectStore', /^trip-backups$/) },
    { overlay: 'restore', plant: (all) => set(specOf(all, 'Cluster', 'trip-restored-postgres'), { plugins: [] }) },
    {
      overlay: 'restore',
      plant: (all) => set(specOf(all, 'Cluster', 'trip-restored-postgres'), specOf(all, 'Cluster', 'trip-postgres')),
    },
  ],
  'each cluster has a backup at once and every night, by the plug-in that keeps its log': [
    { plant: (all) => set(specOf(all, 'ScheduledBackup', 'trip-nightly'), { immediate: undefined }) },
    { plant: (all) => set(specOf(all, 'ScheduledBackup', 'trip-nightly'), { schedule: '0 2 * * *' }) },
    { overlay: 'restore', plant: (all) => without(all, 'ScheduledBackup', /^trip-restored-nightly$/) },
  ],
  'whoever writes backups with no key of its own is somebody to the cloud': [
    { plant: (all) => set(specOf(all, 'Cluster', 'trip-postgres'), { serviceAccountTemplate: undefined }) },
    {
      overlay: 'staging',
      plant: (all) => set(specOf(all, 'Cluster', 'trip-postgres'), { serviceAccountTemplate: {} }),
    },
  ],
  'the pages hand calls on to where each service listens, as it speaks': [
    { plant: (all) => set(settings(all, 'web'), { TRIP_URL: 'https://trip.cabstand.svc:9103' }) },
    { plant: (all) => set(settings(all, 'web'), { TRIP_URL: 'http://trip.cabstand.svc:3003' }) },
    { overlay: 'mesh', plant: (all) => set(settings(all, 'web'), { TRIP_URL: 'http://trip.default.svc:3003' }) },
  ],
  'services let the pages call that have a route, with their cookies': [
    { plant: (all) => set(specOf(all, 'HTTPRoute', 'web'), { hostnames: ['www.cabstand.example'] }) },
    { plant: (all) => set(settings(all, 'driver'), { WEB_ORIGINS: undefined }) },
  ],
  'operators sign in at an issuer whom every service believes': [
    { plant: (all) => set(settings(all, 'web'), { OPERATOR_ISSUER: 'https://id.cabstand.example/realms/public' }) },
    { plant: (all) => set(settings(all, 'trip'), { TRUSTED_ISSUERS: '[]' }) },
  ],
  'the mesh believes whom the service believes': [
    { overlay: 'mesh', plant: (all) => set(specOf(all, 'RequestAuthentication', 'driver'), { jwtRules: [] }) },
    { overlay: 'mesh', plant: (all) => set(jwtRule(all), { audiences: ['driver'] }) },
    { overlay: 'mesh', plant: (all) => set(jwtRule(all), { forwardOriginalToken: false }) },
  ],
  'keys are fetched where a route leads to their issuer': [
    { overlay: 'mesh', plant: (all) => set(jwtRule(all), { jwksUri: 'https://passenger.cabstand.example/jwks.json' }) },
    { overlay: 'mesh', plant: (all) => without(all, 'HTTPRoute', /^passenger$/) },
  ],
  'every service says who may call it, by accounts and ports that exist': [
    { overlay: 'mesh', plant: (all) => without(all, 'AuthorizationPolicy', /^trip$/) },
    { overlay: 'mesh', plant: (all) => without(all, 'ServiceAccount', /^trip$/) },
    {
      overlay: 'mesh',
      plant: (all) =>
        set(specOf(all, 'AuthorizationPolicy', 'trip'), { rules: [{ to: [{ operation: { ports: ['3003'] } }] }] }),
    },
    { overlay: 'mesh', plant: (all) => set(container(all), { ports: [{ name: 'http', containerPort: 8080 }] }) },
  ],
  'whole APIs are for the edge, and those of the services for the pages too': [
    { overlay: 'mesh', plant: (all) => set(firstRule(all, 'trip'), { from: firstRule(all, 'web').from }) },
    { overlay: 'mesh', plant: (all) => set(firstRule(all, 'web'), { from: firstRule(all, 'trip').from }) },
  ],
  'only mutual TLS gets in, the management port aside': [
    {
      overlay: 'mesh',
      plant: (all) => set(specOf(all, 'PeerAuthentication', 'strict'), { mtls: { mode: 'PERMISSIVE' } }),
    },
    { overlay: 'mesh', plant: (all) => without(all, 'PeerAuthentication', /^strict$/) },
    {
      overlay: 'mesh',
      plant: (all) =>
        set(specOf(all, 'PeerAuthentication', 'trip'), { portLevelMtls: { 3003: { mode: 'PERMISSIVE' } } }),
    },
  ],
  'every service is limited, and left out when it fails': [
    { overlay: 'mesh', plant: (all) => without(all, 'EnvoyFilter', /^trip-limit$/) },
    {
      overlay: 'mesh',
      plant: (all) => set(specOf(all, 'DestinationRule', 'trip'), { host: 'trips.cabstand.svc.cluster.local' }),
    },
  ],
  'the proxy of a service outlives it, so that what it finishes on SIGTERM gets out': [
    { overlay: 'mesh', plant: (all) => set(templateOf(all, 'trip').metadata, { annotations: {} }) },
  ],
  'no service speaks TLS by itself, which the mesh could not see into': [
    {
      overlay: 'mesh',
      plant: (all) =>
        ofKind<{ data: Loose }>(all, 'ConfigMap').forEach(({ data }) => set(data, { TLS_CERT_FILE: '/tls.crt' })),
    },
  ],
};

function scaleAt(objects: KubernetesObject[], averageValue: string, resources: Loose): void {
  const resource = { name: 'cpu', target: { type: 'AverageValue', averageValue } };
  set(specOf(objects, 'HorizontalPodAutoscaler', 'trip'), { metrics: [{ type: 'Resource', resource }] });
  set(container(objects).resources, resources);
}

function templateOf(objects: KubernetesObject[], service: string): { metadata: object } {
  return specOf(objects, 'Deployment', service).template as { metadata: object };
}

function overriddenPod(objects: KubernetesObject[]): { containers: object[] } {
  const { override } = specOf(objects, 'RabbitmqCluster', 'rabbitmq') as {
    override: { statefulSet: { spec: { template: { spec: { containers: object[] } } } } };
  };
  return override.statefulSet.spec.template.spec;
}

function recoveryOf(objects: KubernetesObject[]): object {
  return (specOf(objects, 'Cluster', 'trip-restored-postgres').bootstrap as { recovery: object }).recovery;
}

function jwtRule(objects: KubernetesObject[]): object {
  return (specOf(objects, 'RequestAuthentication', 'passenger').jwtRules as object[])[0]!;
}

function firstRule(objects: KubernetesObject[], service: string): Loose {
  return (specOf(objects, 'AuthorizationPolicy', service).rules as Loose[])[0]!;
}
