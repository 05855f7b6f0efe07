import type { EventDefinition } from './define-event.ts';
import * as dispatch from './dispatch-events.ts';
import * as driver from './driver-events.ts';
import * as identity from './identity-events.ts';
import * as passenger from './passenger-events.ts';
import * as trip from './trip-events.ts';

/** Every event of the platform. Topology, permissions and AsyncAPI are generated from this list. */
export const EVENTS: readonly EventDefinition[] = [passenger, driver, dispatch, trip, identity].flatMap((module) =>
  Object.values(module),
);
