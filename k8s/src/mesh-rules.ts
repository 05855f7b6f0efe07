import type { IRequestAuthentication } from '@kubernetes-models/istio/security.istio.io/v1/RequestAuthentication';
import type { IAuthorizationPolicy } from '@kubernetes-models/istio/security.istio.io/v1/AuthorizationPolicy';
import type { IPeerAuthentication } from '@kubernetes-models/istio/security.istio.io/v1/PeerAuthentication';
import type { IDestinationRule } from '@kubernetes-models/istio/networking.istio.io/v1/DestinationRule';
import type { IHTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute';
import type { IGateway } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/Gateway';
import { nameOf, ofKind, type KubernetesObject } from './objects.ts';
import { isOfPages, matches, portNamed, services, settingsOf, type Workload } from './pods.ts';
import type { Rule } from './workload-rules.ts';

interface TrustedIssuer {
  issuer: string;
  jwksUri?: string;
}

/** What the mesh says of issuers, ports and accounts has to be there. */
export const MESH_RULES: Record<string, Rule> = {
  'the mesh believes whom the service believes': (objects) =>
    services(objects).flatMap((service) => {
      const believed = issuersOf(objects, service).sort();
      const inMesh = ofKind<IRequestAuthentication>(objects, 'RequestAuthentication')
        .filter(({ spec }) => matches(spec?.selector?.matchLabels, service.labels))
        .flatMap(({ spec }) => spec?.jwtRules ?? []);
      const named = inMesh.map(({ issuer }) => issuer).sort();
      return [
        ...(String(named) === String(believed) ? [] : [`${service.name}: ${named} instead of ${believed}`]),
        ...inMesh
          .filter(({ audiences }) => String(audiences) !== service.name)
          .map(({ issuer }) => `${service.name}: audience of ${issuer}`),
        // The service verifies by itself, so the token has to reach it.
        ...inMesh
          .filter((rule) => !rule.forwardOriginalToken)
          .map(({ issuer }) => `${service.name}: token of ${issuer}`),
      ];
    }),

  'keys are fetched where a route leads to their issuer': (objects) =>
    ofKind<IRequestAuthentication>(objects, 'RequestAuthentication').flatMap((authentication) =>
      (authentication.spec?.jwtRules ?? []).flatMap(({ issuer, jwksUri }) => {
        if (!jwksUri) return [];
        const { hostname, pathname, origin } = new URL(jwksUri);
        const route = ofKind<IHTTPRoute>(objects, 'HTTPRoute').find(({ spec }) => spec.hostnames?.includes(hostname));
        const backend = route?.spec.rules?.[0]?.backendRefs?.[0]?.name;
        const isTheirs = services(objects).some(
          ({ name }) => name === backend && settingsOf(objects, name).PUBLIC_URL === issuer,
        );
        const isFine = origin === issuer && pathname === '/.well-known/jwks.json' && isTheirs;
        return isFine ? [] : [`${nameOf(authentication)}: ${jwksUri}`];
      }),
    ),

  'every service says who may call it, by accounts and ports that exist': (objects) =>
    services(objects).flatMap((service) => {
      const rules = ofKind<IAuthorizationPolicy>(objects, 'AuthorizationPolicy')
        .filter(({ spec }) => spec?.action === 'ALLOW' && matches(spec.selector?.matchLabels, service.labels))
        .flatMap(({ spec }) => spec?.rules ?? []);
      const ports = [portNamed(service, 'http'), portNamed(service, 'management')].map(String);
      const accounts = new Set(accountsOf(objects));
      const operations = rules.flatMap(({ to }) => (to ?? []).map(({ operation }) => operation));
      const principals = rules.flatMap(({ from }) => (from ?? []).flatMap(({ source }) => source?.principals ?? []));
      // Only the management port is open to whoever the NetworkPolicy lets there.
      const open = rules
        .filter(({ from }) => !from)
        .flatMap(({ to }) => to?.flatMap(({ operation }) => operation?.ports ?? ['any']));
      return [
        ...(rules.length === 0 ? ['nothing'] : []),
        ...operations.flatMap((operation) => operation?.ports ?? ['any']).filter((port) => !ports.includes(port)),
        ...principals.filter((principal) => !accounts.has(principal)),
        ...open.filter((port) => port !== ports[1]),
      ].map((problem) => `${service.name}: ${problem}`);
    }),

  'whole APIs are for the edge, and those of the services for the pages too': (objects) =>
    services(objects).flatMap((service) => {
      const port = String(portNamed(service, 'http'));
      const callers = ofKind<IAuthorizationPolicy>(objects, 'AuthorizationPolicy')
        .filter(({ spec }) => matches(spec?.selector?.matchLabels, service.labels))
        .flatMap(({ spec }) => spec?.rules ?? [])
        .filter(({ to }) => to?.some(({ operation }) => operation?.ports?.includes(port) && !operation.paths))
        .flatMap(({ from }) => (from ?? []).flatMap(({ source }) => source?.principals ?? []))
        .sort();
      const expected = [
        ...gatewayAccounts(objects),
        ...(isOfPages(service) ? [] : [`cluster.local/ns/${service.namespace}/sa/web`]),
      ].sort();
      return String(callers) === String(expected) ? [] : [`${service.name}: ${callers}`];
    }),

  'only mutual TLS gets in, the management port aside': (objects) => {
    const all = ofKind<IPeerAuthentication>(objects, 'PeerAuthentication');
    const weak = all.filter(({ spec }) => spec?.mtls?.mode !== 'STRICT').map(nameOf);
    const exceptions = all.flatMap(({ spec }) => Object.keys(spec?.portLevelMtls ?? {})).sort();
    const expected = services(objects)
      .flatMap((service) => portNamed(service, 'management') ?? [])
      .map(String)
      .sort();
    const isForAll = all.some(({ spec }) => !spec?.selector);
    return [
      ...weak,
      ...(isForAll ? [] : ['nothing is said for the namespace']),
      ...(String(exceptions) === String(expected) ? [] : [`exceptions: ${exceptions}`]),
    ];
  },

  'every service is limited, and left out when it fails': (objects) =>
    services(objects).flatMap((service) => {
      const filters = ofKind<{ spec: { configPatches: { match: { listener: { portNumber: number } } }[] } }>(
        objects,
        'EnvoyFilter',
      );
      const limited = filters.some(
        ({ spec }) => spec.configPatches[0]?.match.listener.portNumber === portNamed(service, 'http'),
      );
      const rules = ofKind<IDestinationRule>(objects, 'DestinationRule');
      const watched = rules.some(
        ({ spec }) =>
          spec?.host === `${service.name}.${service.namespace}.svc.cluster.local` &&
          spec.trafficPolicy?.outlierDetection,
      );
      return limited && watched ? [] : [service.name];
    }),

  'the proxy of a service outlives it, so that what it finishes on SIGTERM gets out': (objects) =>
    services(objects)
      .filter(({ annotations }) => annotations['sidecar.istio.io/nativeSidecar'] !== 'true')
      .map(({ name }) => name),

  'no service speaks TLS by itself, which the mesh could not see into': (objects) =>
    services(objects)
      .filter(({ name }) => settingsOf(objects, name).TLS_CERT_FILE)
      .map(({ name }) => name),
};

/** Those of its configuration, and itself where it signs tokens. */
function issuersOf(objects: KubernetesObject[], { name }: Workload): string[] {
  const { PUBLIC_URL: own, TRUSTED_ISSUERS: others = '[]' } = settingsOf(objects, name);
  return [...(own ? [own] : []), ...(JSON.parse(others) as TrustedIssuer[]).map(({ issuer }) => issuer)];
}

/** As Istio writes them. */
const accountsOf = (objects: KubernetesObject[]): string[] => [
  ...ofKind(objects, 'ServiceAccount').map(({ metadata }) => accountOf(metadata.namespace, metadata.name)),
  ...gatewayAccounts(objects),
];

/** Istio makes an account for each Gateway, named for it and the class. */
const gatewayAccounts = (objects: KubernetesObject[]): string[] =>
  ofKind<IGateway>(objects, 'Gateway').map(({ metadata, spec }) =>
    accountOf(metadata.namespace, `${metadata.name}-${spec.gatewayClassName}`),
  );

const accountOf = (namespace: string | undefined, name: string) => `cluster.local/ns/${namespace}/sa/${name}`;
