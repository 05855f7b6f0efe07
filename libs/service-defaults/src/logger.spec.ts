import { pretty, safeError } from './logger.ts';

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
