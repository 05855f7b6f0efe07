import { useEffect } from 'react';

const TITLES: Record<string, string> = {
  '/': 'The city',
  '/ride': 'Take a ride',
  '/ride/trips': 'Trips of a passenger',
  '/ride/profile': 'Profile of a passenger',
  '/drive': 'Drive',
  '/drive/trips': 'Trips of a driver',
  '/drive/profile': 'Profile of a driver',
};

/** Names the page for who has many open, and for who hears them. */
export function usePageTitle(path: string): void {
  useEffect(() => {
    document.title = `${TITLES[path.replace(/(?<=.)\/$/, '')] ?? 'No such page'} · Cabstand`;
  }, [path]);
}
