/** What any object has. What a kind has besides comes from the models: `ofKind<IDeployment>(objects, 'Deployment')`. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
}
export interface Metadata {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** Every object of a kind; `group` where two groups have a kind of that name. */
export function ofKind<Kind>(objects: KubernetesObject[], kind: string, group?: string): (Kind & KubernetesObject)[] {
  const isOfGroup = ({ apiVersion }: KubernetesObject) => group === undefined || apiVersion.startsWith(`${group}/`);
  return objects.filter((each) => each.kind === kind && isOfGroup(each)) as (Kind & KubernetesObject)[];
}

/** As people name it: `Deployment trip`. */
export const nameOf = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.name}`;
