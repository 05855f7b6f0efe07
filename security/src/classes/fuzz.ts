import fc from 'fast-check';
import { anything, spoilt, valid } from '../arbitrary.ts';
import type { AttackClass, Verdict } from '../attack.ts';
import { undocumented, type Operation, type Parameter } from '../openapi.ts';
import { send } from '../wire.ts';
import type { World } from '../world.ts';

const RUNS = 200;
const RUNS_QUICK = 8;
/** Each run makes an account, or costs one. */
const RUNS_OF_ACCOUNTS = 30;
const RUNS_OF_ACCOUNTS_QUICK = 3;

interface Input {
  /** As it is sent; undefined for no body. */
  body: string | undefined;
  contentType: string;
  path: Record<string, string>;
  query: [string, string][];
  headers: Record<string, string>;
}

export const fuzz: AttackClass = {
  name: 'fuzzing from OpenAPI',
  about:
    'each operation with bodies and parameters that its document allows, and with spoilt ones: a documented answer, no 5xx',
  async run(world, { quick, seed }) {
    const verdicts: Verdict[] = [];
    for (const operation of world.operations) {
      const isDear = /passengers$|drivers$|password$|sessions$|me$/.test(operation.path) && operation.method !== 'GET';
      const numRuns = quick ? (isDear ? RUNS_OF_ACCOUNTS_QUICK : RUNS_QUICK) : isDear ? RUNS_OF_ACCOUNTS : RUNS;
      const property = fc.asyncProperty(inputsOf(operation), async (input) => {
        const broken = await attempt(world, operation, input);
        if (broken) throw new Error(broken);
      });
      const outcome = await fc.check(property, { numRuns, seed, endOnFailure: true });
      const [input] = outcome.counterexample ?? [];
      const broken = outcome.failed
        ? `${String(outcome.errorInstance)} for ${JSON.stringify(input).slice(0, 600)}`
        : undefined;
      verdicts.push({ attack: operation.name, broken });
      for (let run = 1; run < outcome.numRuns; run += 1) verdicts.push({ attack: `${operation.name} again` });
    }
    return verdicts;
  },
};

async function attempt(world: World, operation: Operation, input: Input): Promise<string | undefined> {
  const query = input.query
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
  const url = `${world.urlOf(operation, input.path)}${query ? `?${query}` : ''}`;
  const answer = await send({
    ...{ method: operation.method, url, token: await world.tokenFor(operation), body: input.body },
    headers: { ...(input.body === undefined ? {} : { 'content-type': input.contentType }), ...input.headers },
  });
  await mend(world, operation, answer.status);
  return answer.status >= 500 ? `answered ${answer.status} ${answer.text}` : undocumented(operation, answer);
}

/** Whoever was erased, signed out or has another password is replaced, so that the next run isn't just refused. */
async function mend(world: World, { service, path, method }: Operation, status: number): Promise<void> {
  const endsSession = method === 'DELETE' || path.endsWith('/password');
  if (status === 204 && endsSession && service !== 'trip' && !path.includes('/ops/')) await world.replace(service);
}

function inputsOf(operation: Operation): fc.Arbitrary<Input> {
  const { body: schema, parameters } = operation;
  const json = (values: fc.Arbitrary<unknown>) => values.map((value) => JSON.stringify(value) as string | undefined);
  const bodies = schema
    ? fc.oneof(
        { weight: 4, arbitrary: json(valid(schema)) },
        { weight: 4, arbitrary: json(spoilt(schema)) },
        { weight: 1, arbitrary: json(anything) },
        { weight: 1, arbitrary: fc.oneof(fc.string(), fc.constantFrom('{', '[', '{}', '""', '{"a":1}{', '\ufeff{}')) },
        { weight: 1, arbitrary: fc.constant(undefined) },
      )
    : operation.method === 'GET'
      ? fc.constant(undefined)
      : fc.oneof(fc.constant(undefined), json(anything));
  return fc.record({
    body: bodies,
    contentType: fc.oneof(
      { weight: 12, arbitrary: fc.constant('application/json') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          'text/plain',
          'application/xml',
          'application/json; charset=utf-16',
          'x',
          '/',
          'multipart/form-data',
        ),
      },
    ),
    path: fc.record(named(parameters, 'path', (schema) => fc.oneof(valid(schema).map(String), segment))),
    query: query(parameters),
    headers: fc
      .record(named(parameters, 'header', (schema) => fc.oneof(valid(schema).map(String), visible).map(fieldValue)))
      .chain((headers) => fc.subarray(Object.entries(headers)).map(Object.fromEntries<string>)),
  });
}

/** What a segment can be without becoming another path. */
const segment = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }).filter((text) => !/^\.{1,2}$/.test(text));
const visible = fc.stringMatching(/^[\x21-\x7e]{1,80}$/);
/** A header field carries bytes (RFC 9110, section 5.5): of a text those of UTF-8, without what would end the field. */
const fieldValue = (text: string) => Buffer.from(text.replace(/\p{Cc}/gu, '')).toString('latin1');

function named(
  parameters: Parameter[],
  where: Parameter['in'],
  arbitrary: (schema: Parameter['schema']) => fc.Arbitrary<string>,
) {
  const own = parameters.filter((parameter) => parameter.in === where);
  return Object.fromEntries(own.map(({ name, schema }) => [name, arbitrary(schema)]));
}

/** Known parameters with good and bad values, some twice, and unknown ones, where the document has any. */
function query(parameters: Parameter[]): fc.Arbitrary<[string, string][]> {
  const known = parameters.filter((parameter) => parameter.in === 'query');
  if (known.length === 0) return fc.constant([]);
  const good = fc.oneof(...known.map(({ name, schema }) => fc.tuple(fc.constant(name), valid(schema).map(String))));
  const bad = fc.tuple(
    fc.constantFrom(...known.map(({ name }) => name)),
    fc.string({ unit: 'grapheme', maxLength: 60 }),
  );
  const unknown = fc.tuple(fc.string({ maxLength: 10 }), fc.string({ maxLength: 10 }));
  return fc.array(
    fc.oneof({ weight: 4, arbitrary: good }, { weight: 2, arbitrary: bad }, { weight: 1, arbitrary: unknown }),
    { maxLength: 4 },
  );
}
