import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

interface Entry {
  level?: string;
  time?: string;
  msg?: string;
  service?: string;
  err?: { type?: string; message?: string };
  [field: string]: unknown;
}

const SHOWN = new Set(['warn', 'error', 'fatal']);

/** One line for people: time, level, message, the rest as name=value. Lines that aren't ours stay as they are. */
export function prettyLine(line: string): { text: string; isTrouble: boolean } {
  let entry: Entry;
  try {
    entry = JSON.parse(line) as Entry;
  } catch {
    return { text: line, isTrouble: line.trim() !== '' };
  }
  if (typeof entry !== 'object' || entry === null || !entry.level) return { text: line, isTrouble: true };
  const { level, time, msg, service: _, err, spanId: _spanId, ...rest } = entry;
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const error = err ? [`${err.type ?? 'Error'}: ${err.message ?? ''}`] : [];
  const text = [(time ?? '').slice(11, 23), level.toUpperCase().padEnd(5), msg ?? '', ...error, ...fields].join(' ');
  return { text, isTrouble: SHOWN.has(level) };
}

/** Writes what a process prints to a file, pretty, and hands on warnings, errors and everything unstructured. */
export function followLog(file: string, streams: Readable[], onTrouble: (line: string) => void): WriteStream {
  mkdirSync(dirname(file), { recursive: true });
  const log = createWriteStream(file, { flags: 'a', mode: 0o600 });
  for (const stream of streams) {
    createInterface({ input: stream }).on('line', (line) => {
      const { text, isTrouble } = prettyLine(line);
      log.write(`${text}\n`);
      if (isTrouble) onTrouble(text);
    });
  }
  return log;
}
