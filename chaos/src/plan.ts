import { SERVICES, type ServiceName } from '@cabstand/contracts';
import type { Random } from './random.ts';
import { STEPS, type ServiceKill } from './rides.ts';
import { DATABASE_FAULTS, type DatabaseFault } from './servers.ts';

export const LINK_FAULTS = ['latency', 'throttling', 'blackhole', 'reset', 'half-open'] as const;
export type LinkFault = (typeof LINK_FAULTS)[number];

/** One thing that goes wrong below the services. */
export type Fault =
  | { kind: 'broker' }
  | { kind: 'database'; service: ServiceName; fault: DatabaseFault }
  | { kind: 'link'; to: ServiceName | 'broker'; fault: LinkFault };

/** Everything that a run does, decided by its seed before it begins. */
export interface Plan {
  pairs: number;
  writers: number;
  /** One PostgreSQL for each service, so that each can fail alone. */
  separateDatabases: boolean;
  serviceKills: ServiceKill[];
  faults: (Fault & { afterMs: number })[];
  frozenMs: number;
  linkBadMs: number;
}

const DELAYS_MS = [0, 3, 15, 60];
/** Every step of every service, at several moments: 120. */
const EVERY_KILL = SERVICES.flatMap((service) =>
  STEPS.flatMap((step) => DELAYS_MS.map((afterMs): ServiceKill => ({ service, step, afterMs }))),
);

export function planOf(mode: 'quick' | 'full', random: Random): Plan {
  const kills = random.shuffled(EVERY_KILL);
  const brokerKills = (count: number) => Array.from({ length: count }, (): Fault => ({ kind: 'broker' }));
  const inRandomOrder = (faults: Fault[]) =>
    random.shuffled(faults).map((fault) => ({ ...fault, afterMs: random.between(0, 3_000) }));
  if (mode === 'quick') {
    return {
      ...{ pairs: 4, writers: 3, separateDatabases: false, frozenMs: 0, linkBadMs: 0 },
      serviceKills: kills.slice(0, 10),
      faults: inRandomOrder(brokerKills(3)),
    };
  }
  const databases = SERVICES.flatMap((service) =>
    DATABASE_FAULTS.map((fault): Fault => ({ kind: 'database', service, fault })),
  );
  const links = [...SERVICES, 'broker' as const].flatMap((to) =>
    LINK_FAULTS.map((fault): Fault => ({ kind: 'link', to, fault })),
  );
  return {
    ...{ pairs: 6, writers: 3, separateDatabases: true, frozenMs: 30_000, linkBadMs: 12_000 },
    serviceKills: kills,
    faults: inRandomOrder([...brokerKills(30), ...databases, ...links]),
  };
}
