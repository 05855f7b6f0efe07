import { isDatabaseUnavailable } from './problem.filter.ts';

const withCode = (code: string) => Object.assign(new Error('x'), { code });

test.each(['08006', '57P01', '57014', '53300', '28P01', '55P03', 'ECONNREFUSED', 'ETIMEDOUT'])(
  'takes %s for a database that cannot be used',
  (code) => {
    expect(isDatabaseUnavailable(withCode(code))).toBe(true);
  },
);

test.each(['23505', '22P02', '42P01', '40001', 'ENOENT'])('takes %s for what it is', (code) => {
  expect(isDatabaseUnavailable(withCode(code))).toBe(false);
});

test.each([
  'timeout exceeded when trying to connect',
  'Connection terminated unexpectedly',
  'Query read timeout',
  'Client has encountered a connection error and is not queryable',
])('knows pg’s "%s"', (message) => expect(isDatabaseUnavailable(new Error(message))).toBe(true));

test('looks into what several addresses said', () => {
  expect(isDatabaseUnavailable(new AggregateError([withCode('EACCES'), withCode('ECONNREFUSED')]))).toBe(true);
});
