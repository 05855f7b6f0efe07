import { useNow } from '../widgets/use-now.ts';
import type { Status, Watched } from './watch.ts';

const NAMES = { passenger: 'Passenger service', driver: 'Driver service', trip: 'Trip service' };

/** Each service with its outbox and its queues. */
export function ServicesPanel({ watched }: { watched: Watched[] }) {
  return (
    <>
      {watched.map((each) => (
        <ServiceCard key={each.service} {...each} />
      ))}
      <p className="hint">
        A queue’s depth is what waits and what is in hand. Lag is the time from an event’s commit to the end of its
        handler.
      </p>
    </>
  );
}

export function stateOf({ status, isAnswering }: Watched): { words: string; tone: 'good' | 'warn' | 'bad' } {
  if (!isAnswering) return { words: 'not answering', tone: 'bad' };
  if (!status) return { words: 'asking…', tone: 'warn' };
  if (status.messaging === 'disconnected') return { words: 'up, without RabbitMQ', tone: 'warn' };
  return { words: 'up', tone: 'good' };
}

export function ServiceCard(watched: Watched) {
  const { service, status } = watched;
  const { words, tone } = stateOf(watched);
  return (
    <section className="card" aria-label={NAMES[service]}>
      <div className="row">
        <h2>{NAMES[service]}</h2>
        <span className={`badge ${tone}`}>{words}</span>
      </div>
      {status && <Messages status={status} />}
    </section>
  );
}

function Messages({ status }: { status: Status }) {
  const nowMs = useNow(1_000);
  const { outbox, relay, queues } = status;
  const isBehind = outbox.depth > 0 && outbox.oldestAgeS > 5;
  return (
    <table className="depths">
      <thead>
        <tr>
          <th scope="col">Where</th>
          <th scope="col">Depth</th>
          <th scope="col">Lag</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">
            outbox
            {relay === 'paused' && <span className="badge warn">relay paused</span>}
            {outbox.refused > 0 && <span className="badge bad">{outbox.refused} refused</span>}
          </th>
          <td className="numbers" data-tone={isBehind ? 'warn' : undefined}>
            {outbox.depth}
          </td>
          <td className="numbers">{outbox.depth > 0 ? seconds(outbox.oldestAgeS) : '–'}</td>
        </tr>
        {queues.map(({ queue, waiting, inHand, retrying, consuming, lastHandled }) => {
          const depth = waiting === null ? null : waiting + inHand;
          const idleS = lastHandled && (nowMs - Date.parse(lastHandled.at)) / 1_000;
          const isStuck = depth !== null && depth > 0 && idleS !== null && idleS > 3;
          return (
            <tr key={queue}>
              <th scope="row">
                {queue}
                {!consuming && <span className="badge warn">consumer stopped</span>}
                {retrying !== null && retrying > 0 && <span className="badge warn">{retrying} to be retried</span>}
              </th>
              <td className="numbers" data-tone={depth !== null && depth > 10 ? 'warn' : undefined}>
                {depth ?? '–'}
              </td>
              <td className="numbers">
                {isStuck ? `over ${seconds(idleS)}` : lastHandled ? seconds(lastHandled.lagS) : '–'}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const seconds = (value: number): string => (value < 10 ? `${value.toFixed(2)} s` : `${Math.round(value)} s`);
