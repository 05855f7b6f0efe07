import { useSyncExternalStore } from 'react';

export type Theme = 'light' | 'dark';
export type ThemeChoice = Theme | 'system';

const KEY = 'cabstand.theme';
const CHOICES: readonly ThemeChoice[] = ['system', 'light', 'dark'];
const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

let choice = CHOICES.find((each) => each === localStorage.getItem(KEY)) ?? 'system';

const themeNow = (): Theme => (choice === 'system' ? (dark.matches ? 'dark' : 'light') : choice);

/** Writes the theme on the document, where the styles read it. */
function apply(): void {
  document.documentElement.dataset['theme'] = themeNow();
  for (const listener of listeners) listener();
}

dark.addEventListener('change', apply);
apply();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, themeNow);
export const useThemeChoice = (): ThemeChoice => useSyncExternalStore(subscribe, () => choice);

export function chooseTheme(chosen: ThemeChoice): void {
  choice = chosen;
  localStorage.setItem(KEY, chosen);
  apply();
}
