import { useQuery } from '@tanstack/react-query';
import { Button } from 'react-aria-components';
import { usePageConfig } from '../page-config.ts';
import { ErrorNotice, Notice } from '../widgets/notice.tsx';
import { PanelHeading } from '../widgets/panel-heading.tsx';
import { timeOfDay } from '../widgets/words.ts';
import { castOf, chaptersOf, type Chapter, type Stage } from './flow.ts';
import { useOperatorApi } from './operator-api.ts';
import { useTrips } from './watch.ts';

const SHOWN = 40;
const STATUS = {
  requested: 'looking for a driver',
  accepted: 'driver on the way',
  arrived: 'at the pickup',
  in_progress: 'riding',
  completed: 'completed',
  cancelled: 'cancelled',
  unfulfilled: 'no driver found',
};

interface TripsPanelProps {
  chosen: string | null;
  setChosen: (tripId: string | null) => void;
}

/** The newest trips; of the chosen one, how its messages went. */
export function TripsPanel({ chosen, setChosen }: TripsPanelProps) {
  const trips = useTrips();
  if (chosen !== null) {
    return (
      <>
        <Button className="button plain back" onPress={() => setChosen(null)}>
          ← All trips
        </Button>
        <MessageFlow tripId={chosen} />
      </>
    );
  }
  const items = trips.data?.slice(0, SHOWN) ?? [];
  return (
    <>
      <PanelHeading level={2} isHidden>
        All trips
      </PanelHeading>
      <p className="muted">Choose a trip to see how its messages went through the services.</p>
      <ErrorNotice error={trips.error} />
      {trips.isPending && <div className="progress" role="status" aria-label="Loading the trips" />}
      {trips.isSuccess && items.length === 0 && (
        <Notice>
          No trip yet. Request one at <a href="/ride">/ride</a>.
        </Notice>
      )}
      <ul className="list">
        {items.map(({ id, status, requestedAt, driver }) => (
          <li key={id}>
            <Button className="pick" onPress={() => setChosen(id)}>
              <span className="numbers">{timeOfDay(requestedAt)}</span>
              <span>{STATUS[status]}</span>
              <span className="muted">{driver ? `${driver.vehicle.colour} ${driver.vehicle.model}` : 'no driver'}</span>
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}

function MessageFlow({ tripId }: { tripId: string }) {
  const api = useOperatorApi();
  const { isLocal, tracesUrl } = usePageConfig();
  const traces = useQuery({
    queryKey: ['ops', 'traces', tripId],
    queryFn: () => api.traces(tripId),
    refetchInterval: 2_000,
    enabled: isLocal,
    retry: false,
  });
  const chapters = chaptersOf(traces.data ?? []);
  return (
    <>
      <PanelHeading level={2}>Message flow</PanelHeading>
      <p className="hint id">{tripId}</p>
      {tracesUrl && (
        <p>
          <a href={tracesUrl.replace('{tripId}', encodeURIComponent(tripId))}>Its traces in the trace store</a>
        </p>
      )}
      {!isLocal && !tracesUrl && (
        <Notice>No trace store is named here. Set TRACES_URL to show its traces of a trip.</Notice>
      )}
      <ErrorNotice error={traces.error} />
      {traces.isLoading && <div className="progress" role="status" aria-label="Loading the traces" />}
      {traces.isSuccess && chapters.length === 0 && (
        <Notice>No traces of this trip: it is older than what is kept, or another collector has them.</Notice>
      )}
      {chapters.length > 0 && <p className="muted">Over {castOf(chapters).join(', ')}; times since the request.</p>}
      <ol className="flow" aria-label="What happened, in order">
        {chapters.map((chapter) => (
          <ChapterItem key={chapter.traceId} chapter={chapter} sinceMs={chapters[0]!.startedAtMs} />
        ))}
      </ol>
    </>
  );
}

const STAGES: Record<Stage, string> = {
  http: 'HTTP call',
  outbox: 'waited in',
  exchange: 'published',
  queue: 'waited in',
  handler: 'handled',
};

/** Bars are relative to the chapter: what took long in it is long. */
function ChapterItem({ chapter: { steps, startedAtMs }, sinceMs }: { chapter: Chapter; sinceMs: number }) {
  const endMs = Math.max(...steps.map((step) => step.startedAtMs + step.durationMs));
  const wholeMs = Math.max(1, endMs - startedAtMs);
  return (
    <li className="chapter">
      <p className="chapter-time numbers">+{((startedAtMs - sinceMs) / 1_000).toFixed(2)} s</p>
      <ol className="list">
        {steps.map((step, index) => (
          <li key={index} className="step" data-stage={step.stage} data-failed={step.hasFailed || undefined}>
            <span className="step-service">{step.service}</span>
            <span>
              <span className="step-stage">{STAGES[step.stage]}</span> {step.what}
              {step.attempt > 1 && <span className="badge warn">attempt {step.attempt}</span>}
              {step.hasFailed && <span className="badge bad">failed</span>}
            </span>
            <span className="numbers">{milliseconds(step.durationMs)}</span>
            <svg className="step-bar" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
              <rect
                x={((step.startedAtMs - startedAtMs) / wholeMs) * 100}
                width={Math.max(0.7, (step.durationMs / wholeMs) * 100)}
                height="2"
              />
            </svg>
          </li>
        ))}
      </ol>
    </li>
  );
}

const milliseconds = (ms: number): string => (ms < 9.95 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);
