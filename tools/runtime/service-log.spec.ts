import { prettyLine, withoutRepeats } from './service-log.ts';

const entry = (fields: object) =>
  JSON.stringify({ level: 'info', time: '2026-01-02T03:04:05.678Z', service: 'trip', ...fields });

describe("a service's log line", () => {
  it('is told in one line: time, level, message, fields', () => {
    const { text, isTrouble } = prettyLine(entry({ msg: 'connected', context: 'Messaging', traceId: 'abc' }));
    expect(text).toBe('03:04:05.678 INFO  connected context=Messaging traceId=abc');
    expect(isTrouble).toBe(false);
  });

  it('says what went wrong, and is shown', () => {
    const { text, isTrouble } = prettyLine(
      entry({ level: 'error', msg: 'failed', err: { type: 'Oops', message: 'no disk' } }),
    );
    expect(text).toContain('ERROR failed Oops: no disk');
    expect(isTrouble).toBe(true);
  });

  it('that is not ours stays as it is, and is shown', () => {
    expect(prettyLine('Segmentation fault')).toMatchObject({ text: 'Segmentation fault', isTrouble: true });
    expect(prettyLine('')).toMatchObject({ isTrouble: false });
  });
});

describe('trouble that repeats', () => {
  it('is shown once in a while, other trouble at once', () => {
    const shown: string[] = [];
    const show = withoutRepeats((line) => shown.push(line));
    const warn = (msg: string, traceId: string) => show(prettyLine(entry({ level: 'warn', msg, traceId })));
    warn('no database\n    at somewhere', '1');
    warn('no database', '2');
    warn('no broker', '3');
    expect(shown).toHaveLength(2);
    expect(shown[0]).toMatch(/no database$/);
    expect(shown[1]).toContain('no broker');
  });
});
