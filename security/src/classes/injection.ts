import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import type { AttackClass, Verdict } from '../attack.ts';
import { inParallel } from '../in-parallel.ts';
import { get, placesOf, put, undocumented, type Operation, type Path } from '../openapi.ts';
import { send, type Answer } from '../wire.ts';
import type { World } from '../world.ts';

/** Made by a shell that was talked into it. */
const SHELL_CANARY = join(tmpdir(), `cabstand-shell-${process.pid}`);
/** What a template engine would make of 1337*7331. */
const TEMPLATE_CANARY = '9801547';
/** A statement that sleeps as it is told takes longer. */
const ASLEEP_MS = 4_000;

export const STRINGS: Record<string, readonly string[]> = {
  sql: [
    `'; DROP TABLE trips;--`,
    `' OR '1'='1`,
    `'||pg_sleep(5)||'`,
    `1;SELECT pg_sleep(5)--`,
    `\\'; COPY (SELECT 1) TO PROGRAM 'id';--`,
    '$1',
    '\\.',
    '{a,"b",NULL}',
    `x' AND 1=CAST((SELECT version()) AS int)--`,
  ],
  nosql: ['{"$gt":""}', `'; return this.password; //`, '[$ne]=1'],
  ldap: ['*)(uid=*))(|(uid=*', '\\2a\\28', 'cn=admin,dc=example'],
  shell: [
    `$(touch ${SHELL_CANARY})`,
    `\`touch ${SHELL_CANARY}\``,
    `; touch ${SHELL_CANARY} #`,
    `| touch ${SHELL_CANARY}`,
  ],
  template: [
    '{{1337*7331}}',
    '${1337*7331}',
    '<%= 1337*7331 %>',
    '#{1337*7331}',
    `{{constructor.constructor('return 1337*7331')()}}`,
    '${jndi:ldap://127.0.0.1:1/a}',
  ],
  markup: [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    `=cmd|'/c calc'!A1`,
  ],
  lines: ['a\r\nSet-Cookie: role=operator', 'a\nb', 'a\rb', 'a\u2028b', 'a\u0085b', '\u001b[31mred'],
  null: ['a\0b', '\0', '%00', 'a\\u0000b'],
  unicode: [
    '\u202egnp.exe',
    '\u{1f680}\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
    '\u{20000}\u{10ffff}',
    'Z\u0351\u036b\u0343\u036ao',
    '\u00e5\u0061\u030a\u212b',
    '\ufeffbom',
    '\ufffe\uffff',
    '\u0130\u0131\u017f\u1e9e',
    'a\ud800b',
    '\udc00',
    '\ud83d',
  ],
  path: ['../../../../etc/passwd', '..\\..\\windows\\win.ini', '%2e%2e%2f', 'file:///etc/passwd', '/dev/null'],
  format: ['%s%s%s%n%x', '%d', '{0}{1}', '%1$*1000000000d', '\\x41'],
  words: ['null', 'undefined', 'NaN', 'true', '-0', '1e999', '__proto__', 'constructor', 'toString', '0x10'],
};

/** Refused as a whole: RFC 8259 asks for UTF-8, and a replaced byte would not be what was given. */
const NOT_UTF8 = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]];

const all = Object.values(STRINGS).flat();
/** What is most likely to break something: of each language one string, and what isn't text. */
const few = [
  // Also where there is no row that it would have to look at.
  `x' AND 1=CAST((SELECT version()) AS int)--`,
  '{{1337*7331}}',
  '<script>alert(1)</script>',
  'a\r\nSet-Cookie: role=operator',
  'a\0b',
  'a\ud800b',
  '\u{20000}\u{10ffff}',
];

export const injection: AttackClass = {
  name: 'injection strings',
  about: 'in every string field, parameter and key: no 5xx, refused or stored and said again as given',
  async run(world, { quick }) {
    const strings = quick ? few : all;
    const bytes = quick ? NOT_UTF8.slice(0, 1) : NOT_UTF8;
    const verdicts: Verdict[] = [];
    for (const operation of world.operations) {
      const fields = placesOf(operation.body ?? {}).filter(({ schema }) => schema.type === 'string');
      const attempts = [
        ...fields.flatMap(({ path }) => [
          ...strings.map((text) => () => intoBody(world, operation, path, text)),
          ...bytes.map((wrong) => () => notUtf8(world, operation, path, wrong)),
        ]),
        ...operation.parameters.flatMap((parameter) =>
          strings.map((text) => () => intoParameter(world, operation, parameter, text)),
        ),
      ];
      // A passenger has one trip at a time, and somebody whose password was changed has no session.
      const width = /cancel$|password$/.test(operation.path) ? 1 : 4;
      verdicts.push(...(await inParallel(attempts, width, (attempt) => attempt())));
    }
    verdicts.push(...(await aftermath(world)));
    return verdicts;
  },
};

