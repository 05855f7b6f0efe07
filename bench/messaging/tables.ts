import { EntitySchema } from 'typeorm';

/** Business rows, the same for everything that is measured. */
export const PUBLISHER_TABLES = `
  CREATE TABLE rides (id uuid PRIMARY KEY, status text NOT NULL, note text NOT NULL, noted_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE polled_outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, type text NOT NULL,
    payload jsonb NOT NULL, published_at timestamptz);
  CREATE INDEX polled_outbox_unpublished ON polled_outbox (position) WHERE published_at IS NULL`;

export const CONSUMER_TABLES = `
  CREATE TABLE seen_rides (event_id uuid NOT NULL, ride_id uuid NOT NULL, note text NOT NULL, seen_at timestamptz NOT NULL DEFAULT now())`;

interface SeenRideRow {
  eventId: string;
  rideId: string;
  note: string;
}
export const SeenRide = new EntitySchema<SeenRideRow>({
  name: 'SeenRide',
  tableName: 'seen_rides',
  columns: {
    eventId: { name: 'event_id', type: 'uuid', primary: true },
    rideId: { name: 'ride_id', type: 'uuid' },
    note: { type: 'text' },
  },
});

export const INSERT_RIDE = `INSERT INTO rides (id, status, note) VALUES ($1, 'requested', $2)`;
export const INSERT_SEEN_RIDE = 'INSERT INTO seen_rides (event_id, ride_id, note) VALUES ($1, $2, $3)';
export const INSERT_SEEN_RIDES =
  'INSERT INTO seen_rides (event_id, ride_id, note) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])';
/** As in the library: no row comes back for an event that was handled before. */
export const INSERT_INBOX = 'INSERT INTO inbox (message_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING message_id';
