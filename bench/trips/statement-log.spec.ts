import { idsIn, transactionsIn } from './statement-log.ts';

const TRIP = '01a202e1-ce8f-7707-a3c1-e3f7c238fed3';
const line = (session: string, message: string, detail?: string) =>
  JSON.stringify({
    ...{ session_id: session, dbname: 'trip', application_name: 'trip relay' },
    ...{ error_severity: 'LOG', message, detail },
  });

it('tells transactions of sessions that are interleaved apart, in the order of their ends', () => {
  const log = [
    line('a', 'statement: START TRANSACTION'),
    line('b', 'execute <unnamed>: SELECT 1'),
    line('c', 'statement: BEGIN'),
    line('a', 'execute find trips 0f: SELECT *\nFROM trips WHERE id = $1', `Parameters: $1 = '${TRIP}'`),
    line('c', 'statement: ROLLBACK TO SAVEPOINT s'),
    line('c', 'statement: COMMIT'),
    line('a', 'execute <unnamed>: UPDATE trips SET note = $1, at = $2', `Parameters: $1 = 'it''s, $2 = 1', $2 = NULL`),
    JSON.stringify({ session_id: 'a', error_severity: 'ERROR', message: 'statement: is none' }),
    line('a', 'statement: ROLLBACK'),
    '',
  ].join('\n');
  const transactions = transactionsIn(log);
  expect(transactions.map(({ statements }) => statements)).toEqual([
    [{ text: 'SELECT 1', values: [] }],
    [{ text: 'BEGIN' }, { text: 'ROLLBACK TO SAVEPOINT s' }, { text: 'COMMIT' }],
    [
      { text: 'START TRANSACTION' },
      { name: 'find trips 0f', text: 'SELECT *\nFROM trips WHERE id = $1', values: [TRIP] },
      { text: 'UPDATE trips SET note = $1, at = $2', values: ["it's, $2 = 1", null] },
      { text: 'ROLLBACK' },
    ],
  ]);
  expect(transactions.map(idsIn)).toEqual([new Set(), new Set(), new Set([TRIP])]);
});
