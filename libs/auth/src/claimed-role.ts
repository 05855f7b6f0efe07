import type { Role } from '@cabstand/contracts';
import type { TrustedIssuer } from './variables.ts';

/**
 * The role that the claims say, if the issuer may grant it. A claim of several names must come to one role: nobody is
 * two things at once, and guessing which one was meant would be ours to answer for.
 */
export function claimedRole(issuer: TrustedIssuer, claims: object): Role | undefined {
  const claimed = valueAt(claims, issuer.roleClaim ?? 'role');
  const names: unknown[] = issuer.roleClaim !== undefined && Array.isArray(claimed) ? claimed : [claimed];
  const ours = names.map((name) => (issuer.roleNames ? roleNamed(issuer.roleNames, name) : name));
  const granted = new Set(issuer.roles.filter((role) => ours.includes(role)));
  return granted.size === 1 ? [...granted][0] : undefined;
}

const roleNamed = (names: Record<string, Role>, name: unknown) =>
  typeof name === 'string' && Object.hasOwn(names, name) ? names[name] : undefined;

/** A claim may be named like a URL: the whole path is tried as a name before it is taken apart. */
function valueAt(claims: object, path: string): unknown {
  const step = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, name)
      ? (value as Record<string, unknown>)[name]
      : undefined;
  return step(claims, path) ?? path.split('.').reduce(step, claims as unknown);
}
