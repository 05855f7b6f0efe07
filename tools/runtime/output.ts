import { stripVTControlCharacters } from 'node:util';

const TTY = process.stdout.isTTY;
const paint = (code: number) => (text: string) => (TTY && !process.env.NO_COLOR ? `\x1b[${code}m${text}\x1b[0m` : text);
export const green = paint(32);
export const red = paint(31);
export const yellow = paint(33);
export const dim = paint(2);
export const bold = paint(1);

export const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;

/** What the terminal shows: lines that scroll by, and below them one status line that is drawn again and again. */
export class Output {
  /** How often the status line is printed where it can't be drawn in place. */
  static readonly PLAIN_STATUS_EVERY_MS = 5_000;
  #status = '';
  #plainStatusAtMs = -Infinity;

  line(text = ''): void {
    if (TTY && this.#status) process.stdout.write(`\r\x1b[2K${text}\n${this.#status}`);
    else process.stdout.write(`${text}\n`);
  }

  status(text: string): void {
    if (TTY) {
      const fitting = stripVTControlCharacters(text).slice(0, (process.stdout.columns || 80) - 1);
      this.#status = fitting;
      process.stdout.write(`\r\x1b[2K${fitting}`);
    } else if (performance.now() - this.#plainStatusAtMs >= Output.PLAIN_STATUS_EVERY_MS) {
      this.#plainStatusAtMs = performance.now();
      process.stdout.write(`${text}\n`);
    }
  }

  /** Leaves the last status where it stands, and goes on below. */
  endStatus(): void {
    if (TTY && this.#status) process.stdout.write('\n');
    this.#status = '';
  }

  /** Does one step and tells what came of it and how long it took; steps may run side by side. */
  step = async <T>(
    name: string,
    work: (say: (line: string) => void) => Promise<{ what: string; value: T }>,
  ): Promise<T> => {
    const startedAtMs = performance.now();
    try {
      const { what, value } = await work((line) => this.line(dim(`    ${name}: ${line}`)));
      this.line(`  ${green('✓')} ${name.padEnd(12)} ${what} ${dim(`(${seconds(startedAtMs)})`)}`);
      return value;
    } catch (error) {
      this.line(`  ${red('✗')} ${name.padEnd(12)} ${dim(`(${seconds(startedAtMs)})`)}`);
      throw error;
    }
  };
}
