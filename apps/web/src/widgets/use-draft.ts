import { useEffect, useEffectEvent, useState, type Dispatch, type SetStateAction } from 'react';

const PREFIX = 'cabstand.';

const listeners = new Set<(owner: string) => void>();

const isOf = (owner: string, name: string): boolean => name.startsWith(`${owner}.`);

/**
 * State that a reload doesn't lose, and another tab doesn't share. For what people have typed and chosen; never for
 * passwords or tokens. The name begins with whose it is (`passenger.profile`), for `forgetDrafts`.
 */
export function useDraft<Value>(name: string, initial: Value): [Value, Dispatch<SetStateAction<Value>>] {
  const key = PREFIX + name;
  const [value, setValue] = useState(() => read(key, initial));
  useEffect(() => sessionStorage.setItem(key, JSON.stringify(value)), [key, value]);
  const forget = useEffectEvent((owner: string) => {
    if (isOf(owner, name)) setValue(initial);
  });
  useEffect(() => {
    const listener = (owner: string) => forget(owner);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return [value, setValue];
}

/** Nobody gets to see what was typed and chosen before under a name that begins so. */
export function forgetDrafts(owner: string): void {
  for (const key of Object.keys(sessionStorage))
    if (key.startsWith(PREFIX) && isOf(owner, key.slice(PREFIX.length))) sessionStorage.removeItem(key);
  for (const listener of listeners) listener(owner);
}

function read<Value>(key: string, initial: Value): Value {
  try {
    const written = sessionStorage.getItem(key);
    return written === null ? initial : (JSON.parse(written) as Value);
  } catch {
    return initial;
  }
}
