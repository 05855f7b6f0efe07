import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { nameOf, ofKind, type KubernetesObject } from './objects.ts';

/** What a Deployment or a StatefulSet makes pods of. */
export interface Workload {
  /** `Deployment trip` */
  title: string;
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  pod: IPodSpec;
}

export function workloads(objects: KubernetesObject[]): Workload[] {
  const all = [...ofKind<IDeployment>(objects, 'Deployment'), ...ofKind<IStatefulSet>(objects, 'StatefulSet')];
  return all.map((object) => {
    const { metadata, spec } = object.spec!.template;
    return {
      title: nameOf(object),
      name: object.metadata.name,
      namespace: object.metadata.namespace ?? '',
      labels: metadata?.labels ?? {},
      annotations: metadata?.annotations ?? {},
      pod: spec!,
    };
  });
}

/** What is ours: the three services, and the one of their pages. The local overlay has servers besides. */
export const services = (objects: KubernetesObject[]) =>
  workloads(objects).filter(({ labels }) => labels['app.kubernetes.io/part-of'] === 'cabstand');

/** The pages have no database, no queues and no management port. */
export const isOfPages = ({ labels }: Workload) => labels['app.kubernetes.io/component'] === 'pages';

/** What a service is told by its ConfigMap. */
export function settingsOf(objects: KubernetesObject[], service: string): Record<string, string> {
  const { pod } = services(objects).find(({ name }) => name === service)!;
  const map = pod.containers[0]!.envFrom?.flatMap(({ configMapRef }) => configMapRef?.name ?? [])[0];
  return ofKind<IConfigMap>(objects, 'ConfigMap').find(({ metadata }) => metadata.name === map)?.data ?? {};
}

/** All containers of a pod that run at some time, each with its title. */
export const containersOf = ({ pod }: Pick<Workload, 'pod'>): IContainer[] => [
  ...(pod.initContainers ?? []),
  ...pod.containers,
];

/** The port of that name, among all containers. */
export const portNamed = ({ pod }: Pick<Workload, 'pod'>, name: string): number | undefined =>
  containersOf({ pod })
    .flatMap(({ ports }) => ports ?? [])
    .find((port) => port.name === name)?.containerPort;

export const matches = (selector: Record<string, string> | undefined, labels: Record<string, string>): boolean =>
  Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value);
