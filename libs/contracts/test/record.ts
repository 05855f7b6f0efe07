/**
 * nx run contracts:record
 *
 * Writes down each contract that is new or has changed: `fixtures/<type>/<n>.schema.json` and an example of it,
 * `<n>.json`. What is written once is never changed: messages like that may wait in queues and `dead_letters`, and
 * consumers that know no more than that may be running.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { Envelope, EVENTS, SERVICES } from '../src/index.ts';

export const FIXTURES = join(import.meta.dirname, '..', 'fixtures');

export type JsonSchema = z.core.JSONSchema.JSONSchema;

export interface Contract {
  type: string;
  schema: z.ZodType;
  consumers: readonly string[];
}

export const CONTRACTS: Contract[] = [...EVENTS, { type: 'envelope', schema: Envelope, consumers: SERVICES }];

/** One state in which a contract was published. */
export interface Version {
  name: string;
  schema: JsonSchema;
  example: unknown;
}

const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

/** Oldest first. */
export function versionsOf(type: string): Version[] {
  const folder = join(FIXTURES, type);
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const numbers = files.filter((file) => /^\d+\.json$/.test(file)).map((file) => Number.parseInt(file, 10));
  return numbers
    .sort((a, b) => a - b)
    .map((n) => ({
      name: `fixtures/${type}/${n}.json`,
      schema: read(join(folder, `${n}.schema.json`)) as JsonSchema,
      example: read(join(folder, `${n}.json`)),
    }));
}

/** As consumers take it: fields that they don't know are ignored where the contract is loose. */
export function schemaOf({ schema }: Contract): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // `format` says it; the regular expression behind it is zod's, and may change with it.
      if (jsonSchema.format) delete jsonSchema.pattern;
    },
  });
  return JSON.parse(JSON.stringify(json)) as JsonSchema;
}

const FORMATS: Record<string, (name: string) => string> = {
  uuid: (name) => `01990000-0000-7000-8000-${createHash('sha1').update(name).digest('hex').slice(0, 12)}`,
  'date-time': () => '2026-01-31T12:00:00.000Z',
};
const PATTERNS: Record<string, string> = {
  '^[A-Z]{3}$': 'EUR',
  '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$': '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
};

/** Something that the schema takes, with every optional field. */
function exampleOf(json: JsonSchema, name: string): unknown {
  if (json.const !== undefined) return json.const;
  if (json.enum) return json.enum[0];
  if (json.anyOf) return exampleOf(json.anyOf[0] as JsonSchema, name);
  if (json.type === 'string') return FORMATS[json.format ?? '']?.(name) ?? PATTERNS[json.pattern ?? ''] ?? name;
  if (json.type === 'number' || json.type === 'integer') return Math.max(1, Number(json.minimum ?? 1));
  if (json.type === 'boolean') return true;
  if (json.type === 'array') return [exampleOf(json.items as JsonSchema, name)];
  const properties = Object.entries(json.properties ?? {});
  return Object.fromEntries(properties.map(([key, value]) => [key, exampleOf(value as JsonSchema, key)]));
}

const text = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

if (import.meta.main) {
  for (const contract of CONTRACTS) {
    const versions = versionsOf(contract.type);
    const schema = schemaOf(contract);
    if (text(versions.at(-1)?.schema) === text(schema)) continue;
    const folder = join(FIXTURES, contract.type);
    const n = versions.length + 1;
    mkdirSync(folder, { recursive: true });
    const example = contract.schema.parse(exampleOf(schema, contract.type));
    writeFileSync(join(folder, `${n}.schema.json`), text(schema), { flag: 'wx' });
    writeFileSync(join(folder, `${n}.json`), text(example), { flag: 'wx' });
    process.stdout.write(`fixtures/${contract.type}/${n}.json\n`);
  }
}
