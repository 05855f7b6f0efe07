import type { ServiceName } from '@cabstand/contracts';

/** What a replica is told, as JSON in CHAOS_REPLICA. */
export interface ReplicaOptions {
  service: ServiceName;
  databaseUrl: string;
  amqpUrl: string;
  /** Where writers note what they attempt and what was acknowledged to them. */
  journal: string;
  seed: number;
  writers: number;
  pauseMs: number;
  /** Makes the tables and ends. */
  migrate: boolean;
}

/** Fares that make the consumer fail: always, or at the first attempt. */
export const POISON_FARE = 2;
export const FLAKY_FARE = 3;
