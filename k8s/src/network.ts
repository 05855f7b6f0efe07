import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { INetworkPolicyPeer } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPeer';
import type { INetworkPolicyPort } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPort';
import { ofKind, type KubernetesObject } from './objects.ts';

/** One end of a flow: a pod, or an address outside the cluster. */
export type End = PodEnd | { address: string };
export interface PodEnd {
  namespace: string;
  labels: Record<string, string>;
  /** Named ports of its containers. */
  ports?: Record<string, number>;
}

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** Whether NetworkPolicies let `from` open a connection to that port of `to`, at both ends. */
export function isReachable(objects: KubernetesObject[], from: End, to: End, port: number, protocol = 'TCP'): boolean {
  const policies = ofKind<INetworkPolicy>(objects, 'NetworkPolicy');
  const isLetThrough = (end: End, other: End, direction: 'Ingress' | 'Egress') => {
    const selecting = policies.filter(
      ({ metadata, spec }) =>
        'namespace' in end &&
        metadata.namespace === end.namespace &&
        selects(spec?.podSelector, end.labels) &&
        (spec?.policyTypes ?? ['Ingress']).includes(direction),
    );
    // What no policy selects is open.
    if (selecting.length === 0) return true;
    return selecting.some(({ metadata, spec }) => {
      const rules =
        direction === 'Ingress'
          ? (spec?.ingress ?? []).map((rule) => ({ peers: rule.from, ports: rule.ports }))
          : (spec?.egress ?? []).map((rule) => ({ peers: rule.to, ports: rule.ports }));
      return rules.some(
        ({ peers, ports }) =>
          (!peers || peers.some((peer) => isPeer(peer, other, metadata.namespace ?? ''))) &&
          (!ports || ports.some((each) => isPort(each, to, port, protocol))),
      );
    });
  };
  return isLetThrough(from, to, 'Egress') && isLetThrough(to, from, 'Ingress');
}

function selects(selector: Selector | undefined, labels: Record<string, string>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator === 'In') return values.includes(labels[key] ?? '');
      if (operator === 'Exists') return key in labels;
      throw new Error(`${operator} isn't understood here`);
    })
  );
}

function isPeer({ ipBlock, namespaceSelector, podSelector }: INetworkPolicyPeer, end: End, own: string): boolean {
  if ('address' in end) {
    const isWithin = (cidr: string) => !!ipBlock && inRange(end.address, cidr);
    return isWithin(ipBlock?.cidr ?? '') && !(ipBlock?.except ?? []).some(isWithin);
  }
  if (ipBlock) return false;
  const isInNamespace = namespaceSelector
    ? selects(namespaceSelector, { 'kubernetes.io/metadata.name': end.namespace })
    : end.namespace === own;
  return isInNamespace && selects(podSelector, end.labels);
}

function isPort({ port, protocol = 'TCP' }: INetworkPolicyPort, to: End, wanted: number, by: string): boolean {
  if (protocol !== by) return false;
  if (port === undefined) return true;
  return (typeof port === 'string' ? 'ports' in to && to.ports?.[port] : port) === wanted;
}

const numberOf = (address: string) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

function inRange(address: string, cidr: string): boolean {
  const [base, bits] = cidr.split('/') as [string, string];
  const size = 2 ** (32 - Number(bits));
  return Math.floor(numberOf(address) / size) === Math.floor(numberOf(base) / size);
}
