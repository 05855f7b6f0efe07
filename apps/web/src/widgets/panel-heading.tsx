import type { ReactNode } from 'react';
import { useRescuedFocus } from './use-rescued-focus.ts';

interface PanelHeadingProps {
  /** Changes with what is below; see useRescuedFocus. */
  of?: unknown;
  level?: 1 | 2;
  isHidden?: boolean;
  children: ReactNode;
}

/** The heading of what takes another panel's place, and the focus that went with that. */
export function PanelHeading({ of, level = 1, isHidden = false, children }: PanelHeadingProps) {
  const element = useRescuedFocus<HTMLHeadingElement>(of);
  const Heading = level === 1 ? 'h1' : 'h2';
  return (
    <Heading ref={element} tabIndex={-1} className={isHidden ? 'visually-hidden' : undefined}>
      {children}
    </Heading>
  );
}
