/** A statement as the service's driver sent it. */
export interface Statement {
  /** Of a prepared one. */
  name?: string;
  text: string;
  /** As text, which PostgreSQL reads as it read the original; none where it was sent without parameters. */
  values?: (string | null)[];
}

export interface Transaction {
  database: string;
  /** What the session calls itself: a service's relay has one of its own. */
  application: string;
  /** With its BEGIN and its end, or one alone. */
  statements: Statement[];
}

/** The fields of a line of PostgreSQL's `jsonlog` that are used here. */
interface Line {
  session_id?: string;
  dbname?: string;
  application_name?: string;
  error_severity?: string;
  message?: string;
  detail?: string;
}

const BEGIN = /^(BEGIN|START TRANSACTION)\b/i;
const END = /^(COMMIT|ROLLBACK(?! TO))\b/i;

/** The transactions that a log written with `log_statement=all` tells of, in the order in which they ended. */
export function transactionsIn(log: string): Transaction[] {
  const transactions: Transaction[] = [];
  const open = new Map<string, Transaction>();
  for (const text of log.split('\n')) {
    if (text === '') continue;
    const line = JSON.parse(text) as Line;
    const statement = statementOf(line);
    if (!statement) continue;
    const { session_id: session = '', dbname: database = '', application_name: application = '' } = line;
    let transaction = open.get(session);
    if (!transaction) {
      transaction = { database, application, statements: [] };
      if (BEGIN.test(statement.text)) open.set(session, transaction);
    }
    transaction.statements.push(statement);
    if (open.has(session) && !END.test(statement.text)) continue;
    open.delete(session);
    transactions.push(transaction);
  }
  return transactions;
}

function statementOf({ error_severity: severity, message = '', detail = '' }: Line): Statement | null {
  if (severity !== 'LOG') return null;
  const [, name, text] = /^(?:statement|execute (.+?)): ([\s\S]*)$/.exec(message) ?? [];
  if (text === undefined) return null;
  if (name === undefined) return { text };
  return { ...(name === '<unnamed>' ? {} : { name }), text, values: valuesOf(detail) };
}

/** Of `Parameters: $1 = 'it''s', $2 = NULL`. */
const valuesOf = (detail: string): (string | null)[] =>
  [...detail.matchAll(/\$\d+ = (?:NULL|'((?:[^']|'')*)')/g)].map(([, quoted]) => quoted?.replaceAll("''", "'") ?? null);

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

/** Every id that it names: of trips, people, messages and what else there is. */
export const idsIn = ({ statements }: Transaction): Set<string> =>
  new Set(statements.flatMap(({ values = [] }) => values.flatMap((value) => value?.match(UUID) ?? [])));
