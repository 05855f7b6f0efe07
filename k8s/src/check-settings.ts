/**
 * Reads `{ "<overlay>/<service>": { … environment … } }` and prints what each service's config.ts says of it, a line for
 * each problem. A process of its own: the bundler that compiles config.ts doesn't work inside Jest's realm.
 */
import { text } from 'node:stream/consumers';
import { SERVICES } from '@cabstand/contracts';
import { z } from 'zod';
import { load } from '../../tools/load.ts';

/** Read by Node.js itself. */
const NODE = ['NODE_ENV', 'NODE_EXTRA_CA_CERTS'];

const environments = JSON.parse(await text(process.stdin)) as Record<string, Record<string, string>>;
const schemas = Object.fromEntries(
  await Promise.all(
    [...SERVICES, 'web'].map(async (service) => {
      const folder = service === 'web' ? 'server' : 'src';
      const exported = Object.values(await load(`apps/${service}/${folder}/config.ts`));
      return [service, exported.find((value) => value instanceof z.ZodObject)] as const;
    }),
  ),
);

for (const [title, environment] of Object.entries(environments)) {
  const schema = schemas[title.split('/').at(-1)!]!;
  const unknown = Object.keys(environment).filter((name) => !(name in schema.shape) && !NODE.includes(name));
  const issues = schema.safeParse(environment).error?.issues ?? [];
  for (const name of unknown) console.log(`${title}: ${name} is unknown`);
  for (const { path, message } of issues) {
    const [name] = path as [string];
    console.log(`${title}: ${name} ${name in environment ? message : 'is missing'}`);
  }
}