async function intoBody(world: World, operation: Operation, path: Path, text: string): Promise<Verdict> {
  const attack = `${operation.name} ${path.join('.')} = ${JSON.stringify(text)}`;
  const { body, url } = await world.goodCall(operation);
  const answer = await world.call(operation, url, put(body, path, text));
  const broken = badAnswer(operation, answer) ?? notEchoed(answer, path, text);
  // Whoever has a new password has no session any more.
  if (operation.path.endsWith('/password') && answer.status === 204) await world.replace(operation.service as 'driver');
  return { attack, broken };
}

async function notUtf8(world: World, operation: Operation, path: Path, bytes: number[]): Promise<Verdict> {
  const { body, url } = await world.goodCall(operation);
  const [before, after] = JSON.stringify(put(body, path, 'ab|cd')).split('|') as [string, string];
  const sent = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
  const { status, text } = await send({
    ...{ method: operation.method, url, body: Uint8Array.from(sent), token: await world.tokenFor(operation) },
  });
  const broken = status === 400 ? undefined : `answered ${status} ${text.slice(0, 200)}`;
  return { attack: `${operation.name} ${path.join('.')} = bytes ${Buffer.from(bytes).toString('hex')}`, broken };
}

async function intoParameter(
  world: World,
  operation: Operation,
  { name, in: where }: Operation['parameters'][number],
  text: string,
): Promise<Verdict> {
  const attack = `${operation.name} ${where} ${name} = ${JSON.stringify(text)}`;
  const good = await world.goodCall(operation);
  let url = good.url;
  const headers: Record<string, string> = {};
  // What can't be written as UTF-8 arrives as what replaces it.
  const writable = text.toWellFormed();
  if (where === 'path') url = world.urlOf(operation, { [name]: writable });
  else if (where === 'query') url = `${url}?${name}=${encodeURIComponent(writable)}`;
  // A client that isn't ours could send more, over a socket: see log injection and request smuggling.
  else headers[name] = /^[\t\x20-\xff]*$/.test(text) ? text : encodeURIComponent(writable);
  const answer = await world.call(operation, url, good.body, headers);
  return { attack, broken: badAnswer(operation, answer) };
}

function badAnswer(operation: Operation, answer: Answer): string | undefined {
  if (answer.status >= 500) return `answered ${answer.status}: ${answer.text.slice(0, 200)}`;
  if (answer.tookMs > ASLEEP_MS) return `took ${Math.round(answer.tookMs)} ms`;
  if (answer.text.includes(TEMPLATE_CANARY)) return 'a template was evaluated';
  if (answer.headers.has('set-cookie')) return 'a header was split';
  // The path may have become another one, which nothing is documented of.
  return answer.status === 404 ? undefined : undocumented(operation, answer);
}

/** Where the answer has the field, it holds what was given; spaces around it and an address's capitals don't count. */
function notEchoed({ status, json }: Answer, path: Path, given: string): string | undefined {
  const said = get(json, path);
  if (status >= 300 || typeof said !== 'string') return undefined;
  const kept = path.at(-1) === 'email' ? given.trim().toLowerCase() : given.trim();
  return said === kept ? undefined : `answered ${JSON.stringify(said)}`;
}

/** What an injection leaves behind: a file, a message that a consumer couldn't take, a profile that can't be read. */
async function aftermath(world: World): Promise<Verdict[]> {
  const verdicts: Verdict[] = [
    { attack: 'a file made by a shell', broken: existsSync(SHELL_CANARY) ? `${SHELL_CANARY} is there` : undefined },
  ];
  for (const service of SERVICES) {
    const dead = await world.rows<{ reason: string }>(service, 'SELECT * FROM dead_letters');
    verdicts.push({
      attack: `dead letters of ${service}`,
      broken: dead.length > 0 ? `${dead.length} of them` : undefined,
    });
  }
  for (const operation of world.operations.filter(
    ({ method, path }) => method === 'GET' && /\/(me|export|trips)$/.test(path),
  )) {
    const answer = await world.call(operation, (await world.goodCall(operation)).url, undefined);
    verdicts.push({ attack: `${operation.name} afterwards`, broken: undocumented(operation, answer) });
  }
  return verdicts;
}
