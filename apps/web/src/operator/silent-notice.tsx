import { Notice } from '../widgets/notice.tsx';
import type { Service } from './operator-api.ts';

/** Whose part of a list is missing, because they don't answer. */
export function SilentNotice({ silent = [], what }: { silent: Service[] | undefined; what: string }) {
  if (silent.length === 0) return null;
  const names = new Intl.ListFormat('en').format(silent);
  const [service, is, its] = silent.length === 1 ? ['service', 'is', 'its'] : ['services', 'are', 'their'];
  return (
    <Notice tone="warn">
      The {names} {service} {is} not answering: {its} {what} are missing here.
    </Notice>
  );
}
