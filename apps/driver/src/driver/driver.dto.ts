import { Email, Password, PersonName, Phone } from '@cabstand/auth';
import { GeoPoint, Timestamp, Vehicle } from '@cabstand/contracts';
import { z } from 'zod';
import type { Availability } from '../dispatch/availability.entity.ts';
import type { Driver } from './driver.entity.ts';

/** Text without control characters, which PostgreSQL wouldn't store and nobody could read. */
const PRINTABLE = /^[^\p{C}]*$/u;
const LicenceNumber = z.string().trim().min(1).max(30).regex(PRINTABLE, 'must not contain control characters');
const RegisteredVehicle = Vehicle.refine(
  (vehicle) => Object.values(vehicle).every((text) => PRINTABLE.test(text)),
  'must not contain control characters',
);

export const DriverId = z.uuid();

export const Registration = z.strictObject({
  email: Email,
  password: Password,
  name: PersonName,
  phone: Phone,
  licenceNumber: LicenceNumber,
  vehicle: RegisteredVehicle,
});
export type Registration = z.infer<typeof Registration>;

export const ProfileChange = Registration.pick({
  name: true,
  phone: true,
  licenceNumber: true,
  vehicle: true,
}).partial();
export type ProfileChange = z.infer<typeof ProfileChange>;

export const AvailabilityChange = z.strictObject({ status: z.enum(['online', 'offline']) });
export type AvailabilityChange = z.infer<typeof AvailabilityChange>;

export const DriverView = z
  .strictObject({
    id: z.uuid(),
    email: z.string(),
    name: z.string(),
    phone: z.string(),
    licenceNumber: z.string(),
    vehicle: Vehicle,
    status: z.enum(['online', 'offline']),
    /** Average stars given by passengers, to two decimals; null before the first. */
    rating: z.number().nullable(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Driver' });
export type DriverView = z.infer<typeof DriverView>;

/** What an operator's call answers: whether the driver may work, and nothing of the person. */
export const StandingView = z.strictObject({ id: z.uuid(), suspended: z.boolean() }).meta({ id: 'Standing' });
export type StandingView = z.infer<typeof StandingView>;

/** Everything this service holds about a person (GDPR, article 20), without secrets. */
export const DriverExport = z
  .strictObject({
    profile: DriverView,
    suspended: z.boolean(),
    ratings: z.strictObject({ count: z.int(), starsTotal: z.int() }),
    position: z
      .strictObject({
        ...GeoPoint.shape,
        headingDeg: z.number().nullable(),
        speedMps: z.number().nullable(),
        at: Timestamp,
      })
      .nullable(),
    offers: z.array(
      z.strictObject({
        offerId: z.uuid(),
        tripId: z.uuid(),
        status: z.string(),
        offeredAt: Timestamp,
        pickupDistanceM: z.int(),
      }),
    ),
    sessions: z.array(z.strictObject({ id: z.uuid(), createdAt: Timestamp, endedAt: Timestamp.nullable() })),
    exportedAt: Timestamp,
  })
  .meta({ id: 'DriverExport' });
export type DriverExport = z.infer<typeof DriverExport>;

export function toView(driver: Driver, { status }: Pick<Availability, 'status'>): DriverView {
  const { id, email, name, phone, licenceNumber, vehicle, starsTotal, ratingsCount, createdAt } = driver;
  const rating = ratingsCount === 0 ? null : Math.round((100 * starsTotal) / ratingsCount) / 100;
  return { id, email, name, phone, licenceNumber, vehicle, status, rating, createdAt: createdAt.toISOString() };
}
