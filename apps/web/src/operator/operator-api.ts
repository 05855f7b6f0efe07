import { createContext, useContext } from 'react';
import { driverApi, passengerApi, tripApi } from '../api/client.ts';
import type { components } from '../api/generated/trip.d.ts';
import { ApiProblem, type Problem } from '../api/problem.ts';
import type { OperatorSession } from './operator-session.ts';

export const SERVICES = ['passenger', 'driver', 'trip'] as const;
export type Service = (typeof SERVICES)[number];
export type Span = {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  startedAtMs: number;
  endedAtMs: number;
  hasFailed: boolean;
  attributes: Record<string, unknown>;
};
export interface Spread {
  p50: number;
  p99: number;
}
/** How long the simulated city's last trips took to find a driver, in ms; null before the first. */
export interface CityTimes {
  requestToOfferMs: Spread | null;
  offerToAcceptMs: Spread | null;
}
export type Components = components;

/** What an operator asks the services, and on a developer's machine the local server. */
export class OperatorApi {
  readonly session: OperatorSession;
  readonly passenger;
  readonly driver;
  readonly trip;

  constructor(session: OperatorSession) {
    this.session = session;
    this.passenger = passengerApi(session);
    this.driver = driverApi(session);
    this.trip = tripApi(session);
  }

  /** The calls that every service has; their types are the same in each. */
  of(service: Service) {
    return service === 'passenger'
      ? (this.passenger as unknown as typeof this.trip)
      : service === 'driver'
        ? (this.driver as unknown as typeof this.trip)
        : this.trip;
  }

  switchConsumer(service: Service, queue: string, state: 'running' | 'stopped'): Promise<unknown> {
    return this.#ask('PUT', `/api/${service}/v1/ops/faults/consumers/${queue}`, { state });
  }

  switchRelay(service: Service, state: 'running' | 'paused'): Promise<unknown> {
    return this.#ask('PUT', `/api/${service}/v1/ops/faults/relay`, { state });
  }

  poison(queue: string): Promise<unknown> {
    return this.#ask('POST', '/api/local/poison', { queue });
  }

  kill(service: Service): Promise<unknown> {
    return this.#ask('POST', `/api/local/services/${service}/kill`, {});
  }

  /** Null where no city is simulated. */
  async city(): Promise<CityTimes | null> {
    const { report } = (await this.#ask('GET', '/api/local/city')) as { report: CityTimes | null };
    return report;
  }

  async traces(tripId: string): Promise<Span[]> {
    const { spans } = (await this.#ask('GET', `/api/local/traces?tripId=${tripId}`)) as { spans: Span[] };
    return spans;
  }

  /** For calls that are in no contract, because they exist on a developer's machine only. @throws ApiProblem */
  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const authorization = `Bearer ${await this.session.token()}`;
    const response = await fetch(path, {
      method,
      headers: { authorization, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : null,
    }).catch(() => {
      throw new ApiProblem(0);
    });
    const answer: unknown = await response.json().catch(() => ({}));
    if (!response.ok) throw new ApiProblem(response.status, answer as Partial<Problem>);
    return answer;
  }
}

const OperatorApiContext = createContext<OperatorApi | null>(null);
export const OperatorApiProvider = OperatorApiContext.Provider;

export function useOperatorApi(): OperatorApi {
  const api = useContext(OperatorApiContext);
  if (!api) throw new Error('nobody is signed in here');
  return api;
}
