import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isIPv4, isIPv6 } from 'node:net';

/** One line of the many that share it when nobody can say where a request came from. */
const UNKNOWN = 'unknown';

/**
 * What counts as one caller where nobody has signed in: an IPv4 address, or the /64 that an IPv6 customer is given
 * (RFC 6177) and could pick a new address from for each request. IPv4 in IPv6 clothes is IPv4.
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined || isIPv4(address)) return address ?? UNKNOWN;
  const [withoutZone] = address.split('%');
  if (!isIPv6(withoutZone!)) return UNKNOWN;
  const groups = groupsOf(withoutZone!);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [groups[6]! >> 8, groups[6]! & 0xff, groups[7]! >> 8, groups[7]! & 0xff].join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The network that the request came from; `X-Forwarded-For` counts from TRUSTED_PROXIES only. */
export const ClientNetwork = createParamDecorator((_: unknown, context: ExecutionContext): string =>
  networkOf(context.switchToHttp().getRequest<FastifyRequest>().ip),
);

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  // As URL writes it: lower case, an IPv4 tail as two groups, the longest run of zeros as `::`.
  const [head, tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const parse = (part: string | undefined) => (part ? part.split(':').map((group) => parseInt(group, 16)) : []);
  const before = parse(head);
  const after = parse(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}
