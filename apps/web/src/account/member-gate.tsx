import type { ReactNode } from 'react';
import type { Member } from '../api/session.ts';
import { Notice } from '../widgets/notice.tsx';
import { AuthPanel } from './auth-panel.tsx';
import { useSession } from './use-session.ts';

/** What only who is signed in gets to see; everybody else signs in here. */
export function MemberGate({ member, children }: { member: Member; children: ReactNode }) {
  const { state, trouble, whyEnded } = useSession(member);
  if (state === 'signed-in') return children;
  if (state === 'signed-out')
    return (
      <>
        {whyEnded && <Notice tone="warn">{whyEnded}</Notice>}
        <AuthPanel member={member} />
      </>
    );
  return (
    <div className="stack">
      <p role="status">Looking for your session…</p>
      <div className="progress" />
      {trouble && <Notice tone="warn">{trouble}</Notice>}
    </div>
  );
}
