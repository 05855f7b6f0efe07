import { Email, Password, PersonName, Phone } from '@cabstand/auth';
import { z } from 'zod';
import type { Passenger } from './passenger.entity.ts';

export const RegisterPassenger = z.strictObject({ email: Email, password: Password, name: PersonName, phone: Phone });
export type RegisterPassenger = z.infer<typeof RegisterPassenger>;

export const UpdatePassenger = z.strictObject({ name: PersonName.optional(), phone: Phone.optional() });
export type UpdatePassenger = z.infer<typeof UpdatePassenger>;

export const PassengerView = z
  .strictObject({
    id: z.uuid(),
    email: z.string(),
    name: z.string(),
    phone: z.string(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Passenger' });
export type PassengerView = z.infer<typeof PassengerView>;

export const OwnPassengerView = z
  .strictObject({
    ...PassengerView.shape,
    /** Average of the stars that drivers gave, to one decimal; null before the first. */
    rating: z.number().nullable(),
  })
  .meta({ id: 'OwnPassenger' });
export type OwnPassengerView = z.infer<typeof OwnPassengerView>;

/** Everything that this service holds about a person. */
export const PassengerExport = z
  .strictObject({
    passenger: OwnPassengerView,
    suspendedAt: z.iso.datetime().nullable(),
    sessions: z.array(
      z.strictObject({ id: z.uuid(), createdAt: z.iso.datetime(), endedAt: z.iso.datetime().nullable() }),
    ),
    tripIds: z.array(z.uuid()),
  })
  .meta({ id: 'PassengerExport' });
export type PassengerExport = z.infer<typeof PassengerExport>;

/** What an operator is told: nothing personal. */
export const StandingView = z.strictObject({ id: z.uuid(), suspended: z.boolean() }).meta({ id: 'Standing' });
export type StandingView = z.infer<typeof StandingView>;

export const toView = ({ id, email, name, phone, createdAt }: Passenger): PassengerView => ({
  id,
  email,
  name,
  phone,
  createdAt: createdAt.toISOString(),
});

export const toOwnView = (passenger: Passenger): OwnPassengerView => ({
  ...toView(passenger),
  rating: rating(passenger.starsTotal, passenger.ratingsCount),
});

export const rating = (starsTotal: number, ratingsCount: number): number | null =>
  ratingsCount === 0 ? null : Math.round((starsTotal / ratingsCount) * 10) / 10;
