import { ErrorNotice, Notice } from '../widgets/notice.tsx';
import { timeOfDay } from '../widgets/words.ts';
import { SilentNotice } from './silent-notice.tsx';
import { useSecurityEvents } from './watch.ts';

const WORDS: Record<string, string> = {
  'security.login-failed': 'Wrong passwords or refresh tokens',
  'security.token-rejected': 'Access tokens that were not valid',
  'security.access-denied': 'Things of somebody else asked for',
  'security.rate-limited': 'More calls than allowed',
  'security.refresh-reused': 'A refresh token was used twice: its session was ended',
  'security.account-locked': 'An account was locked against guessing',
};

/** What attackers, or broken clients, tried. */
export function SecurityPanel() {
  const events = useSecurityEvents();
  return (
    <>
      <ErrorNotice error={events.error} />
      <SilentNotice silent={events.data?.silent} what="security events" />
      {events.isPending && <div className="progress" role="status" aria-label="Loading the security events" />}
      {events.data?.items.length === 0 && events.data.silent.length === 0 && (
        <Notice>Nobody tried anything. Wrong passwords, forged tokens and floods are counted here every 10 s.</Notice>
      )}
      <ul className="list" aria-label="Security events">
        {events.data?.items.map(({ id, at, type, count, subject, service }) => (
          <li key={id} className="event">
            <div className="row">
              <strong>{WORDS[type] ?? type}</strong>
              <span className="muted numbers">{timeOfDay(at)}</span>
            </div>
            <p className="muted">
              {count > 1 ? `${count} times, at` : 'Once, at'} the {service} service,{' '}
              {subject ? <span className="id">by {subject}</span> : 'by somebody not signed in'}
            </p>
          </li>
        ))}
      </ul>
      <p className="hint">
        Where it came from is in the event on the broker (<code>security.#</code>), not here.
      </p>
    </>
  );
}
