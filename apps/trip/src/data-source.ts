import { authEntities, authMigrations } from '@cabstand/auth';
import { messagingEntities, messagingMigrations } from '@cabstand/messaging';
import { idempotencyEntities, idempotencyMigrations } from '@cabstand/service-defaults';
import { CreateTrips1760000000000 } from './migrations/1760000000000-create-trips.ts';
import { Driver } from './people/driver.entity.ts';
import { Passenger } from './people/passenger.entity.ts';
import { Quote } from './quote/quote.entity.ts';
import { Rating } from './trip/rating.entity.ts';
import { Trip, TripSnapshot } from './trip/trip.entity.ts';

/** What this service keeps in its database. */
export const entities = [
  ...[Trip, TripSnapshot, Rating, Quote, Passenger, Driver],
  ...[...messagingEntities, ...authEntities, ...idempotencyEntities],
];

/** How the tables came to be, oldest first. */
export const migrations = [
  ...[...messagingMigrations, ...authMigrations, ...idempotencyMigrations],
  CreateTrips1760000000000,
];
