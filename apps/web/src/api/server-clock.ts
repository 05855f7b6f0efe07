/** An answer's `Date` is in whole seconds, and was on its way: what differs less than this is no difference. */
const PRECISION_MS = 2_000;

let offsetMs = 0;

/**
 * What time it is at the services, as far as their answers have said so: a device's clock may be wrong by minutes, and what
 * expires does so by theirs.
 */
export const serverNowMs = (): number => Date.now() + offsetMs;

/** Takes an answer's word for what time it is. */
export function noteServerTime({ headers }: Response): void {
  const saidMs = Date.parse(headers.get('date') ?? '');
  if (Number.isNaN(saidMs)) return;
  // On average half of the second that it says had passed.
  const differenceMs = saidMs + 500 - serverNowMs();
  if (Math.abs(differenceMs) > PRECISION_MS) offsetMs += differenceMs;
}
