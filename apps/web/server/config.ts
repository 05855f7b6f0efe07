import { z } from 'zod';

const EXIT_CONFIG = 78;
const url = z.url({ protocol: /^https?$/, error: 'must be a URL such as http://localhost:3001' });

/** The web server's environment. Nothing else reads process.env. */
export const Config = z.object({
  HOST: z.string().min(1).default('127.0.0.1').describe('Address that the server listens on'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(4200).describe('Port of the pages'),
  PASSENGER_URL: url.default('http://localhost:3001').describe('Where /api/passenger leads'),
  DRIVER_URL: url.default('http://localhost:3002').describe('Where /api/driver leads'),
  TRIP_URL: url.default('http://localhost:3003').describe('Where /api/trip leads'),
  MAP_STYLE_URL: url.optional().describe('MapLibre style of the map; without it, a plain one that needs no network'),
  MAP_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter(Boolean))
    .pipe(z.array(url))
    .describe("Where the style's tiles, glyphs and sprites are, with commas between, besides the style's own origin"),
  OPERATOR_ISSUER: url.optional().describe('OpenID provider at which operators sign in'),
  OPERATOR_CLIENT_ID: z.string().default('cabstand-web').describe('What the pages are to that provider'),
  TLS_CERT_FILE: z.string().optional().describe('Certificate; with it and its key, the server speaks HTTPS'),
  TLS_KEY_FILE: z.string().optional().describe('Its private key'),
  TRUSTED_PROXIES: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter(Boolean))
    .describe(
      'Proxies whose X-Forwarded-For counts, with commas between; the services have to trust this server in turn',
    ),
  TRACES_URL: z
    .string()
    .refine((text) => /^https?:/.test(text) && text.includes('{tripId}'), 'must be a URL with {tripId} in it')
    .optional()
    .describe("Where the trace store shows a trip's traces; {tripId} stands for its id"),
  LOCAL_TOOLS_URL: url.optional().describe('Where /api/local leads: traces and faults, for development only'),
});
export type Config = z.infer<typeof Config>;

/** One line for each thing that is wrong, and the end of the process. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Config.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues) process.stderr.write(`config: ${path.join('.')} ${message}\n`);
  process.exit(EXIT_CONFIG);
}
