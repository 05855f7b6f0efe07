import type { QueryClient } from '@tanstack/react-query';
import { sessions, type Member } from '../api/session.ts';
import { forgetDrafts } from '../widgets/use-draft.ts';

/** What is typed before anybody is signed in, such as a registration. */
export const visitorTo = (member: Member) => `visitor.${member}`;

/** One person's data is not the next one's: with whoever was signed in goes what was read and typed for them. */
export function keepPeopleApart(queries: QueryClient): void {
  for (const member of ['passenger', 'driver'] as const) {
    sessions[member].onOtherPerson((before, after) => {
      if (after !== null) forgetDrafts(visitorTo(member));
      if (before === null) return;
      forgetDrafts(member);
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey.includes(member) });
    });
  }
}
