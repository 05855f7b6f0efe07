import { useMutation, useQuery } from '@tanstack/react-query';
import { Button, Form } from 'react-aria-components';
import { answerOf } from '../api/client.ts';
import { Field } from '../widgets/field.tsx';
import { ErrorNotice } from '../widgets/notice.tsx';
import { useDraft } from '../widgets/use-draft.ts';
import { timeOfDay } from '../widgets/words.ts';
import { useOperatorApi, type Service } from './operator-api.ts';

interface DeadLetterContentProps {
  id: string;
  service: Service;
}

/** Masked where it says anything of people, until the operator says why they look. */
export function DeadLetterContent({ id, service }: DeadLetterContentProps) {
  const api = useOperatorApi().of(service);
  const read = (reason?: string) =>
    answerOf(
      api.GET('/v1/ops/dead-letters/{id}', {
        params: { path: { id }, ...(reason ? { header: { 'Access-Reason': headerOf(reason) } } : {}) },
      }),
    );
  const masked = useQuery({ queryKey: ['ops', 'dead-letter', id], queryFn: () => read() });
  // Not in the cache of queries: what was shown for a reason is asked for again, and recorded again.
  const full = useMutation({ mutationFn: read, gcTime: 0 });
  const letter = full.data ?? masked.data;
  if (!letter) return <ErrorNotice error={masked.error} />;
  const { history, bodyJson, properties } = letter;
  return (
    <div className="stack">
      <p className="hint" role="status">
        {full.data ? 'In full, with your reason on record.' : 'What it says of people is masked.'}
      </p>
      <pre className="content" tabIndex={0} aria-label="Content">
        {bodyJson === undefined ? (textOf(full.data?.bodyBase64) ?? 'not JSON') : JSON.stringify(bodyJson, null, 2)}
      </pre>
      <pre className="content" tabIndex={0} aria-label="Properties">
        {JSON.stringify(properties, null, 2)}
      </pre>
      {history.length > 0 && (
        <ol className="list" aria-label="Failed attempts">
          {history.map(({ at, error }, index) => (
            <li key={index}>
              <span className="muted numbers">{timeOfDay(at)}</span> {error.split('\n')[0]}
            </li>
          ))}
        </ol>
      )}
      {!full.data && <ReasonForm id={id} isPending={full.isPending} error={full.error} onReason={full.mutate} />}
    </div>
  );
}

interface ReasonFormProps {
  id: string;
  isPending: boolean;
  error: Error | null;
  onReason: (reason: string) => void;
}

function ReasonForm({ id, isPending, error, onReason }: ReasonFormProps) {
  const [reason, setReason] = useDraft(`look.${id}`, '');
  return (
    <Form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        onReason(reason.trim());
      }}
    >
      <Field
        label="Why look at it in full?"
        hint="10 to 200 characters, kept on record: nobody’s name or address, please."
        value={reason}
        onChange={setReason}
        isRequired
        minLength={10}
        maxLength={200}
      />
      <ErrorNotice error={error} />
      <Button className="button" type="submit" isPending={isPending}>
        Show in full
      </Button>
    </Form>
  );
}

/** Header fields are bytes to browsers, and UTF-8 to the services. */
const headerOf = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));

/** What was no JSON, as far as it is text. */
function textOf(base64: string | undefined): string | undefined {
  if (base64 === undefined) return undefined;
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
}
