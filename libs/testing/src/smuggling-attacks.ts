/** Something that a proxy and a server might understand as different numbers of requests. */
export interface SmugglingAttack {
  name: string;
  bytes: string;
  /** The one answer there may be; the connection ends with it, so that nothing after it is heard. */
  status: number;
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n';
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const CHUNKED_NOTHING = '0\r\n\r\n';
const attack = (name: string, bytes: string, status = 400): SmugglingAttack => ({ name, bytes, status });

/** `path` takes POST; nobody need be allowed to. */
export function smugglingAttacks(path: string): SmugglingAttack[] {
  const post = (...headers: string[]) =>
    [`POST ${path} HTTP/1.1`, 'host: a', 'content-type: application/json', ...headers, '', ''].join('\r\n');
  return [...framing(post), ...lines(post), ...chunks(post), ...requests(path, post)];
}

type Post = (...headers: string[]) => string;

/** How long is the body? */
const framing = (post: Post): SmugglingAttack[] => [
  attack('a length and chunks', post('content-length: 4', 'transfer-encoding: chunked') + CHUNKED_NOTHING + SMUGGLED),
  attack('chunks and a length', post('transfer-encoding: chunked', 'content-length: 4') + CHUNKED_NOTHING + SMUGGLED),
  attack('two lengths', post('content-length: 0', `content-length: ${SMUGGLED.length}`) + SMUGGLED),
  attack('the same length twice', post('content-length: 2', 'content-length: 2') + '{}' + SMUGGLED),
  attack('a list of lengths', post('content-length: 2, 2') + '{}' + SMUGGLED),
  attack('a length with a sign', post('content-length: +2') + '{}' + SMUGGLED),
  attack('a negative length', post('content-length: -1') + SMUGGLED),
  attack('a hexadecimal length', post('content-length: 0x2') + '{}' + SMUGGLED),
  attack('a length in two parts', post('content-length: 2 2') + '{}' + SMUGGLED),
  attack('a length beyond 64 bits', post('content-length: 18446744073709551618') + '{}' + SMUGGLED),
  attack('an empty length', post('content-length:') + SMUGGLED),
  attack('an unknown transfer coding', post('transfer-encoding: xchunked') + CHUNKED_NOTHING + SMUGGLED),
  attack(
    'chunks that are not the last coding',
    post('transfer-encoding: chunked, identity') + CHUNKED_NOTHING + SMUGGLED,
  ),
  attack(
    'two transfer codings',
    post('transfer-encoding: identity', 'transfer-encoding: chunked') + CHUNKED_NOTHING + SMUGGLED,
  ),
  attack('a coding before chunks', post('transfer-encoding: gzip, chunked') + CHUNKED_NOTHING + SMUGGLED),
];

/** Where does a header end? */
const lines = (post: Post): SmugglingAttack[] => [
  attack('a coding behind a control character', post('transfer-encoding: \x0bchunked') + CHUNKED_NOTHING + SMUGGLED),
  attack('a blank before the colon', post('transfer-encoding : chunked') + CHUNKED_NOTHING + SMUGGLED),
  attack('a folded header', post('transfer-encoding:\r\n chunked') + CHUNKED_NOTHING + SMUGGLED),
  attack('a header on two lines', post('x: a\r\n content-length: 36') + SMUGGLED),
  attack('a header without a colon', post('content-length 2') + '{}' + SMUGGLED),
  attack('a carriage return inside a header', post('x: a\rtransfer-encoding: chunked') + CHUNKED_NOTHING + SMUGGLED),
  attack('a NUL inside a header', post('x: a\0b') + SMUGGLED),
  attack('lines that end in a line feed alone', post('x: a\ntransfer-encoding: chunked') + CHUNKED_NOTHING + SMUGGLED),
];

/** Where does a chunk end? */
const chunks = (post: Post): SmugglingAttack[] => [
  attack('chunks in HTTP/1.0', post('transfer-encoding: chunked').replace('/1.1', '/1.0') + CHUNKED_NOTHING + SMUGGLED),
  attack('a chunk size with a sign', post('transfer-encoding: chunked') + '+2\r\n{}\r\n' + CHUNKED_NOTHING + SMUGGLED),
  attack('a chunk size with 0x', post('transfer-encoding: chunked') + '0x2\r\n{}\r\n' + CHUNKED_NOTHING + SMUGGLED),
  attack(
    'a chunk size beyond 64 bits',
    post('transfer-encoding: chunked') + '10000000000000002\r\n{}\r\n' + CHUNKED_NOTHING + SMUGGLED,
  ),
  attack(
    'a chunk longer than its size',
    post('transfer-encoding: chunked') + '1\r\n{}\r\n' + CHUNKED_NOTHING + SMUGGLED,
  ),
  attack(
    'a chunk that ends in a line feed alone',
    post('transfer-encoding: chunked') + '2\n{}\r\n' + CHUNKED_NOTHING + SMUGGLED,
  ),
  attack(
    'a chunk extension with a line feed',
    post('transfer-encoding: chunked') + '2;a\nb\r\n{}\r\n' + CHUNKED_NOTHING + SMUGGLED,
  ),
];

/** Where does a request begin, and whose is it? */
const requests = (path: string, post: Post): SmugglingAttack[] => [
  attack('two hosts', post('host: b', 'content-length: 0') + SMUGGLED),
  attack('no host', post('content-length: 0').replace('host: a\r\n', '') + SMUGGLED),
  attack('a line that is no header first', `POST ${path} HTTP/1.1\r\n host: a\r\n\r\n${SMUGGLED}`),
  attack('a version that does not exist', post('content-length: 0').replace('/1.1', '/1.9') + SMUGGLED),
  attack('HTTP/0.9', `GET ${path}\r\n${SMUGGLED}`),
  attack('HTTP/2 without asking', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${SMUGGLED}`),
  attack('a method with a control character', `PO\tST ${path} HTTP/1.1\r\nhost: a\r\n\r\n${SMUGGLED}`),
  attack(
    'a request inside of a body',
    post('transfer-encoding: chunked') + chunk(SMUGGLED) + '0\r\ncontent-length: 5\r\n\r\n',
    400,
  ),
];
