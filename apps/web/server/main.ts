import { loadConfig } from './config.ts';
import { builtPages, createWebServer } from './web-server.ts';

const config = loadConfig();
const server = await createWebServer(config, builtPages());
// npm and terminals may deliver a signal more than once.
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => void server.close().then(() => process.exit(0)));
await server.listen({ host: config.HOST, port: config.PORT });
