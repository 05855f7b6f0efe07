import { ERRORS, KINDS, type ErrorCode, type ServiceName } from '@cabstand/contracts';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiResponse, DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';

type SchemaObject = Exclude<NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string], { $ref: string }>;
import { z } from 'zod';
import { Problem, PROBLEM_JSON } from './problem.ts';

const PROBLEM_CONTENT = { [PROBLEM_JSON]: { schema: { $ref: '#/components/schemas/Problem' } } };

/** Declares a route's successful answer: `@ApiAnswer(201, TripView)`; without a schema there is no body. */
export const ApiAnswer = (status: number, schema?: z.ZodType, description = '') =>
  ApiResponse({ status, description, ...(schema ? { standardSchema: schema } : {}) });

/** Declares a stream of server-sent events; the description tells which. */
export const ApiStream = (description: string) =>
  ApiResponse({ status: 200, description, content: { 'text/event-stream': { schema: { type: 'string' } } } });

/** Where @nestjs/swagger keeps what a route answers. */
const API_RESPONSE = 'swagger/apiResponse';

/**
 * Declares the refusals that are particular to a route: `@ApiProblems('QUOTE_EXPIRED', 'TRIP_ALREADY_ACTIVE')`.
 * What any route may answer (bad input, tokens, 500, 503) is added to the document for all of them.
 */
export function ApiProblems(...codes: ErrorCode[]): MethodDecorator {
  return (target, name, descriptor: PropertyDescriptor) => {
    const declared = (Reflect.getMetadata(API_RESPONSE, descriptor.value as object) ?? {}) as Responses;
    for (const [status, same] of byStatus(codes)) {
      // A second decorator for a status would otherwise replace the first.
      ApiResponse({ status, ...problemResponse(declared[status], same) })(target, name, descriptor);
    }
  };
}

type Responses = Record<string, { description: string; content?: unknown }>;
const byStatus = (codes: ErrorCode[]) => Map.groupBy(codes, (code) => KINDS[ERRORS[code].kind] as number);
/** One answer for each status: its description lists the codes that it may carry. */
function problemResponse(declared: Responses[string] | undefined, codes: ErrorCode[]) {
  const known = declared?.description ? declared.description.split(', ') : [];
  return { description: [...new Set([...known, ...codes])].join(', '), content: PROBLEM_CONTENT };
}

/** OpenAPI 3.1 takes JSON Schema 2020-12 as zod writes it. */
function jsonSchemaOf(schema: unknown, io: 'input' | 'output') {
  const converted = z.toJSONSchema(schema as z.ZodType, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  delete converted.$schema;
  return converted as SchemaObject;
}

interface Operation {
  requestBody?: unknown;
  parameters?: unknown[];
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
  const document = SwaggerModule.createDocument(app, config, {
    standardSchemaConverter: (schema, { schemaType }) => ({ schema: jsonSchemaOf(schema, schemaType) }),
    operationIdFactory: (_controller, method) => method,
  });
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: jsonSchemaOf(Problem, 'output') },
  };
  for (const operations of Object.values(document.paths)) {
    for (const operation of Object.values(operations as Record<string, Operation>)) addCommonProblems(operation);
  }
  return document;
}

function addCommonProblems(operation: Operation): void {
  const takesInput = operation.requestBody !== undefined || (operation.parameters ?? []).length > 0;
  const codes: ErrorCode[] = [
    ...(operation.requestBody ? (['REQUEST_MALFORMED', 'BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED'] as const) : []),
    ...(takesInput ? (['REQUEST_INVALID'] as const) : []),
    ...(operation.security
      ? (['TOKEN_MISSING', 'TOKEN_INVALID', 'ROLE_FORBIDDEN', 'ISSUER_UNAVAILABLE'] as const)
      : []),
    'DATABASE_UNAVAILABLE',
    'INTERNAL',
  ];
  for (const [status, same] of byStatus(codes)) {
    operation.responses[status] = problemResponse(operation.responses[status], same);
  }
}
