import { createLogger, NestLogger, pretty, safeError } from './logger.ts';

function jsonError(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

test('tells what failed, and none of the data that it failed on', () => {
  const cause = Object.assign(new Error('duplicate key value: (email)=(ada@example.org)'), {
    code: '23505',
    constraint: 'passengers_email',
    detail: 'Key (email)=(ada@example.org) already exists.',
    parameters: ['ada@example.org'],
    query: "INSERT … 'ada@example.org'",
  });
  const said = safeError(new Error('saving failed', { cause }));
  expect(said).toMatchObject({
    message: 'saving failed',
    cause: { code: '23505', constraint: 'passengers_email', message: 'SQLSTATE 23505' },
  });
  expect(JSON.stringify(said)).not.toContain('ada@');
});

test('quotes nothing that could not be parsed', () => {
  const told = jsonError('{"email":"ada@example.org"');
  expect(String(told)).toContain('SyntaxError');
  expect(JSON.stringify(safeError(jsonError('ada@example.org')))).not.toContain('ada');
});

test('writes the fields that it knows, and of others only that they were there', () => {
  const lines: string[] = [];
  const logger = createLogger('trip', { LOG_LEVEL: 'info', LOG_FORMAT: 'json' }, { write: (line) => lines.push(line) });
  const person = { email: 'ada@example.org', name: 'Ada' };
  new NestLogger(logger).log({ event: 'person.seen', person, ...person, status: 200 });
  new NestLogger(logger).error(Object.assign(new Error('failed'), { person }), 'Context');
  expect(JSON.parse(lines[0]!)).toMatchObject({ event: 'person.seen', status: 200, person: '[not to be logged]' });
  expect(lines).toHaveLength(2);
  expect(lines.join()).not.toMatch(/ada@|"Ada"/);
});

test('prints a line for people', () => {
  const line = {
    level: 'warn',
    time: '2026-01-02T03:04:05.678Z',
    service: 'trip',
    event: 'http.request',
    status: 404,
    traceId: 'abcdef0123',
  };
  // Colours aside.
  const text = pretty(JSON.stringify(line)).replaceAll(/\p{Cc}\[\d+m/gu, '');
  expect(text).toBe('03:04:05.678 warn  trip http.request status=404 abcdef01\n');
});
