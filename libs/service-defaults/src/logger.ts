import type { ServiceName } from '@cabstand/contracts';
import type { LoggerService } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { types } from 'node:util';
import { pino, type DestinationStream, type Logger } from 'pino';
import type { BaseConfig } from './config.ts';

/** Nest tells what it wires at start-up; that is for those who debug Nest. */
const CHATTY = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'NestMicroservice',
  'RouterExplorer',
  'RoutesResolver',
]);

/**
 * The fields that a line may have. Each is ours to fill: an id, a name out of our own code or configuration, a number.
 * Whatever else is handed to the logger stays out, so that nobody logs a person by logging an object.
 */
const FIELDS = new Set(
  `applied attempt bindings by call channel context durationMs err event issuer job managementUrl messageId method
   outcome queue reason route routingKey spanId status target traceId tripId type url validTo`.split(/\s+/),
);

/** One JSON object per line on stdout, each with its service and, inside a request or message, its trace. */
export function createLogger(
  service: ServiceName,
  config: Pick<BaseConfig, 'LOG_LEVEL' | 'LOG_FORMAT'>,
  output: DestinationStream = buffered(),
): Logger {
  return pino(
    {
      level: config.LOG_LEVEL,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) =>
          Object.fromEntries(
            Object.entries(fields).map(([name, value]) => [name, FIELDS.has(name) ? value : '[not to be logged]']),
          ),
      },
      serializers: { err: safeError },
      mixin() {
        const span = trace.getActiveSpan()?.spanContext();
        return span ? { traceId: span.traceId, spanId: span.spanId } : {};
      },
    },
    config.LOG_FORMAT === 'pretty' ? { write: (line) => process.stdout.write(pretty(line)) } : output,
  );
}

/**
 * A system call for each line would cost a request more than its policy and its limits together. Whoever ends the
 * process by force takes the lines of the last tenth of a second along.
 */
function buffered(): DestinationStream {
  const output = pino.destination({ sync: true, minLength: 4_096, periodicFlush: 100 });
  process.on('exit', () => output.flushSync());
  return output;
}

/**
 * What may be said of an error. Drivers attach queries, parameters and whole rows to theirs, which is where
 * personal data would leak, so only this much is taken; PostgreSQL's messages about data quote the data.
 */
export function safeError(error: unknown): object {
  if (!types.isNativeError(error)) return { type: typeof error };
  const code = 'code' in error ? String(error.code) : undefined;
  // A class of SQLSTATE that is about data; and what cannot be parsed is quoted by V8.
  const quotesData = /^2[23][0-9A-Z]{3}$/.test(code ?? '') || error.name === 'SyntaxError';
  const frames = error.stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 12);
  return {
    type: error.name,
    code,
    message: quotesData ? (code ? `SQLSTATE ${code}` : 'left out') : error.message,
    ...('constraint' in error ? { constraint: error.constraint } : {}),
    ...('table' in error ? { table: error.table } : {}),
    stack: frames?.map((line) => line.trim()).join('\n'),
    ...(error.cause ? { cause: safeError(error.cause) } : {}),
    ...('errors' in error && Array.isArray(error.errors) ? { errors: error.errors.slice(0, 3).map(safeError) } : {}),
  };
}

/** What Nest and `new Logger('Context')` write to. Pass an object `{ event, … }` for anything worth searching. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log = (message: unknown, ...rest: unknown[]) => this.write('info', message, rest);
  warn = (message: unknown, ...rest: unknown[]) => this.write('warn', message, rest);
  error = (message: unknown, ...rest: unknown[]) => this.write('error', message, rest);
  fatal = (message: unknown, ...rest: unknown[]) => this.write('fatal', message, rest);
  debug = (message: unknown, ...rest: unknown[]) => this.write('debug', message, rest);
  verbose = (message: unknown, ...rest: unknown[]) => this.write('trace', message, rest);

  private write(
    level: 'info' | 'warn' | 'error' | 'fatal' | 'debug' | 'trace',
    message: unknown,
    rest: unknown[],
  ): void {
    const name = rest.findLast((parameter) => typeof parameter === 'string');
    const err = [message, ...rest].find((parameter) => types.isNativeError(parameter));
    const quiet = level === 'info' && CHATTY.has(name ?? '') ? 'debug' : level;
    const fields = { context: name, ...(err ? { err } : {}) };
    if (types.isNativeError(message)) this.logger[quiet](fields, message.name);
    else if (typeof message === 'object') this.logger[quiet]({ ...fields, ...message });
    else this.logger[quiet](fields, String(message));
  }
}

const COLOURS: Record<string, number> = { fatal: 35, error: 31, warn: 33, info: 32, debug: 36, trace: 90 };

/** One line for people in place of the JSON: time, level, service, event, then whatever else there is. */
export function pretty(line: string): string {
  const {
    level,
    time,
    service,
    context: name,
    event,
    msg,
    traceId,
    spanId: _spanId,
    err,
    ...fields
  } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const error = err as { type?: string; message?: string; stack?: string } | undefined;
  const said = [event ?? name, msg, ...rest, error && `${error.type}: ${error.message}`].filter(Boolean).join(' ');
  const dim = (text: string) => `\u001b[90m${text}\u001b[0m`;
  const at = String(time).slice(11, 23);
  const tag = `\u001b[${COLOURS[String(level)]}m${String(level).padEnd(5)}\u001b[0m`;
  const trail = traceId ? ` ${dim(String(traceId).slice(0, 8))}` : '';
  const stack = level === 'error' || level === 'fatal' ? error?.stack?.replace(/^/gm, '    ') : undefined;
  return `${dim(at)} ${tag} ${String(service)} ${said}${trail}\n${stack ? `${dim(stack)}\n` : ''}`;
}
