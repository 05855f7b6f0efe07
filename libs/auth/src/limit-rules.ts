import { z } from 'zod';

interface LimitRule {
  /** Waits for the count of all replicas before it answers; the others learn of it within a second. */
  exact: boolean;
  /** What a deployed service should allow, as `calls/duration`. */
  production: string;
}

/**
 * Every limit there is. A route counts under one of them, whatever its URL: `@Limited('…')` says which, and without it
 * a route is `read` or `write`, or `public` when it needs no token. Calls with a token count for the principal, others for
 * the network, which may be a whole company or a mobile carrier's customers: those leave room for many people.
 * Failed sign-ins are counted besides, for each account: see sign-in-limits.ts.
 */
export const LIMIT_RULES = {
  /** The answer tells whether an e-mail is known: at this pace nobody lists the customers. */
  registration: { exact: true, production: '30/1h' },
  'sign-in': { exact: true, production: '60/1m' },
  refresh: { exact: false, production: '1200/1m' },
  public: { exact: false, production: '1200/1m' },
  /** Checks a password, as signing in does. */
  password: { exact: true, production: '10/10m' },
  /** Reads everything, and may encrypt it. */
  export: { exact: false, production: '10/10m' },
  read: { exact: false, production: '600/1m' },
  write: { exact: false, production: '120/1m' },
  positions: { exact: false, production: '180/1m' },
  /** Opening one; how many may be open is STREAMS_PER_PRINCIPAL. */
  stream: { exact: false, production: '60/1m' },
} as const satisfies Record<string, LimitRule>;
export type LimitName = keyof typeof LIMIT_RULES;

export interface Limit {
  name: LimitName;
  exact: boolean;
  calls: number;
  windowMs: number;
  /** As a header says it. */
  policy: string;
}

/** High enough for a whole city, all test suites and a benchmark from one address. */
const LOCAL = '10000000/1m';
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
const RATE = /^([1-9]\d{0,8})\/([1-9]\d{0,3})([smh])$/;

export class LimitSettings {
  readonly preset: 'local' | 'production';
  readonly limits: Readonly<Record<LimitName, Limit>>;

  /** @throws Error for a preset, limit or rate that does not exist */
  constructor(written = 'local') {
    const [preset, ...own] = written.split(',').map((item) => item.trim());
    if (preset !== 'local' && preset !== 'production') throw new Error('must begin with local or production');
    this.preset = preset;
    const rates = new Map(
      Object.entries(LIMIT_RULES).map(([name, { production }]) => [name, preset === 'local' ? LOCAL : production]),
    );
    for (const item of own) {
      const [name = '', rate = ''] = item.split('=');
      if (!rates.has(name)) throw new Error(`names limits; ${[...rates.keys()].join(', ')} are known`);
      rates.set(name, rate);
    }
    const limitOf = (name: LimitName): Limit => {
      const { calls, windowMs } = rateOf(rates.get(name)!);
      const policy = `"${name}";q=${calls};w=${windowMs / 1_000}`;
      return { name, exact: LIMIT_RULES[name].exact, calls, windowMs, policy };
    };
    const names = Object.keys(LIMIT_RULES) as LimitName[];
    this.limits = Object.fromEntries(names.map((name) => [name, limitOf(name)])) as Record<LimitName, Limit>;
  }
}

function rateOf(written: string): Pick<Limit, 'calls' | 'windowMs'> {
  const [, calls, count, unit] = RATE.exec(written) ?? [];
  if (!calls) throw new Error('must give rates such as read=600/1m');
  return { calls: Number(calls), windowMs: Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS] };
}

/** The environment variable LIMITS: `local` or `production`, and after it limits of one's own. */
export const limitsVariable = () =>
  z
    .string()
    .transform((written, context) => {
      try {
        return new LimitSettings(written);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    })
    .prefault('local');
