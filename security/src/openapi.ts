import type { ServiceName } from '@cabstand/contracts';
import { z } from 'zod';

export interface JsonSchema {
  $ref?: string;
  type?: string;
  format?: string;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  anyOf?: JsonSchema[];
  default?: unknown;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: JsonSchema;
}

type Content = Record<string, { schema: JsonSchema }>;

export interface OpenApi {
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, JsonSchema> };
}
interface RawOperation {
  security?: unknown[];
  requestBody?: { content: Content };
  parameters?: Parameter[];
  responses: Record<string, { content?: Content }>;
}

/** One call of a service, as the service's own document describes it. */
export interface Operation {
  service: ServiceName;
  method: string;
  path: string;
  /** `trip POST /v1/trips/{id}/cancel` */
  name: string;
  isPublic: boolean;
  parameters: Parameter[];
  body: JsonSchema | undefined;
  responses: Record<string, { content?: Content }>;
  document: OpenApi;
}

export function operationsOf(service: ServiceName, document: OpenApi): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...{ service, path, document, method: method.toUpperCase() },
      name: `${service} ${method.toUpperCase()} ${path}`,
      isPublic: !operation.security?.length,
      parameters: operation.parameters ?? [],
      body: bodyOf(operation),
      responses: operation.responses,
    })),
  );
}

/** Bodies that may be left out are documented as "this or null". */
function bodyOf(operation: RawOperation): JsonSchema | undefined {
  const schema = operation.requestBody?.content['application/json']?.schema;
  return schema?.anyOf?.find(({ type }) => type !== 'null') ?? schema;
}

const validators = new WeakMap<JsonSchema, z.ZodType>();

function validatorOf(schema: JsonSchema, { components }: OpenApi): z.ZodType {
  const known = validators.get(schema);
  if (known) return known;
  const moved = JSON.stringify({ ...schema, $defs: components.schemas }).replaceAll(
    '#/components/schemas/',
    '#/$defs/',
  );
  const validator = z.fromJSONSchema(JSON.parse(moved) as Parameters<typeof z.fromJSONSchema>[0]);
  validators.set(schema, validator);
  return validator;
}

export interface Answered {
  status: number;
  contentType: string;
  text: string;
}

/** What of an answer the document doesn't say, or undefined when it says all of it. */
export function undocumented(operation: Operation, { status, contentType, text }: Answered): string | undefined {
  const documented = operation.responses[status];
  if (!documented) return `answered ${status}, which is not documented: ${text.slice(0, 300)}`;
  const content = documented.content ?? {};
  const [mediaType] = contentType.split(';');
  if (Object.keys(content).length === 0) return text === '' ? undefined : `has a body: ${text.slice(0, 300)}`;
  const schema = content[mediaType!]?.schema;
  if (!schema) return `answered ${status} as ${contentType || 'nothing'}, not as ${Object.keys(content).join(', ')}`;
  // A stream is as long as the client stays.
  if (mediaType === 'text/event-stream') return undefined;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return `answered ${status} with a body that is not JSON: ${text.slice(0, 300)}`;
  }
  const { error } = validatorOf(schema, operation.document).safeParse(body);
  return error
    ? `answered ${status} with a body of another shape (${z.prettifyError(error)}): ${text.slice(0, 300)}`
    : undefined;
}

/** A place in a body: the keys that lead there; array items are reached through index 0. */
export type Path = readonly (string | number)[];

export interface Place {
  path: Path;
  schema: JsonSchema;
}

/** Every place of a body, the whole body first. */
export function placesOf(schema: JsonSchema, path: Path = []): Place[] {
  return [
    { path, schema },
    ...Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => placesOf(inner, [...path, name])),
    ...(schema.items ? placesOf(schema.items, [...path, 0]) : []),
  ];
}

export function get(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<string | number, unknown> | undefined)?.[key], value);
}

/** A copy with something else at that place. */
export function put(value: unknown, path: Path, changed: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return changed;
  if (Array.isArray(value)) return value.map((item, index) => (index === key ? put(item, rest, changed) : item));
  return { ...(value as object), [key]: put((value as Record<string, unknown>)[key], rest, changed) };
}
