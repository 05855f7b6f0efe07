import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components';
import { ErrorNotice, Notice } from '../widgets/notice.tsx';
import { useOperatorApi, type Service } from './operator-api.ts';
import { stateOf } from './services-panel.tsx';
import type { Status, Watched } from './watch.ts';

interface FaultsPanelProps {
  watched: Watched[];
  canBreak: boolean;
  onLetters: () => void;
}

/** On a developer's machine only: break something, and see that nothing is lost. */
export function FaultsPanel({ watched, canBreak, onLetters }: FaultsPanelProps) {
  const [done, setDone] = useState<string | null>(null);
  return (
    <>
      <p>Break something on purpose and watch the platform recover: nothing that was accepted gets lost.</p>
      {!canBreak && watched.some(({ status }) => status) && (
        <Notice>The services refuse it: start them with FAULT_SWITCHES=on, as npm start does.</Notice>
      )}
      {done && (
        <Notice tone="good">
          <p>{done}</p>
          <Button className="button plain" onPress={onLetters}>
            Look at the dead letters
          </Button>
        </Notice>
      )}
      {watched.map((each) => (
        <ServiceFaults key={each.service} watched={each} onPoisoned={setDone} />
      ))}
    </>
  );
}

function ServiceFaults({ watched, onPoisoned }: { watched: Watched; onPoisoned: (what: string) => void }) {
  const { service, status } = watched;
  const { words, tone } = stateOf(watched);
  const api = useOperatorApi();
  const queries = useQueryClient();
  const break_ = useMutation({
    mutationFn: (fault: () => Promise<unknown>) => fault(),
    onSettled: () => queries.invalidateQueries({ queryKey: ['ops', 'status', service] }),
  });
  return (
    <section className="card" aria-label={`Break the ${service} service`}>
      <div className="row">
        <h2>{service}</h2>
        <span className={`badge ${tone}`}>{words}</span>
      </div>
      <div className="buttons">
        <Button className="button danger" onPress={() => break_.mutate(() => api.kill(service))}>
          Kill {service}
        </Button>
        {status?.faultSwitches === 'on' && <RelaySwitch {...{ service, status }} onPress={break_.mutate} />}
      </div>
      <ErrorNotice error={break_.error} />
      {status?.faultSwitches === 'on' &&
        status.queues.map((queue) => (
          <QueueFaults key={queue.queue} {...{ service, queue, onPoisoned }} onPress={break_.mutate} />
        ))}
    </section>
  );
}

type Press = (fault: () => Promise<unknown>) => void;

function RelaySwitch({ service, status, onPress }: { service: Service; status: Status; onPress: Press }) {
  const api = useOperatorApi();
  const isPaused = status.relay === 'paused';
  return (
    <Button className="button" onPress={() => onPress(() => api.switchRelay(service, isPaused ? 'running' : 'paused'))}>
      {isPaused ? 'Resume' : 'Pause'} relay ({status.outbox.depth} in the outbox)
    </Button>
  );
}

interface QueueFaultsProps {
  service: Service;
  queue: Status['queues'][number];
  onPress: Press;
  onPoisoned: (what: string) => void;
}

function QueueFaults({ service, queue: { queue, consuming, waiting, inHand }, onPress, onPoisoned }: QueueFaultsProps) {
  const api = useOperatorApi();
  const poison = () =>
    api.poison(queue).then(() => onPoisoned(`A message that nobody can read is in ${queue}. It is set aside at once.`));
  const next = consuming ? 'stopped' : 'running';
  return (
    <div className="queue-faults" role="group" aria-label={queue}>
      <p>
        <code>{queue}</code>{' '}
        <span className="muted numbers">
          depth <span data-depth={queue}>{waiting === null ? '–' : waiting + inHand}</span>
        </span>
        {!consuming && <span className="badge warn">consumer stopped</span>}
      </p>
      <div className="buttons">
        <Button className="button" onPress={() => onPress(() => api.switchConsumer(service, queue, next))}>
          {consuming ? 'Stop' : 'Resume'} consumer
        </Button>
        <Button className="button" onPress={() => onPress(poison)}>
          Inject poison
        </Button>
      </div>
    </div>
  );
}
