import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button, Form } from 'react-aria-components';
import { answerOf } from '../api/client.ts';
import { Field } from '../widgets/field.tsx';
import { ErrorNotice, Notice } from '../widgets/notice.tsx';
import { PanelHeading } from '../widgets/panel-heading.tsx';
import { useDraft } from '../widgets/use-draft.ts';
import { timeOfDay } from '../widgets/words.ts';
import { DeadLetterContent } from './dead-letter-content.tsx';
import { useOperatorApi } from './operator-api.ts';
import { SilentNotice } from './silent-notice.tsx';
import { useDeadLetters } from './watch.ts';

type Letter = NonNullable<ReturnType<typeof useDeadLetters>['data']>['items'][number];

const REASONS: Record<string, string> = {
  malformed: 'could not be read',
  'unknown-type': 'is of no known type',
  'too-big': 'is too big',
  'handler-failed': 'failed at every attempt',
  'delivery-limit': 'took the service down too often',
};

/** Messages that were given up on, with what can be done about them. */
export function DeadLettersPanel() {
  const letters = useDeadLetters();
  const [done, setDone] = useState<string | null>(null);
  return (
    <>
      <PanelHeading level={2} isHidden of={letters.data?.items.map(({ id }) => id).join()}>
        What was given up on
      </PanelHeading>
      <ErrorNotice error={letters.error} />
      <SilentNotice silent={letters.data?.silent} what="dead letters" />
      {done && <Notice tone="good">{done}</Notice>}
      {letters.isPending && <div className="progress" role="status" aria-label="Loading the dead letters" />}
      {letters.data?.items.length === 0 && letters.data.silent.length === 0 && (
        <Notice>
          No dead letters. A message that fails at every attempt, or that nobody can read, is set aside here.
        </Notice>
      )}
      <ul className="stack" aria-label="Dead letters">
        {letters.data?.items.map((letter) => (
          <LetterCard key={letter.id} letter={letter} onDone={setDone} />
        ))}
      </ul>
    </>
  );
}

function LetterCard({ letter, onDone }: { letter: Letter; onDone: (what: string) => void }) {
  const [isOpen, setIsOpen] = useState(false);
  const { id, service, queue, type, reason, detail, attempts, deadAt } = letter;
  return (
    <li className="card" aria-label={`${type ?? 'A message'} in ${queue}`}>
      <div className="row">
        <h2>{type ?? 'unknown type'}</h2>
        <span className="muted numbers">{timeOfDay(deadAt)}</span>
      </div>
      <p>
        In <code>{queue}</code> it {REASONS[reason] ?? reason}, {attempts === 1 ? 'once' : `${attempts} times`}.
        {detail && <span className="hint"> {detail}</span>}
      </p>
      <Actions letter={letter} isOpen={isOpen} setIsOpen={setIsOpen} onDone={onDone} />
      {isOpen && <DeadLetterContent id={id} service={service} />}
    </li>
  );
}

interface ActionsProps {
  letter: Letter;
  isOpen: boolean;
  setIsOpen: (isOpen: boolean) => void;
  onDone: (what: string) => void;
}

function Actions({ letter: { id, service, queue }, isOpen, setIsOpen, onDone }: ActionsProps) {
  const api = useOperatorApi().of(service);
  const queries = useQueryClient();
  const [isDiscarding, setIsDiscarding] = useState(false);
  const [reason, setReason] = useDraft(`operator.discard.${id}`, '');
  const params = { path: { id } };
  const refresh = () => queries.invalidateQueries({ queryKey: ['ops', 'dead-letters'] });
  const replay = useMutation({
    mutationFn: () => answerOf(api.POST('/v1/ops/dead-letters/{id}/replay', { params })),
    onSuccess: () => {
      onDone(`Sent to ${queue} again. If it fails again, it comes back with its history.`);
      return refresh();
    },
  });
  const discard = useMutation({
    mutationFn: () => answerOf(api.DELETE('/v1/ops/dead-letters/{id}', { params, body: { reason: reason.trim() } })),
    onSuccess: () => {
      onDone('Discarded, with your reason on record.');
      return refresh();
    },
  });
  return (
    <>
      <div className="buttons">
        <Button className="button" aria-expanded={isOpen} onPress={() => setIsOpen(!isOpen)}>
          {isOpen ? 'Hide' : 'Show'}
        </Button>
        <Button className="button" isPending={replay.isPending} onPress={() => replay.mutate()}>
          Replay
        </Button>
        <Button className="button danger" aria-expanded={isDiscarding} onPress={() => setIsDiscarding(!isDiscarding)}>
          Discard
        </Button>
      </div>
      <ErrorNotice error={replay.error ?? discard.error} />
      {isDiscarding && (
        <Form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            discard.mutate();
          }}
        >
          <Field
            label="Why discard it?"
            hint="Kept on record: nobody’s name or address, please."
            value={reason}
            onChange={setReason}
            isRequired
            maxLength={200}
          />
          <Button className="button danger" type="submit" isPending={discard.isPending}>
            Discard for good
          </Button>
        </Form>
      )}
    </>
  );
}
