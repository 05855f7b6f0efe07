import type { IHTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute';
import { SERVICES } from '@cabstand/contracts';
import { ofKind, type KubernetesObject } from './objects.ts';
import { portNamed, services, settingsOf } from './pods.ts';
import type { Rule } from './workload-rules.ts';

interface TrustedIssuer {
  issuer: string;
  roles: string[];
}

/** What the pages and the services are told of each other has to fit. */
export const PAGES_RULES: Record<string, Rule> = {
  'the pages hand calls on to where each service listens, as it speaks': (objects) =>
    SERVICES.flatMap((service) => {
      const workload = services(objects).find(({ name }) => name === service)!;
      const { protocol, hostname, port } = new URL(settingsOf(objects, 'web')[`${service.toUpperCase()}_URL`]!);
      const isThere = [service, `${service}.${workload.namespace}.svc`].includes(hostname);
      const speaks = settingsOf(objects, service).TLS_CERT_FILE ? 'https:' : 'http:';
      return isThere && port === String(portNamed(workload, 'http')) && protocol === speaks
        ? []
        : [`${service}: ${protocol}//${hostname}:${port}`];
    }),

  'services let the pages call that have a route, with their cookies': (objects) => {
    const routes = ofKind<IHTTPRoute>(objects, 'HTTPRoute').filter(({ metadata }) => metadata.name === 'web');
    // Without an edge, pages are at the port that is forwarded, which services expect where they are told nothing.
    const expected = routes.flatMap(({ spec }) => spec.hostnames ?? []).map((host) => `https://${host}`);
    return SERVICES.filter((service) => (settingsOf(objects, service).WEB_ORIGINS ?? '') !== expected.join());
  },

  'operators sign in at an issuer whom every service believes': (objects) => {
    const issuer = settingsOf(objects, 'web').OPERATOR_ISSUER;
    if (!issuer) return [];
    return SERVICES.filter(
      (service) =>
        !believed(objects, service).some((each) => each.issuer === issuer && each.roles.includes('operator')),
    );
  },
};

const believed = (objects: KubernetesObject[], service: string) =>
  JSON.parse(settingsOf(objects, service).TRUSTED_ISSUERS ?? '[]') as TrustedIssuer[];
