import { z } from 'zod';

/** WGS 84 position in decimal degrees. */
export const GeoPoint = z.strictObject({
  lat: z.number().min(-90).max(90),
  lng: z.number().min(-180).max(180),
});
export type GeoPoint = z.infer<typeof GeoPoint>;

/** ISO 4217 alphabetic code. */
export const Currency = z.string().regex(/^[A-Z]{3}$/);
export type Currency = z.infer<typeof Currency>;

/** RFC 3339 date-time in UTC. */
export const Timestamp = z.iso.datetime();

/** What a passenger must see to recognise the car, and no more. */
export const Vehicle = z.strictObject({
  make: z.string().min(1).max(40),
  model: z.string().min(1).max(40),
  colour: z.string().min(1).max(30),
  plate: z.string().min(2).max(15),
});
export type Vehicle = z.infer<typeof Vehicle>;

export const TripStatus = z.enum([
  'requested',
  'accepted',
  'arrived',
  'in_progress',
  'completed',
  'cancelled',
  'unfulfilled',
]);
export type TripStatus = z.infer<typeof TripStatus>;

export const Role = z.enum(['passenger', 'driver', 'operator']);
export type Role = z.infer<typeof Role>;
