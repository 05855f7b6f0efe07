import { SERVICES } from '@cabstand/contracts';
import { query } from './agreement.ts';
import type { Platform } from './platform.ts';

/** The tables, as `service.table`, in which any of the words stands in the clear; every column is searched. */
export async function placesThatHold({ databases }: Platform, words: string[]): Promise<string[]> {
  const places = await Promise.all(
    SERVICES.map(async (service) => {
      const { url } = databases[service];
      const tables = await query<{ name: string }>(
        url,
        `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
      );
      const found = await Promise.all(
        tables.map(async ({ name }) => {
          const rows = await query(
            url,
            `SELECT 1 FROM "${name}" AS t WHERE EXISTS (SELECT 1 FROM unnest($1::text[]) AS word WHERE strpos(t::text, word) > 0) LIMIT 1`,
            [words],
          );
          return rows.length > 0 ? [`${service}.${name}`] : [];
        }),
      );
      return found.flat();
    }),
  );
  return places.flat().sort();
}
