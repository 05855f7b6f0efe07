import { useEffect, type ReactNode } from 'react';
import { ApiProblem, messageOf } from '../api/problem.ts';

type Tone = 'plain' | 'good' | 'warn' | 'bad';

/** Something to know, said aloud to those who don't see it appear. */
export function Notice({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) {
  return (
    <div className={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** For what is kept up to date by a stream of events: that it is not, just now. Null: not known yet. */
export const ConnectionNotice = ({ isConnected }: { isConnected: boolean | null }) =>
  isConnected === false && <Notice tone="warn">Connection lost: reconnecting…</Notice>;

/** What went wrong, where it went wrong; nothing while all is well. */
export function ErrorNotice({ error }: { error: unknown }) {
  useEffect(() => {
    // Not a refusal, but a fault of the page: for whoever mends it.
    if (error && !(error instanceof ApiProblem)) reportError(error);
  }, [error]);
  return error ? <Notice tone="bad">{messageOf(error)}</Notice> : null;
}
