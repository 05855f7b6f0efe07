/**
 * How much of a field somebody sees.
 *
 * | form     | of a point                       | of text |
 * |----------|----------------------------------|---------|
 * | `whole`  | as it is                         | as it is |
 * | `coarse` | two decimals, which is about 1 km | –      |
 * | `masked` | –                                | `***`   |
 */
export type Form = 'whole' | 'coarse' | 'masked';

/** Tells nothing, not even the length. */
export const MASK = '***';

/** Two decimals of a degree: 1.1 km from north to south, less from east to west. */
export const roundToKilometre = (degrees: number): number => Math.round(degrees * 100) / 100;

/** @throws TypeError for a value that has no such form: a policy that is wrong shows nothing */
export function inForm<Value>(form: Form, value: Value): Value {
  if (form === 'whole' || value === null || value === undefined) return value;
  if (form === 'masked' && typeof value === 'string') return MASK as Value;
  if (form === 'coarse' && isPoint(value))
    return { ...value, lat: roundToKilometre(value.lat), lng: roundToKilometre(value.lng) };
  throw new TypeError(`this field cannot be shown as ${form}`);
}

const isPoint = (value: unknown): value is { lat: number; lng: number } =>
  typeof value === 'object' && value !== null && 'lat' in value && 'lng' in value;
