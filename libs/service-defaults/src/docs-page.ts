import type { FastifyInstance } from 'fastify';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const ASSETS = { 'swagger-ui.css': 'text/css', 'swagger-ui-bundle.js': 'text/javascript' };
/** The page loads nothing from elsewhere; Swagger UI writes its styles and icons into the page. */
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

const page = (title: string) => `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>${title}</title><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
  <body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>`;

/** `/openapi.json`, and Swagger UI at `/docs`, which works without a network. */
export function serveDocs(fastify: FastifyInstance, title: string, document: () => object): void {
  let json: string | undefined;
  fastify.get('/openapi.json', (_request, reply) => {
    json ??= JSON.stringify(document());
    void reply.type('application/json').send(json);
  });
  fastify.get('/docs', (_request, reply) => {
    void reply.header('content-security-policy', POLICY).type('text/html').send(page(title));
  });
  fastify.get('/docs/start.js', (_request, reply) => {
    void reply.type('text/javascript').send("SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui' });");
  });
  for (const [name, type] of Object.entries(ASSETS)) {
    fastify.get(`/docs/${name}`, async (_request, reply) => {
      const file = await readFile(join(swaggerUiFolder(), name));
      return reply.type(type).header('cache-control', 'public, max-age=3600').send(file);
    });
  }
}

/** The build lays Swagger UI's files beside the bundle; while developing they are in node_modules. */
function swaggerUiFolder(): string {
  const besideBundle = join(import.meta.dirname, 'swagger-ui');
  return existsSync(besideBundle)
    ? besideBundle
    : dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
}
