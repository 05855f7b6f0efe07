import type { ServiceName } from '@cabstand/contracts';
import type { Platform } from './platform.ts';

export interface Operation {
  method: string;
  path: string;
  hasBody: boolean;
  isPublic: boolean;
  requestSchema: JsonSchema | undefined;
  answers: string[];
}
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  anyOf?: JsonSchema[];
}
export interface OpenApi {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, RawOperation>>;
  components?: { schemas?: Record<string, JsonSchema>; securitySchemes?: Record<string, unknown> };
}
interface RawOperation {
  security?: Record<string, string[]>[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
  parameters?: { name: string; in: string; schema?: JsonSchema }[];
  responses: Record<string, { description: string; content?: Record<string, { schema?: JsonSchema }> }>;
}

export async function documentOf(platform: Platform, service: ServiceName): Promise<OpenApi> {
  return (await (await fetch(`${platform.urls[service]}/openapi.json`)).json()) as OpenApi;
}

/** Every operation of the business API, as the service itself describes it. */
export function operationsOf(document: OpenApi): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      hasBody: operation.requestBody !== undefined,
      isPublic: !operation.security?.length,
      requestSchema: operation.requestBody?.content['application/json']?.schema,
      answers: Object.keys(operation.responses),
    })),
  );
}

/** Every `$ref` of the document that leads nowhere. */
export function danglingReferences(document: OpenApi): string[] {
  const references: string[] = [];
  JSON.stringify(document, (key, value: unknown) => {
    if (key === '$ref' && typeof value === 'string') references.push(value);
    return value;
  });
  return references.filter((reference) => {
    let at: unknown = document;
    for (const part of reference.replace(/^#\//, '').split('/')) {
      at = (at as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')];
    }
    return at === undefined;
  });
}
