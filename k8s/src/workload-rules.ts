import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { IProbe } from 'kubernetes-models/v1/Probe';
import { ofKind, type KubernetesObject } from './objects.ts';
import { violations } from './pod-security.ts';
import { containersOf, isOfPages, portNamed, services, settingsOf, workloads } from './pods.ts';

/** Says what is wrong, each thing in a line; nothing when all is well. */
export type Rule = (objects: KubernetesObject[]) => string[];

interface RabbitmqCluster {
  spec: { override?: { statefulSet?: { spec?: { template?: { spec?: IPodSpec } } } } };
}

/** From the signal: what a service needs at most to stop (P8), and a second for the kubelet. */
const STOP_S = 11;

/**
 * Of a service, as measured: zero-downtime.alone.spec.ts, and docs/performance.md for streams and for the cores that one
 * process is able to use: the trip service's, which reads 1,048 trips a second and takes 869 µs for each.
 */
const MEASURED = {
  ...{ startCpuS: 1.5, idleBytes: 170 * 2 ** 20, loadBytes: 291 * 2 ** 20, streamBytes: 42_000 },
  usableCores: 1_048 * 869e-6,
};
/** The default of STREAMS_PER_REPLICA (libs/service-defaults). */
const STREAMS = 10_000;
const UNITS: Record<string, number> = { Mi: 2 ** 20, Gi: 2 ** 30 };
const bytesOf = (quantity: unknown) => parseFloat(String(quantity)) * (UNITS[String(quantity).slice(-2)] ?? NaN);
const coresOf = (quantity: unknown) => parseFloat(String(quantity)) / (String(quantity).endsWith('m') ? 1_000 : 1);

