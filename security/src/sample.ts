import { randomUUID, randomUUIDv7 } from 'node:crypto';
import type { JsonSchema } from './openapi.ts';

const password = () => 'a long enough password';

/** Values that a field's schema alone doesn't lead to. */
const GOOD: Record<string, () => unknown> = {
  email: () => `${randomUUID()}@example.com`,
  phone: () => '+49 30 1234567',
  password: password,
  newPassword: password,
  currentPassword: password,
  queue: () => 'driver.trip-events',
  // Far from everybody else's, and from the dropoff by a ride.
  pickup: () => ({ lat: 10, lng: 10 }),
  dropoff: () => ({ lat: 10.02, lng: 10 }),
};

/** A body that the schema allows. */
export function sample(schema: JsonSchema, name = ''): unknown {
  const good = GOOD[name];
  if (good) return good();
  if (schema.enum) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.anyOf) return sample(schema.anyOf[0]!, name);
  if (schema.type === 'object') {
    const properties = Object.entries(schema.properties ?? {});
    return Object.fromEntries(properties.map(([key, inner]) => [key, sample(inner, key)]));
  }
  if (schema.type === 'array') return [sample(schema.items!, name)];
  if (schema.type === 'integer' || schema.type === 'number') return Math.max(schema.minimum ?? 0, 1);
  if (schema.format === 'uuid') return randomUUIDv7();
  if (schema.format === 'date-time') return new Date().toISOString();
  return 'B-CS 12';
}
