import fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { serve, type Commands } from '../../harness/worker.ts';
import type { Settings } from '../../harness/service-runtime.ts';

/** The columns that a trip is shown with, and the people of it. */
const READ_TRIP = `
    SELECT t.id, t.status, t.passenger_id, t.driver_id, t.pickup, t.dropoff, t.fare_minor, t.currency, t.distance_m,
           t.duration_s, t.requested_at, t.accepted_at, t.arrived_at, t.started_at, t.completed_at, t.cancelled_at,
           t.cancelled_by, p.first_name AS passenger_first_name, d.first_name AS driver_first_name, d.vehicle,
           d.stars_total, d.ratings_count
      FROM trips t LEFT JOIN passengers p ON p.id = t.passenger_id LEFT JOIN drivers d ON d.id = t.driver_id
     WHERE t.id = $1`;

/** Fastify as it comes, without authentication: nothing that answers over HTTP is faster on it. */
serve(async ({ databaseUrl }: Settings): Promise<Commands> => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const app = fastify();
  app.get('/noop', () => ({ ok: true }));
  app.get<{ Params: { id: string } }>('/trips/:id', async (request, reply) => {
    const { rows } = await pool.query<Record<string, unknown>>(READ_TRIP, [request.params.id]);
    return rows[0] ?? reply.code(404).send({});
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: () => (app.server.address() as AddressInfo).port };
});
