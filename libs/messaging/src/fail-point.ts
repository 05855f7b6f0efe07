import { failPointSetting } from './config.ts';

/** Moments at which the process may die, each with another half of the work done. */
export const FAIL_POINTS = [
  'transaction.before-commit',
  'transaction.after-commit',
  'relay.after-read',
  'relay.before-publish',
  'relay.before-confirm',
  'relay.after-confirm',
  'relay.after-delete',
  'handler.before',
  'handler.before-commit',
  'handler.before-ack',
  'handler.after-ack',
  'retry.before-ack',
  'dead-letter.before-ack',
] as const;
export type FailPoint = (typeof FAIL_POINTS)[number];

const [armed, nth = '1'] = (failPointSetting ?? '').split(':');
let hitsLeft = Number(nth);

/**
 * Ends the process as a power cut would, when CABSTAND_FAIL_POINT (`<point>:<nth time>`) names this point;
 * never in production. `afterMs` lets out first what was just written to a socket.
 */
export function failPoint(point: FailPoint, afterMs = 0): void {
  if (point !== armed || --hitsLeft !== 0) return;
  if (afterMs > 0) setTimeout(kill, afterMs);
  else kill();
}

const kill = () => process.kill(process.pid, 'SIGKILL');
