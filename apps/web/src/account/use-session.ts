import { useEffect, useState, useSyncExternalStore } from 'react';
import { messageOf } from '../api/problem.ts';
import { sessions, type Member } from '../api/session.ts';
import type { SessionState } from '../api/signed-in.ts';

const AGAIN_AFTER_MS = 3_000;

/** Who is signed in, and what keeps us from knowing; goes on by itself with the session from before a reload. */
export function useSession(member: Member): { state: SessionState; trouble: string | null } {
  const session = sessions[member];
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    if (state !== 'unknown') return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const resume = () =>
      void session.resume().catch((error: unknown) => {
        setTrouble(messageOf(error));
        timer = setTimeout(resume, AGAIN_AFTER_MS);
      });
    resume();
    return () => clearTimeout(timer);
  }, [session, state]);
  return { state, trouble: state === 'unknown' ? trouble : null };
}
