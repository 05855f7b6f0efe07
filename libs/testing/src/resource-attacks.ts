import { gzipSync } from 'node:zlib';

/** A request that is to cost the server more than the client: memory, time, or somebody else's turn. */
export interface ResourceAttack {
  name: string;
  /** What is written, piece by piece. */
  bytes: string[];
  status: number;
  /** Part of the answer, where the same status would be given for another reason, after the work is done. */
  says?: string;
}

export interface Target {
  /** Takes POST with a JSON object of known fields. */
  writePath: string;
  /** Takes GET, and no query parameters named as here. */
  readPath: string;
  token: string;
}

const KB = 1_024;
/** A little less than bodies may have. */
const NEARLY_ALL = 250 * KB;

const many = (count: number, item: (i: number) => string, separator = ',') =>
  Array.from({ length: count }, (_, i) => item(i)).join(separator);

export function resourceAttacks(target: Target): ResourceAttack[] {
  return [...documents(target), ...bodies(target), ...heads(target)];
}

function attackers({ writePath, token }: Target) {
  const request = (method: string, path: string, headers: string[], ...body: string[]) => [
    [
      `${method} ${path} HTTP/1.1`,
      'host: a',
      'connection: close',
      `authorization: Bearer ${token}`,
      ...headers,
      '',
      '',
    ].join('\r\n'),
    ...body,
  ];
  const send = (name: string, type: string, body: string, status: number, ...headers: string[]): ResourceAttack => ({
    name,
    bytes: request('POST', writePath, [`content-type: ${type}`, `content-length: ${body.length}`, ...headers], body),
    status,
  });
  const json = (name: string, body: string, status = 400, ...headers: string[]) =>
    send(name, 'application/json', body, status, ...headers);
  const chunked = (name: string, chunks: string[], status: number): ResourceAttack => ({
    name,
    bytes: request('POST', writePath, ['content-type: application/json', 'transfer-encoding: chunked'], ...chunks),
    status,
  });
  const read = (name: string, path: string, status: number, ...headers: string[]): ResourceAttack => ({
    name,
    bytes: request('GET', path, headers),
    status,
  });
  return { send, json, chunked, read };
}

/** JSON that is within the size that bodies may have. */
function documents(target: Target): ResourceAttack[] {
  const { json } = attackers(target);
  const deep = (name: string, body: string) => ({ ...json(name, body), says: 'is nested deeper than' });
  return [
    deep('lists in lists', '['.repeat(100_000) + ']'.repeat(100_000)),
    deep('objects in objects', '{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000)),
    deep('brackets that nobody closes', '[{'.repeat(NEARLY_ALL / 2)),
    json('20,000 fields', `{${many(20_000, (i) => `"f${i}":1`)}}`),
    json('20,000 times the same field', `{${many(20_000, () => '"a":1')}}`),
    json('a list of 100,000', `[${many(100_000, () => '1')}]`),
    json('a number of 100,000 digits', `{"a":${'9'.repeat(100_000)}}`),
    json('a number beyond all numbers', '{"a":1e999999999}'),
    json('a number with 100,000 decimals', `{"a":0.${'1'.repeat(100_000)}}`),
    json('a string of 250 KB', `{"a":"${'x'.repeat(NEARLY_ALL)}"}`),
    json('a field name of 250 KB', `{"${'x'.repeat(NEARLY_ALL)}":1}`),
    json('a string without end', `{"a":"${'\\\\'.repeat(NEARLY_ALL / 2 - 10)}`),
    json('250 KB of blanks', ' '.repeat(NEARLY_ALL)),
    json('40,000 escapes', `{"a":"${'\\u0041'.repeat(40_000)}"}`),
    json('a prototype', '{"__proto__":{"isAdmin":true}}'),
    json('a prototype in escapes', '{"\\u005f_proto__":{"isAdmin":true}}'),
    json('a constructor’s prototype', '{"constructor":{"prototype":{"isAdmin":true}}}'),
    json('bytes that are no UTF-8', '{"a":"\xff\xfe"}'),
    json('overlong UTF-8', '{"a":"\xc0\xae"}'),
  ];
}

/** Bodies that are too big, not what they seem, or come in an odd way. */
function bodies(target: Target): ResourceAttack[] {
  const { json, send, chunked } = attackers(target);
  const bomb = gzipSync(Buffer.alloc(10 * KB * KB)).toString('latin1');
  return [
    json('more than a body may have', `{"a":"${'x'.repeat(300 * KB)}"}`, 413),
    json('10 MB in 10 KB', bomb, 415, 'content-encoding: gzip'),
    json('a coding of a coding', bomb, 415, 'content-encoding: gzip, gzip'),
    json('an unknown coding', '{}', 415, 'content-encoding: br'),
    send('a bomb of XML entities', 'application/xml', '<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', 415),
    send(
      'a form',
      'application/x-www-form-urlencoded',
      many(10_000, (i) => `a[${i}]=1`, '&'),
      415,
    ),
    send('a multipart body without end', 'multipart/form-data; boundary=a', '--a\r\n'.repeat(1_000), 415),
    send('a content type of 10 KB', `application/json; a=${'x'.repeat(10 * KB)}`, '{"a":1}', 400),
    chunked(
      'chunks beyond what a body may have',
      Array.from({ length: 20 }, () => `8000\r\n${'x'.repeat(0x8000)}\r\n`),
      413,
    ),
    chunked('100,000 chunks of a byte', [`${'1\r\n[\r\n'.repeat(100_000)}0\r\n\r\n`], 400),
    chunked('a chunk extension of 20 KB', [`2;a=${'x'.repeat(20 * KB)}\r\n{}\r\n0\r\n\r\n`], 400),
    chunked('20 KB of trailers', [`2\r\n{}\r\n0\r\na: ${'x'.repeat(20 * KB)}\r\n\r\n`], 431),
  ];
}

/** What comes before the body. */
function heads(target: Target): ResourceAttack[] {
  const { json, read } = attackers(target);
  const { readPath } = target;
  return [
    read('a header of 20 KB', readPath, 431, `x: ${'y'.repeat(20 * KB)}`),
    read('300 headers', readPath, 400, ...Array.from({ length: 300 }, () => 'x:')),
    read('a path of 20 KB', `/${'x'.repeat(20 * KB)}`, 431),
    read('a path of 5,000 parts', '/a'.repeat(5_000), 404),
    read('a path of 10 KB in escapes', `/${'%25'.repeat(3_000)}`, 404),
    read('1,500 query parameters', `${readPath}?${many(1_500, (i) => `a${i}=`, '&')}`, 400),
    read('a prototype in the query', `${readPath}?__proto__[isAdmin]=true&__proto__.isAdmin=true`, 400),
    read('brackets in the query', `${readPath}?a${'[a]'.repeat(3_000)}=1`, 400),
    read('a traceparent of 10 KB', readPath, 200, `traceparent: ${'0'.repeat(10 * KB)}`),
    read('a list of 1,000 addresses', readPath, 200, `x-forwarded-for: ${many(1_000, (i) => `10.0.0.${i % 250}`)}`),
    json('an idempotency key of 10 KB', '{}', 400, `idempotency-key: ${'x'.repeat(10 * KB)}`),
  ];
}
