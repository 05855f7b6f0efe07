import { accessSync, constants } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { keyRingVariable, limitsVariable } from '@cabstand/auth';
import { z } from 'zod';

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** sysexits.h EX_CONFIG: the supervisor sees that restarting will not help. */
const EXIT_CONFIG = 78;

/** A length of time written `500ms`, `15s`, `2m`, `24h` or `30d`; parsed to milliseconds. */
export function duration(byDefault?: `${number}${keyof typeof UNITS_MS}`) {
  const schema = z
    .string()
    .regex(/^\d{1,9}(ms|s|m|h|d)$/, 'must be a duration such as 500ms, 15s, 2m, 24h or 30d')
    .transform((text) => parseInt(text, 10) * UNITS_MS[text.replace(/^\d+/, '') as keyof typeof UNITS_MS]);
  return byDefault === undefined ? schema : schema.prefault(byDefault);
}

/** Digits alone: `Number` would take blanks for 0 and `0x10` for 16. */
const digits = z.coerce
  .string()
  .trim()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** A TCP port; 0 lets the system choose one. */
export const port = (byDefault: number) => digits.pipe(z.int().max(65_535)).prefault(String(byDefault));

/** A whole number of at least `min`. */
export const wholeNumber = (byDefault: number, min = 0) => digits.pipe(z.int().min(min)).prefault(String(byDefault));

const list = () => z.string().transform((text) => text.split(',').flatMap((item) => item.trim() || []));

/** Addresses and CIDR ranges, with commas between them. */
const networks = () =>
  list()
    .refine((items) => items.every(isNetwork), 'must be addresses or CIDR ranges such as 10.0.0.0/8, with commas')
    .prefault('');

function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  // A range of length 0 would believe everybody.
  return isIP(address) !== 0 && (bits === undefined || (+bits >= 1 && +bits <= (isIPv4(address) ? 32 : 128)));
}

/** Origins as browsers send them, with commas between them. */
const origins = (byDefault: string) =>
  list()
    .refine((items) => items.every(isOrigin), 'must be origins such as https://app.example.com, with commas')
    .prefault(byDefault);

function isOrigin(text: string): boolean {
  return /^https?:[^*]*$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

const file = () => z.string().refine(isReadable, 'must be a file that can be read').optional();

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

const url = (protocol: RegExp, example: string) => z.url({ protocol, error: `must be a URL such as ${example}` });

/** What every service reads from its environment. A service spreads this into its own schema and adds to it. */
export const baseConfig = {
  HOST: z.string().min(1).default('127.0.0.1').describe('Address that both ports listen on'),
  PORT: port(3000).describe('Port of the HTTP API'),
  MANAGEMENT_PORT: port(9100).describe('Port of /livez, /readyz and /metrics; never exposed at the edge'),
  TRUSTED_PROXIES: networks().describe('Proxies whose X-Forwarded-* headers count; nobody else can say who they are'),
  WEB_ORIGINS: origins('http://localhost:4200').describe('Pages that may call from a browser, with commas between'),
  LIMITS: limitsVariable().describe('Calls allowed: `local`, `production`, or changes to one: production,read=900/1m'),
  STREAMS_PER_PRINCIPAL: wholeNumber(100, 1).describe('Streams that one principal may hold open at this process'),
  STREAMS_PER_REPLICA: wholeNumber(10_000, 1).describe('Streams that this process holds open'),
  FAULT_SWITCHES: z
    .enum(['on', 'off'])
    .default('off')
    .describe('Lets operators stop consumers and the relay on purpose; never where people are served'),
  DATABASE_URL: url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/name').describe('PostgreSQL database'),
  DATABASE_POOL_SIZE: wholeNumber(10, 2).describe('Connections that the service may hold'),
  KEY_ENCRYPTION_KEY: keyRingVariable().describe(
    'Seals signing keys and personal data: 32 bytes in base64, {"1": …, "2": …} to rotate them, or file:<path> of either',
  ),
  AMQP_URL: url(/^amqps?$/, 'amqp://user:password@host:5672/vhost').describe('RabbitMQ virtual host'),
  AMQP_MANAGEMENT_URL: url(/^https?$/, 'http://user:password@host:15672')
    .optional()
    .describe('RabbitMQ management API, for comparing the topology with the contracts'),
  TLS_CERT_FILE: file().describe(
    'Certificate, served at the port of the HTTP API and shown to PostgreSQL and RabbitMQ',
  ),
  TLS_KEY_FILE: file().describe('Its private key. Renewed files are used without a restart'),
  TLS_CA_FILE: file().describe('Authority of those who are connected to'),
  DATABASE_TLS_NAME: z.string().optional().describe("Name in PostgreSQL's certificate, where it isn't the URL's host"),
  AMQP_TLS_NAME: z.string().optional().describe("Name in RabbitMQ's certificate, where it isn't the URL's host"),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  LOG_FORMAT: z.enum(['json', 'pretty']).default('json'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional().describe('OpenTelemetry collector (OTLP over HTTP)'),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_CERTIFICATE: file().describe("Authority of the collector's certificate"),
};
export type BaseConfig = z.infer<z.ZodObject<typeof baseConfig>>;

/**
 * Parses the environment once. A service that is told something wrong must not start half-way: each problem
 * becomes one line on stderr, without the value (it may be a secret), and the process exits with 78.
 */
export function loadConfig<Schema extends z.ZodType>(schema: Schema, env = process.env): z.infer<Schema> {
  // Compose files and manifests pass what is not set as empty strings.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  const problems = tlsProblems(given);
  if (parsed.success && problems.length === 0) return parsed.data;
  for (const issue of parsed.error?.issues ?? []) {
    const name = issue.path.join('.');
    const missing = given[String(issue.path[0])] === undefined;
    problems.push(`${name} ${missing ? 'is missing' : issue.message}`);
  }
  for (const problem of problems) process.stderr.write(`config: ${problem}\n`);
  process.exit(EXIT_CONFIG);
}

/** All three files or none; and with them nothing goes over a connection in clear. */
function tlsProblems(given: Record<string, string | undefined>): string[] {
  const files = ['TLS_CERT_FILE', 'TLS_KEY_FILE', 'TLS_CA_FILE'];
  if (!files.some((name) => given[name])) return [];
  const contrary = {
    AMQP_URL: /^amqp:/,
    AMQP_MANAGEMENT_URL: /^http:/,
    // `sslmode=disable` would win over whatever stands elsewhere.
    DATABASE_URL: /[?&]ssl/,
    // An issuer without `jwksUri` is asked where its keys are.
    TRUSTED_ISSUERS: /"(jwksUri|issuer)"\s*:\s*"http:/,
  };
  return [
    ...files.filter((name) => !given[name]).map((name) => `${name} is missing`),
    ...Object.entries(contrary).flatMap(([name, pattern]) =>
      pattern.test(given[name] ?? '') ? `${name} says otherwise than TLS_CERT_FILE: nothing goes in clear` : [],
    ),
  ];
}
