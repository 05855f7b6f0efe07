import { Limited } from '@cabstand/auth';
import { applyDecorators } from '@nestjs/common';
import { ERRORS, KINDS, type ErrorCode, type ServiceName } from '@cabstand/contracts';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiHeader, ApiResponse, DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { Problem, PROBLEM_JSON } from './problem.ts';

type SchemaObject = Exclude<NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string], { $ref: string }>;
const PROBLEM_CONTENT = { [PROBLEM_JSON]: { schema: { $ref: '#/components/schemas/Problem' } } };

/**
 * Declares a route's successful answer: `@ApiAnswer(201, TripView)`; without a schema there is no body. A schema
 * with `.meta({ id: 'Trip' })` stands under that name among the components, and is referred to from everywhere.
 */
export const ApiAnswer = (status: number, schema?: z.ZodType, description = '') =>
  ApiResponse({ status, description, ...(schema ? { standardSchema: schema } : {}) });

/** Declares a stream of server-sent events; the description tells which. */
export const ApiStream = (description: string) =>
  applyDecorators(
    ApiResponse({ status: 200, description, content: { 'text/event-stream': { schema: { type: 'string' } } } }),
    ApiHeader({ name: 'Last-Event-ID', required: false, schema: { type: 'string', pattern: '^\\d{1,18}$' } }),
    ApiProblems('SHUTTING_DOWN', 'OVERLOADED'),
    Limited('stream'),
  );

/**
 * Declares the refusals that are particular to a route: `@ApiProblems('QUOTE_EXPIRED', 'TRIP_ALREADY_ACTIVE')`.
 * What any route may answer (bad input, tokens, 500, 503) is added to the document for all of them.
 */
export const ApiProblems = (...codes: ErrorCode[]) =>
  applyDecorators(
    ...[...byStatus(codes)].map(([status, same]) => ApiResponse({ status, ...problemResponse([], same) })),
  );

/** Declares that operators see personal data of the answer in full only with a reason, see AccessReasonInterceptor. */
export const ApiAccessReason = () =>
  ApiHeader({ name: 'Access-Reason', required: false, schema: { type: 'string', minLength: 10, maxLength: 200 } });

type Responses = Record<string, { description: string; content?: unknown }>;

const byStatus = (codes: ErrorCode[]) => Map.groupBy(codes, (code) => KINDS[ERRORS[code].kind] as number);
/** One answer for each status: its description lists the codes that it may carry. */
function problemResponse(known: string[], codes: ErrorCode[]) {
  return { description: [...new Set([...known, ...codes])].join(', '), content: PROBLEM_CONTENT };
}

/** OpenAPI 3.1 takes JSON Schema 2020-12 as zod writes it; schemas that have a name move to the components. */
function jsonSchemaOf(schema: unknown, io: 'input' | 'output', named: Record<string, SchemaObject>): SchemaObject {
  const written = z.toJSONSchema(schema as z.ZodType, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  delete written.$schema;
  const moved = JSON.stringify(written).replaceAll('"#/$defs/', '"#/components/schemas/');
  const { $defs, ...converted } = JSON.parse(moved) as SchemaObject & { $defs?: Record<string, SchemaObject> };
  Object.assign(named, $defs);
  return converted;
}

interface Operation {
  requestBody?: { required: boolean; content: Record<string, { schema: { anyOf?: { type?: string }[] } }> };
  parameters?: { in: string }[];
  security?: unknown[];
  responses: Responses;
}

/** The service's OpenAPI 3.1 document, complete with what every route may refuse. */
export function openApiDocument(
  app: NestFastifyApplication,
  api: { service: ServiceName; title: string; description?: string },
): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(api.title)
    .setDescription(api.description ?? '')
    .setVersion('1')
    .addBearerAuth()
    .build();
  const named: Record<string, SchemaObject> = {};
  const document = SwaggerModule.createDocument(app, config, {
    standardSchemaConverter: (schema, { schemaType }) => ({ schema: jsonSchemaOf(schema, schemaType, named) }),
    operationIdFactory: (_controller, method) => method,
  });
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: jsonSchemaOf(Problem, 'output', named), ...named },
  };
  for (const operations of Object.values(document.paths)) {
    for (const [method, operation] of Object.entries(operations as Record<string, Operation>)) {
      addCommonProblems(method, operation);
      for (const body of Object.values(operation.requestBody?.content ?? {}))
        // What may be null may be left out: an empty body is none.
        if (body.schema.anyOf?.some(({ type }) => type === 'null')) operation.requestBody!.required = false;
    }
  }
  return document;
}

function addCommonProblems(method: string, operation: Operation): void {
  // A body is read wherever HTTP has one, and refused where the route takes none.
  const readsBody = method !== 'get';
  const takesInput = readsBody || (operation.parameters ?? []).some((parameter) => parameter.in !== 'header');
  const codes: ErrorCode[] = [
    ...(readsBody ? (['REQUEST_MALFORMED', 'BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED'] as const) : []),
    ...(takesInput ? (['REQUEST_INVALID'] as const) : []),
    ...(operation.security
      ? (['TOKEN_MISSING', 'TOKEN_INVALID', 'ROLE_FORBIDDEN', 'ISSUER_UNAVAILABLE'] as const)
      : []),
    'RATE_LIMITED',
    'DATABASE_UNAVAILABLE',
    'INTERNAL',
  ];
  const common = byStatus(codes);
  const declared = Object.keys(operation.responses)
    .map(Number)
    .filter((status) => status >= 400);
  for (const status of new Set([...common.keys(), ...declared])) {
    // Where two decorators speak of one status, @nestjs/swagger joins their descriptions with a line break.
    const known = operation.responses[status]?.description.split(/[,\s]+/).filter(Boolean) ?? [];
    operation.responses[status] = problemResponse(known, common.get(status) ?? []);
  }
}
