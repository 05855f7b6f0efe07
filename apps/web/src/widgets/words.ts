/** Minor units as people read them: 718 EUR is €7.18. */
export function money(minor: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency });
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

export const distance = (metres: number): string =>
  metres < 950 ? `${Math.max(10, Math.round(metres / 10) * 10)} m` : `${(metres / 1_000).toFixed(1)} km`;

/** For people who wait: nobody wants seconds of a quarter of an hour. */
export const minutes = (seconds: number): string =>
  seconds < 45 ? 'less than a minute' : `${Math.max(1, Math.round(seconds / 60))} min`;

/** 75 is 1:15. */
export const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

export const timeOfDay = (at: string): string =>
  new Date(at).toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

export const dayAndTime = (at: string): string =>
  `${new Date(at).toLocaleDateString('en', { day: 'numeric', month: 'short' })}, ${timeOfDay(at)}`;
