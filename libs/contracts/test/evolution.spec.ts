import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { z } from 'zod';
import { CONTRACTS, FIXTURES, schemaOf, versionsOf, type Contract, type JsonSchema } from './record.ts';

/** Anything that the schema takes. */
function anyOf(json: JsonSchema): fc.Arbitrary<unknown> {
  const { minimum, maximum, minLength, maxLength } = json;
  if (json.const !== undefined) return fc.constant(json.const);
  if (json.enum) return fc.constantFrom(...(json.enum as unknown[]));
  if (json.anyOf) return fc.oneof(...(json.anyOf as JsonSchema[]).map(anyOf));
  switch (json.type) {
    case 'string':
      if (json.format === 'uuid') return fc.uuid();
      if (json.format === 'date-time')
        return fc
          .date({ noInvalidDate: true, min: new Date('2000-01-01'), max: new Date('2100-01-01') })
          .map((date) => date.toISOString());
      if (json.format) break;
      return json.pattern ? fc.stringMatching(new RegExp(json.pattern)) : fc.string({ minLength, maxLength });
    case 'integer':
      return fc.integer({
        min: Math.max(minimum ?? -Infinity, Number(json.exclusiveMinimum ?? -Infinity) + 1, -(2 ** 31)),
        max: Math.min(maximum ?? Infinity, 2 ** 31 - 1),
      });
    case 'number':
      return fc.double({ min: minimum, max: maximum, noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(anyOf(json.items as JsonSchema), { maxLength: 3 });
    case 'object': {
      const fields = Object.entries(json.properties ?? {}).map(([name, field]) => [name, anyOf(field as JsonSchema)]);
      return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
        requiredKeys: json.required ?? [],
        noNullPrototype: true,
      });
    }
    default:
      break;
  }
  throw new Error(`evolution.spec.ts cannot make an example of ${JSON.stringify(json)}: teach it`);
}

/** What of `written` a reader would refuse, as zod says it; null when it takes everything. */
function refusalOf(written: fc.Arbitrary<unknown>, reader: z.ZodType): string | null {
  const result = fc.check(
    fc.property(written, (event) => reader.safeParse(event).success),
    { seed: 1, numRuns: 300 },
  );
  if (!result.failed || !result.counterexample) return null;
  const [event] = result.counterexample;
  const [issue] = reader.safeParse(event).error?.issues ?? [];
  return `${issue?.path.map(String).join('.') || 'the whole'}: ${issue?.message}, in ${JSON.stringify(event)}`;
}

/** The same with one field more in every object. */
function withMore(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withMore);
  return {
    ...Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withMore(inner)])),
    addedLater: 1,
  };
}

const REMEDY = (type: string) =>
  `Take the change back, and publish what is new as an event of its own, ${nextType(type)}, beside this one until nobody consumes it.`;
const nextType = (type: string) => type.replace(/(?:\.v(\d+))?$/, (_, n) => `.v${Number(n ?? 1) + 1}`);
const readersOf = ({ consumers }: Contract) => consumers.join(', ') || 'nobody of ours';

/** @throws Error that says who breaks, how, and what to do instead */
function assertReadable(contract: Contract, who: string, written: fc.Arbitrary<unknown>, reader: z.ZodType): void {
  const refusal = refusalOf(written, reader);
  if (refusal === null) return;
  throw new Error(`${contract.type} breaks ${readersOf(contract)}: ${who}.\n  ${refusal}\n${REMEDY(contract.type)}`);
}

describe.each(CONTRACTS.map((contract) => [contract.type, contract] as const))('%s', (_, contract) => {
  const today = schemaOf(contract);
  const versions = versionsOf(contract.type);

  it.each(versions)('still takes $name', ({ name, example, schema }) => {
    const who = `today's consumers cannot read what waits in their queues since ${name}`;
    assertReadable(contract, who, fc.constant(example), contract.schema);
    assertReadable(contract, who, anyOf(schema), contract.schema);
  });

  it.each(versions)('is still taken by a consumer that knows $name', ({ name, schema }) => {
    const who = `consumers that were deployed with ${name} cannot read what is published today`;
    assertReadable(contract, who, anyOf(today), z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema));
  });

  it('is taken with fields that a newer publisher adds, wherever it adds them', () => {
    const who = 'they set aside what a newer publisher says more';
    for (const { example } of versions) assertReadable(contract, who, fc.constant(withMore(example)), contract.schema);
  });

  it('is on record as it is now', () => {
    const isRecorded = JSON.stringify(versions.at(-1)?.schema) === JSON.stringify(today);
    if (!isRecorded)
      throw new Error(`${contract.type} has changed: npx nx run contracts:record, and commit the result`);
  });
});

it('no contract has gone that messages may still wait for', () => {
  const gone = readdirSync(FIXTURES).filter((type) => !CONTRACTS.some((contract) => contract.type === type));
  if (gone.length === 0) return;
  throw new Error(
    `${gone.join(', ')}: gone from the contracts, and whoever consumed it would set aside what is still under way. ` +
      'Bring it back; once no queue and no dead_letters holds any, delete its folder in fixtures with it.',
  );
});
