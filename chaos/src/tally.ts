/** What is known after a run, when everything has come to rest. Tokens name transactions. */
export interface Evidence {
  attempted: Set<string>;
  acknowledged: Set<string>;
  /** In the publisher's table; `poison` are those that no handler can handle. */
  committed: Set<string>;
  poison: Set<string>;
  /** As they came to a queue that is bound to everything. */
  publications: { token: string; subject: string; sequence: number }[];
  /** In the consumer's table. */
  effects: string[];
  deadLetters: string[];
  /** Rows and messages that are still under way. */
  stuck: number;
}

export interface Tally {
  attempted: number;
  acknowledged: number;
  committed: number;
  published: number;
  /** Allowed: the inbox drops them. */
  publishedAgain: number;
  effects: number;
  deadLetters: number;
  /** All of these have to be 0. */
  acknowledgedButNotCommitted: number;
  publishedWithoutCommit: number;
  neverPublished: number;
  outOfOrder: number;
  lost: number;
  duplicated: number;
  wronglyDead: number;
  stuck: number;
}

export const FAULTS = [
  'acknowledgedButNotCommitted',
  'publishedWithoutCommit',
  'neverPublished',
  'outOfOrder',
  'lost',
  'duplicated',
  'wronglyDead',
  'stuck',
] as const satisfies (keyof Tally)[];

/** Adds up in the manner of Jepsen's total-queue: what went in has to come out, once. */
export function tallyOf(evidence: Evidence): Tally {
  const { attempted, acknowledged, committed, poison, publications, effects, deadLetters } = evidence;
  const published = new Set(publications.map(({ token }) => token));
  const outcomes = [...effects, ...deadLetters];
  const ended = new Set(outcomes);
  const missingFrom = (set: Set<string>, tokens: Iterable<string>) =>
    [...tokens].filter((token) => !set.has(token)).length;
  return {
    attempted: attempted.size,
    acknowledged: acknowledged.size,
    committed: committed.size,
    published: published.size,
    publishedAgain: publications.length - published.size,
    effects: effects.length,
    deadLetters: deadLetters.length,
    acknowledgedButNotCommitted: missingFrom(committed, acknowledged),
    publishedWithoutCommit: missingFrom(committed, new Set([...published, ...ended])),
    neverPublished: missingFrom(published, committed),
    outOfOrder: outOfOrder(publications),
    lost: missingFrom(ended, committed),
    duplicated: outcomes.length - ended.size,
    wronglyDead: missingFrom(poison, deadLetters) + effects.filter((token) => poison.has(token)).length,
    stuck: evidence.stuck,
  };
}

/** Counts first publications that come after one of the same subject with a higher sequence. */
function outOfOrder(publications: Evidence['publications']): number {
  const highest = new Map<string, number>();
  const seen = new Set<string>();
  let count = 0;
  for (const { token, subject, sequence } of publications) {
    if (seen.has(token)) continue;
    seen.add(token);
    if (sequence < (highest.get(subject) ?? 0)) count += 1;
    else highest.set(subject, sequence);
  }
  return count;
}
