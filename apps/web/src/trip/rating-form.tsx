import { useMutation } from '@tanstack/react-query';
import { Form } from 'react-aria-components';
import { answerOf, tripsOf } from '../api/client.ts';
import { ApiProblem } from '../api/problem.ts';
import type { Member } from '../api/session.ts';
import { Field } from '../widgets/field.tsx';
import { ErrorNotice, Notice } from '../widgets/notice.tsx';
import { StarRating } from '../widgets/star-rating.tsx';
import { useDraft } from '../widgets/use-draft.ts';
import { ActionButton } from '../widgets/action-button.tsx';

interface RatingFormProps {
  member: Member;
  tripId: string;
  /** Who is rated. */
  whom: string;
}

/** Once for each trip; a second time is told that it was done. */
export function RatingForm({ member, tripId, whom }: RatingFormProps) {
  const [draft, setDraft] = useDraft(`${member}.rating.${tripId}`, { stars: 0, comment: '', isSent: false });
  const rating = useMutation({
    mutationFn: async () => {
      const comment = draft.comment.trim();
      const body = { stars: draft.stars, ...(comment ? { comment } : {}) };
      await answerOf(tripsOf(member).POST('/v1/trips/{id}/rating', { params: { path: { id: tripId } }, body })).catch(
        (error: unknown) => {
          // The answer to an earlier attempt was lost.
          if (!(error instanceof ApiProblem) || error.code !== 'TRIP_ALREADY_RATED') throw error;
        },
      );
    },
    onSuccess: () => setDraft({ ...draft, isSent: true }),
  });
  if (draft.isSent) return <Notice tone="good">Thank you for rating {whom}.</Notice>;
  return (
    <Form
      className="form"
      aria-label={`Rate ${whom}`}
      onSubmit={(event) => {
        event.preventDefault();
        rating.mutate();
      }}
    >
      <h2>How was {whom}?</h2>
      <StarRating stars={draft.stars} onChange={(stars) => setDraft({ ...draft, stars })} />
      <Field
        label="Comment (optional)"
        value={draft.comment}
        maxLength={500}
        onChange={(comment) => setDraft({ ...draft, comment })}
      />
      <ErrorNotice error={rating.error} />
      <ActionButton type="submit" className="button" isDisabled={draft.stars === 0} isPending={rating.isPending}>
        Send rating
      </ActionButton>
    </Form>
  );
}
