import { useEffect, useRef, type RefObject } from 'react';

/** What had the focus last, on the page or not any more. */
let last: EventTarget | null = null;
document.addEventListener('focusin', ({ target }) => (last = target));

const wasLost = () => document.activeElement === document.body && last instanceof Element && !last.isConnected;

/**
 * A button that does its work is often gone with the panel that it was in, and the focus with it: who works with the
 * keyboard would start at the top of the page. When `key` changes, and at first, this gives a lost focus to the element.
 * It needs a `tabIndex` of -1.
 */
export function useRescuedFocus<Kind extends HTMLElement>(key?: unknown): RefObject<Kind | null> {
  const element = useRef<Kind>(null);
  useEffect(() => {
    if (wasLost()) element.current?.focus();
  }, [key]);
  return element;
}
