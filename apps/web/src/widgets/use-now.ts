import { useEffect, useState } from 'react';
import { serverNowMs } from '../api/server-clock.ts';

/** What time it is at the services, again every so often, for what counts down. */
export function useNow(everyMs: number, isRunning = true): number {
  const [nowMs, setNowMs] = useState(serverNowMs);
  useEffect(() => {
    if (!isRunning) return;
    const tick = () => setNowMs(serverNowMs());
    tick();
    const timer = setInterval(tick, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, isRunning]);
  return nowMs;
}
