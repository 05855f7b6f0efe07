import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react';
import { Button } from 'react-aria-components';
import { Link } from 'wouter';
import { usePageConfig, type PageConfig } from '../page-config.ts';
import { Notice } from '../widgets/notice.tsx';
import { forgetDrafts } from '../widgets/use-draft.ts';
import { OperatorApi, OperatorApiProvider } from './operator-api.ts';
import { OperatorSession, whyNotSignedIn } from './operator-session.ts';

/** One for the page's life: coming and going between pages signs nobody in or out. */
let session: OperatorSession | undefined;
const sessionOf = ({ issuer, clientId }: NonNullable<PageConfig['operator']>) =>
  (session ??= new OperatorSession(issuer, clientId));

/** For what was decided to be painted. (Not every browser says when it is idle.) */
const SOON_MS = 100;

interface OperatorGateProps {
  /** Called once it is known who is here and that has been shown: the time for what takes long. */
  onDecided: () => void;
  children: ReactNode;
}

/** Shows its children to operators, and to everybody else the way to become one. */
export function OperatorGate({ onDecided, children }: OperatorGateProps) {
  const { operator } = usePageConfig();
  if (operator)
    return (
      <SignedIn session={sessionOf(operator)} onDecided={onDecided}>
        {children}
      </SignedIn>
    );
  return <Unconfigured onDecided={onDecided} />;
}

function Unconfigured({ onDecided }: { onDecided: () => void }) {
  useWhenDecided(true, onDecided);
  return (
    <Welcome>
      <Notice>
        <p>No sign-in is set up here. Set OPERATOR_ISSUER to your identity provider to see the city live.</p>
      </Notice>
    </Welcome>
  );
}

function SignedIn({ session, onDecided, children }: OperatorGateProps & { session: OperatorSession }) {
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const api = useMemo(() => new OperatorApi(session), [session]);
  const [failure, setFailure] = useState<unknown>(null);
  const [isLeaving, setIsLeaving] = useState(false);
  useEffect(() => {
    session.resume().catch(setFailure);
  }, [session]);
  const queries = useQueryClient();
  useEffect(() => {
    if (state !== 'signed-out') return;
    // What one operator has read and typed is not the next one's.
    forgetDrafts('operator');
    queries.removeQueries({ queryKey: ['ops'] });
  }, [state, queries]);
  useWhenDecided(state !== 'unknown', onDecided);
  if (state === 'signed-in') return <OperatorApiProvider value={api}>{children}</OperatorApiProvider>;
  if (state === 'unknown') {
    return (
      <Welcome>
        <div className="progress" role="status" aria-label="Signing you in" />
      </Welcome>
    );
  }
  const signIn = () => {
    setFailure(null);
    setIsLeaving(true);
    session.signIn().catch((error: unknown) => {
      setIsLeaving(false);
      setFailure(error);
    });
  };
  return (
    <Welcome>
      <p>Sign in as operator to see drivers, trips and messages live, and to look after what went wrong.</p>
      {failure !== null && <Notice tone="bad">{whyNotSignedIn(failure)}</Notice>}
      <Button className="button primary big" isPending={isLeaving} onPress={signIn}>
        {isLeaving ? 'Signing in…' : 'Sign in as operator'}
      </Button>
    </Welcome>
  );
}

function Welcome({ children }: { children: ReactNode }) {
  return (
    <>
      <h1>The city</h1>
      {children}
      <p className="muted">
        Or <Link href="/ride">take a ride</Link>, or <Link href="/drive">drive</Link>.
      </p>
    </>
  );
}

function useWhenDecided(isDecided: boolean, onDecided: () => void): void {
  useEffect(() => {
    if (!isDecided) return;
    const soon = setTimeout(onDecided, SOON_MS);
    return () => clearTimeout(soon);
  }, [isDecided, onDecided]);
}
