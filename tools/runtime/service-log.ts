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

const REPEATS_HELD_MS = 10_000;
const SHOWN = new Set(['warn', 'error', 'fatal']);

export interface PrettyLine {
  text: string;
  /** Worth showing to whoever watches: a warning, an error, or something that isn't ours. */
  isTrouble: boolean;
  /** The same for lines that say the same thing. */
  topic: string;
}

/** One line for people: time, level, message, the rest as name=value. Lines that aren't ours stay as they are. */
export function prettyLine(line: string): PrettyLine {
  let entry: Entry;
  try {
    entry = JSON.parse(line) as Entry;
  } catch {
    return { text: line, isTrouble: line.trim() !== '', topic: line };
  }
  if (typeof entry !== 'object' || entry === null || !entry.level) return { text: line, isTrouble: true, topic: line };
  const { level, time, msg, service: _, err, spanId: _spanId, ...rest } = entry;
  const fields = Object.entries(rest).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  const error = err?.message && !msg?.includes(err.message) ? [`${err.type ?? 'Error'}: ${err.message}`] : [];
  const words = [(time ?? '').slice(11, 23), level.toUpperCase().padEnd(5), msg, ...error, ...fields];
  const topic = [level, msg?.split('\n')[0], rest.event, rest.context, rest.route, rest.status].join(' ');
  return { text: words.filter((word) => word !== undefined).join(' '), isTrouble: SHOWN.has(level), topic };
}

/** Lets a line through unless one like it was shown a moment ago; a service without its database warns many times a second. */
export function withoutRepeats(show: (line: string) => void): (line: PrettyLine) => void {
  const shownAtMs = new Map<string, number>();
  const heldBack = new Map<string, number>();
  return ({ text, topic }) => {
    const nowMs = performance.now();
    if (nowMs - (shownAtMs.get(topic) ?? -Infinity) < REPEATS_HELD_MS) {
      heldBack.set(topic, (heldBack.get(topic) ?? 0) + 1);
      return;
    }
    const repeats = heldBack.get(topic);
    shownAtMs.set(topic, nowMs);
    heldBack.delete(topic);
    show(`${text.split('\n')[0]}${repeats ? ` (and ${repeats} more like it before)` : ''}`);
  };
}

/** Writes what a process prints to a file, pretty, and hands on what is worth showing. */
export function followLog(file: string, streams: Readable[], onTrouble: (line: string) => void): WriteStream {
  mkdirSync(dirname(file), { recursive: true });
  const log = createWriteStream(file, { flags: 'a', mode: 0o600 });
  const show = withoutRepeats(onTrouble);
  for (const stream of streams) {
    createInterface({ input: stream }).on('line', (line) => {
      const pretty = prettyLine(line);
      log.write(`${pretty.text}\n`);
      if (pretty.isTrouble) show(pretty);
    });
  }
  return log;
}
