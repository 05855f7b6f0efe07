/** Where a protection stands, and what stands there without it. */
interface Edit {
  file: string;
  find: string;
  replace: string;
}

/** A protection taken out. */
export interface Weakening {
  /** The class that has to notice. */
  class: string;
  what: string;
  edits: Edit[];
}

const weakening = (
  name: string,
  what: string,
  ...edits: [file: string, find: string, replace: string][]
): Weakening => ({
  class: name,
  what,
  edits: edits.map(([file, find, replace]) => ({ file, find, replace })),
});

const SHAPE = 'libs/auth/src/token-shape.ts';
const SESSIONS = 'libs/auth/src/sessions.service.ts';
const CHECKS = 'libs/service-defaults/src/request-checks.ts';
const BODY = 'libs/service-defaults/src/json-body.ts';
const HEADERS = 'libs/service-defaults/src/response-headers.ts';
const TRACE = 'libs/service-defaults/src/request-trace.ts';
const PIPE = 'libs/service-defaults/src/validation.pipe.ts';
const PASSENGER = 'apps/passenger/src/passenger/passenger.dto.ts';

export const WEAKENINGS: readonly Weakening[] = [
  weakening('tokens', 'any header is taken', [
    SHAPE,
    'if (FORBIDDEN_HEADERS.some((name) => name in header)) return null;',
    '',
  ]),
  weakening('tokens', 'any type of token is taken', [SHAPE, 'if (typ !== TYPE) return null;', '']),
  weakening('sessions', 'a used refresh token is just used again', [
    SESSIONS,
    'if (state.used && !state.retriable) {',
    'if (false) {',
  ]),
  weakening('request smuggling', 'any transfer coding is taken', [
    CHECKS,
    "transferEncoding.toLowerCase() !== 'chunked'",
    'false',
  ]),
  weakening('resources', 'bodies may be as deep as they are long', [
    BODY,
    'const MAX_DEPTH = 20;',
    'const MAX_DEPTH = 1e9;',
  ]),
  weakening('mass assignment', 'unknown fields of one body are dropped in silence', [
    'apps/driver/src/driver/driver.dto.ts',
    'export const AvailabilityChange = z.strictObject(',
    'export const AvailabilityChange = z.object(',
  ]),
  weakening('mass assignment', 'unknown fields of one body reach the row', [
    PASSENGER,
    'export const UpdatePassenger = z.strictObject(',
    'export const UpdatePassenger = z.looseObject(',
  ]),
  weakening('mass assignment', 'Nest takes fields out before the schema sees them', [
    PIPE,
    'protected override stripProtoKeys(): void {',
    'protected unusedStripProtoKeys(): void {',
  ]),
  weakening('injection strings', 'half surrogate pairs and null characters go to PostgreSQL', [
    BODY,
    "text.includes('\\\\u') ? unstorablePath(value) : undefined",
    'undefined',
  ]),
  weakening('injection strings', 'what is no UTF-8 is taken for something else', [
    BODY,
    'if (!isUtf8(body))',
    'if (false)',
  ]),
  weakening('injection strings', 'a statement is put together from what somebody typed', [
    'libs/messaging/src/dead-letter-office.ts',
    '($1::text IS NULL OR queue = $1)',
    "($1::text IS NULL OR queue = '${queue}')",
  ]),
  weakening('injection strings', 'text is escaped on its way in', [
    'apps/passenger/src/passenger/passenger.service.ts',
    'Object.assign(passenger, changes);',
    "Object.assign(passenger, changes, changes.name ? { name: changes.name.replaceAll('<', '&lt;') } : {});",
  ]),
  weakening('CORS', 'every origin is named back', [
    HEADERS,
    'origin === undefined || !origins.includes(origin)',
    'origin === undefined',
  ]),
  weakening('CORS', 'an origin that begins like ours is ours', [
    HEADERS,
    '!origins.includes(origin)',
    '!origins.some((own) => origin.startsWith(own))',
  ]),
  weakening('fuzzing from OpenAPI', 'a route answers what it does not document', [
    PASSENGER,
    'createdAt: createdAt.toISOString(),',
    "createdAt: createdAt.toISOString(), passwordHash: '',",
  ]),
  weakening('fuzzing from OpenAPI', 'a refusal is left out of the document', [
    'libs/service-defaults/src/openapi.ts',
    "(['REQUEST_INVALID'] as const)",
    '[]',
  ]),
  weakening('log injection', 'the log says which path was asked for', [
    TRACE,
    "const route = request.routeOptions.url ?? 'unmatched';",
    'const route = request.url;',
  ]),
  weakening(
    'log injection',
    'line breaks are written as they are',
    [TRACE, "const route = request.routeOptions.url ?? 'unmatched';", 'const route = unescape(request.url);'],
    [
      'libs/service-defaults/src/logger.ts',
      'const output = pino.destination({ sync: true, minLength: 4_096, periodicFlush: 100 });',
      "const output = { write: (line: string) => process.stdout.write(line.replaceAll('\\\\n', '\\n')), flushSync() {} };",
    ],
  ),
];
