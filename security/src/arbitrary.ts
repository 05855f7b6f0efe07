import fc from 'fast-check';
import { placesOf, put, type JsonSchema, type Path } from './openapi.ts';
import { sample } from './sample.ts';

/** Values that the schema allows. */
export function valid(schema: JsonSchema, name = ''): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => valid(one, name)));
  switch (schema.type) {
    case 'object': {
      const properties = Object.entries(schema.properties ?? {});
      const model = Object.fromEntries(properties.map(([key, inner]) => [key, valid(inner, key)]));
      return fc.record(model, { requiredKeys: schema.required ?? [], noNullPrototype: true });
    }
    case 'array':
      return fc.array(valid(schema.items!, name), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 5, 5),
      });
    case 'integer':
      return fc.integer({ min: clamp(schema.minimum, -(2 ** 31)), max: clamp(schema.maximum, 2 ** 31 - 1) });
    case 'number':
      return fc.double({ min: schema.minimum ?? -1e6, max: schema.maximum ?? 1e6, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return text(schema, name);
  }
}

const clamp = (bound: number | undefined, byDefault: number) =>
  bound === undefined || Math.abs(bound) > 2 ** 31 ? byDefault : bound;

function text(schema: JsonSchema, name: string): fc.Arbitrary<string> {
  if (schema.format === 'uuid') return fc.uuid();
  if (schema.format === 'date-time') {
    // Times of our own years, so that some of them are about now.
    const dates = fc.date({ min: new Date('1990-01-01'), max: new Date('2090-01-01'), noInvalidDate: true });
    return fc
      .oneof(
        dates,
        fc.integer({ min: -60_000, max: 60_000 }).map((ms) => new Date(Date.now() + ms)),
      )
      .map((at) => at.toISOString());
  }
  const { minLength = 0, maxLength = 200, pattern } = schema;
  const any = fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 60) });
  const long = fc.integer({ min: minLength, max: maxLength }).map((length) => 'x'.repeat(length));
  const given = fc.constant(0).map(() => String(sample(schema, name)));
  const matches = pattern === undefined ? () => true : (value: string) => new RegExp(pattern, 'u').test(value);
  const fits = (value: string) => value.length >= minLength && value.length <= maxLength && matches(value);
  // Without the given ones, no address would ever look like one.
  return fc.oneof(
    given,
    fc.oneof(given, any, long).filter((value) => fits(value)),
  );
}

/** Anything that JSON can say, and some that only looks like it. */
const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom<unknown>(
    ...[null, '', 0, -0, -1, 1.5, 1e308, -1e308, 2 ** 53, true, [], {}, [[]], [null], '\0', '\ud800', '\u{10ffff}'],
    ...[
      'x'.repeat(5_000),
      '9'.repeat(400),
      Array.from({ length: 300 }, () => 0),
      { length: 1e9 },
      { toJSON: 1, then: 1 },
    ],
  ),
);

/** What the schema allows with one place of it spoilt: something else there, left out, or something added. */
export function spoilt(schema: JsonSchema): fc.Arbitrary<unknown> {
  const places = placesOf(schema).map(({ path }) => path);
  return fc
    .tuple(
      valid(schema),
      fc.constantFrom<Path>(...places),
      fc.oneof(anything, fc.constant(undefined)),
      fc.string(),
      fc.boolean(),
    )
    .map(([body, path, value, key, adds]) =>
      adds ? put(body ?? {}, [key], value) : put(body, reachable(body, path), value),
    );
}

/** As much of the path as this body has: optional fields may be missing. */
function reachable(body: unknown, path: Path): Path {
  let at: unknown = body;
  const taken: (string | number)[] = [];
  for (const key of path) {
    if (typeof at !== 'object' || at === null) break;
    taken.push(key);
    at = (at as Record<string | number, unknown>)[key];
  }
  return taken;
}

export { anything };