/** What has to hold for every pod. */
export const WORKLOAD_RULES: Record<string, Rule> = {
  'pods keep to the level `restricted` of the Pod Security Standards': (objects) =>
    workloads(objects).flatMap(({ title, annotations, pod }) =>
      violations('restricted', { metadata: { annotations }, spec: pod }).map((violation) => `${title}: ${violation}`),
    ),

  'pods of RabbitMQ are told to keep to it, whatever their operator does by itself': (objects) =>
    ofKind<RabbitmqCluster>(objects, 'RabbitmqCluster').flatMap(({ metadata, spec }) => {
      const pod = spec.override?.statefulSet?.spec?.template?.spec;
      const { initContainers = [], containers = [] } = pod ?? {};
      const named = [...initContainers, ...containers].map(({ name }) => name);
      return [
        // As the operator names them: a container of another name would be one more.
        ...(String(named) === 'setup-container,rabbitmq' ? [] : [`${metadata.name}: ${named}`]),
        ...violations('restricted', { spec: { ...pod, initContainers, containers } }).map(
          (violation) => `${metadata.name}: ${violation}`,
        ),
      ];
    }),

  'services write nothing to their file system, and run as a numbered user': (objects) =>
    services(objects).flatMap(({ title, pod }) => [
      ...containersOf({ pod })
        .filter(({ securityContext }) => securityContext?.readOnlyRootFilesystem !== true)
        .map(({ name }) => `${title}: ${name} can write`),
      ...((pod.securityContext?.runAsUser ?? 0) > 0 ? [] : [`${title} leaves the user to the image`]),
    ]),

  'images have a tag, and it is not `latest`': (objects) =>
    imagesOf(objects)
      .filter(({ image }) => !/:[\w.-]+$/.test(image) || image.endsWith(':latest'))
      .map(({ title, image }) => `${title}: ${image}`),

  'containers say what they need and what they may use': (objects) =>
    workloads(objects).flatMap((workload) =>
      containersOf(workload)
        .filter(({ resources }) =>
          ['cpu', 'memory'].some((what) => !resources?.requests?.[what] || !resources.limits?.[what]),
        )
        .map(({ name }) => `${workload.title}: ${name}`),
    ),

  'a service has the memory that it was seen to use, for all the streams that it may hold too': (objects) =>
    services(objects)
      .filter((workload) => !isOfPages(workload))
      .flatMap(({ name, title, pod }) => {
        const { requests, limits } = pod.containers[0]?.resources ?? {};
        const streams = Number(settingsOf(objects, name).STREAMS_PER_REPLICA ?? STREAMS);
        return [
          ...(bytesOf(requests?.memory) >= MEASURED.idleBytes ? [] : [`${title}: request`]),
          ...(bytesOf(limits?.memory) >= MEASURED.loadBytes + streams * MEASURED.streamBytes
            ? []
            : [`${title}: limit`]),
        ];
      }),

  'a service has started before its probe gives up, with no more CPU than it is promised': (objects) =>
    services(objects)
      .filter(({ pod }) => {
        const { resources, startupProbe } = pod.containers[0]!;
        const { periodSeconds = 10, failureThreshold = 3 } = (startupProbe ?? {}) as IProbe;
        return !(MEASURED.startCpuS / coresOf(resources?.requests?.cpu) <= periodSeconds * failureThreshold);
      })
      .map(({ title }) => title),

  'a service is promised the CPU at which it gets another replica, and one replica is able to use it': (objects) =>
    services(objects).flatMap(({ name, title, pod }) => {
      const promisedCores = coresOf(pod.containers[0]?.resources?.requests?.cpu);
      return scaledAtCores(objects, name)
        .filter((cores) => !(cores <= promisedCores && cores <= MEASURED.usableCores))
        .map((cores) => `${title}: ${cores} of ${promisedCores}`);
    }),

  'probes of services ask ports that exist, on the management port where there is one': (objects) =>
    services(objects).flatMap((workload) => {
      const [container] = workload.pod.containers;
      const { startupProbe, livenessProbe, readinessProbe } = container!;
      const wanted = isOfPages(workload) ? 'http' : 'management';
      const speaksTls = wanted === 'http' && settingsOf(objects, workload.name).TLS_CERT_FILE !== undefined;
      return Object.entries({ startupProbe, livenessProbe, readinessProbe }).flatMap(([which, probe]) => {
        if (!probe) return [`${workload.title} has no ${which}`];
        const { port: asked, scheme = 'HTTP' } = (probe as IProbe).httpGet ?? {};
        const port = String(asked);
        if ((scheme === 'HTTPS') !== speaksTls) return [`${workload.title}: ${which} speaks ${scheme}`];
        if (portNamed(workload, port) === undefined)
          return [`${workload.title}: ${which} asks ${port}, which isn't there`];
        return port === wanted ? [] : [`${workload.title}: ${which} asks ${port}`];
      });
    }),

  'services have the time to stop': (objects) =>
    services(objects).flatMap(({ title, pod }) => {
      const graceS = pod.terminationGracePeriodSeconds ?? 30;
      const sleepS = pod.containers[0]?.lifecycle?.preStop?.sleep?.seconds ?? 0;
      if (sleepS < 5) return [`${title} stops before balancers have heard of it`];
      return graceS >= sleepS + STOP_S ? [] : [`${title} is killed after ${graceS} s`];
    }),

  'migrations run first, by the program and in the environment of the service': (objects) =>
    services(objects).flatMap((workload) => {
      const { title, pod } = workload;
      if (isOfPages(workload)) return pod.initContainers ? [title] : [];
      const [migrate] = pod.initContainers ?? [];
      const [service] = pod.containers;
      const same = (field: 'image' | 'envFrom' | 'env') =>
        JSON.stringify(migrate?.[field]) === JSON.stringify(service?.[field]);
      const runsMigrations = migrate?.args?.join(' ') === 'main.js migrate';
      return runsMigrations && same('image') && same('envFrom') && same('env') ? [] : [title];
    }),

  'no pod has a token for the Kubernetes API': (objects) =>
    workloads(objects)
      .filter(({ pod }) => pod.automountServiceAccountToken !== false)
      .map(({ title }) => title),

  'replicas are spread over zones and machines': (objects) =>
    services(objects).flatMap(({ title, pod }) => {
      const keys = (pod.topologySpreadConstraints ?? []).map(({ topologyKey }) => topologyKey).sort();
      return keys.join() === 'kubernetes.io/hostname,topology.kubernetes.io/zone' ? [] : [title];
    }),

  'a roll-out never takes a replica away before another is ready': (objects) =>
    ofKind<IDeployment>(objects, 'Deployment')
      .filter(({ spec }) => spec?.strategy?.rollingUpdate?.maxUnavailable !== 0)
      .map(({ metadata }) => metadata.name),
};

/** The CPU of a replica, on average, at which autoscalers add another. */
function scaledAtCores(objects: KubernetesObject[], service: string): number[] {
  const metrics = ofKind<IHorizontalPodAutoscaler>(objects, 'HorizontalPodAutoscaler')
    .filter(({ spec }) => spec?.scaleTargetRef.name === service)
    .flatMap(({ spec }) => spec?.metrics ?? []);
  const triggers = ofKind<IScaledObject>(objects, 'ScaledObject')
    .filter(({ spec }) => spec.scaleTargetRef.name === service)
    .flatMap(({ spec }) => spec.triggers);
  return [
    ...metrics.flatMap(({ resource }) => (resource?.name === 'cpu' ? coresOf(resource.target.averageValue) : [])),
    ...triggers.flatMap(({ type, metadata }) => (type === 'cpu' ? coresOf(metadata.value) : [])),
  ];
}

function imagesOf(objects: KubernetesObject[]): { title: string; image: string }[] {
  const clusters = ofKind<{ spec: { imageName?: string } }>(objects, 'Cluster', 'postgresql.cnpg.io');
  const brokers = ofKind<{ spec: { image?: string } }>(objects, 'RabbitmqCluster');
  return [
    ...workloads(objects).flatMap((workload) =>
      containersOf(workload).map(({ image }) => ({ title: workload.title, image: image ?? '' })),
    ),
    ...clusters.map(({ metadata, spec }) => ({ title: metadata.name, image: spec.imageName ?? '' })),
    ...brokers.map(({ metadata, spec }) => ({ title: metadata.name, image: spec.image ?? '' })),
  ];
}
