import { useEffect, useState, useSyncExternalStore } from 'react';
import { messageOf } from '../api/problem.ts';
import { sessions, type Member } from '../api/session.ts';
import type { SessionState } from '../api/signed-in.ts';

const AGAIN_AFTER_MS = 3_000;

export interface KnownSession {
  state: SessionState;
  /** The account's id: what is one person's is keyed by it. */
  person: string | null;
  /** What keeps us from knowing who is signed in. */
  trouble: string | null;
  whyEnded: string | null;
}

/** Goes on by itself with the session from before a reload. */
export function useSession(member: Member): KnownSession {
  const session = sessions[member];
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const person = useSyncExternalStore(session.subscribe, session.getPerson);
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
  return { state, person, trouble: state === 'unknown' ? trouble : null, whyEnded: session.getWhyEnded() };
}
