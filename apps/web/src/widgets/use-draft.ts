import { useEffect, useState, type Dispatch, type SetStateAction } from 'react';

/**
 * State that a reload doesn't lose, and another tab doesn't share. For what people have typed and chosen; never for
 * passwords or tokens.
 */
export function useDraft<Value>(name: string, initial: Value): [Value, Dispatch<SetStateAction<Value>>] {
  const key = `cabstand.${name}`;
  const [value, setValue] = useState(() => read(key, initial));
  useEffect(() => sessionStorage.setItem(key, JSON.stringify(value)), [key, value]);
  return [value, setValue];
}

function read<Value>(key: string, initial: Value): Value {
  try {
    const written = sessionStorage.getItem(key);
    return written === null ? initial : (JSON.parse(written) as Value);
  } catch {
    return initial;
  }
}
