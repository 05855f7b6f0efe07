import { MASK, roundToKilometre } from '@cabstand/auth';

/** What our own messages call things that tell nothing of a person. */
const HARMLESS = new Set([
  ...['type', 'status', 'reason', 'cancelledBy', 'rateeRole', 'issuer', 'driverIssuer', 'make', 'model', 'colour'],
  ...['currency', 'fareMinor', 'distanceM', 'durationS', 'stars', 'count', 'sequence', 'headingDeg', 'speedMps'],
  ...['contentType', 'deliveryMode', 'expiration', 'priority', 'timestamp', 'appId'],
  ...['id', 'source', 'time', 'subject', 'sequence', 'specversion', 'traceparent', 'tracestate', 'type'].map(
    (attribute) => `cloudEvents:${attribute}`,
  ),
]);
const COORDINATES = new Set(['lat', 'lng']);
const ID_OR_TIME = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z)$/;
const NAME = /^[a-zA-Z][\w:-]{0,39}$/;

/**
 * A message without personal data, whatever it says: what isn't known to be harmless by its name or its form is
 * masked, names of fields that are none of ours too, because a message that is set aside may be anybody's nonsense.
 */
export function masked(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => masked(item, name));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [NAME.test(key) ? key : MASK, masked(item, key)]),
    );
  if (value === null || typeof value === 'boolean' || HARMLESS.has(name)) return value;
  if (typeof value === 'number' && COORDINATES.has(name)) return roundToKilometre(value);
  return typeof value === 'string' && ID_OR_TIME.test(value) ? value : MASK;
}
