import { SERVICES } from '@cabstand/contracts';
import { z } from 'zod';
import { load } from './load.ts';
import { DEFAULT_PORTS } from './runtime/settings.ts';

interface Variable {
  name: string;
  /** As it would be written in the environment; null when there is no default. */
  byDefault: string | null;
  isRequired: boolean;
  description: string;
}

const HEADER = `# Copy to .env and uncomment what you want to change. What stands in the environment wins over .env.
# Generated from the schemas that read it, by \`npx nx run tools:generate\`.
`;

/** What only local runs read; the services themselves know PORT and MANAGEMENT_PORT alone. */
function localRuns(): string {
  const { web, identity, localTools, postgres, amqp, rabbitmqManagement } = DEFAULT_PORTS;
  return [
    '## Local runs (`npm start`, `nx serve`), which give the services their ports, URLs and keys',
    ...SERVICES.flatMap((service) => [
      `# ${service.toUpperCase()}_PORT=${DEFAULT_PORTS[service].http}`,
      `# ${service.toUpperCase()}_MANAGEMENT_PORT=${DEFAULT_PORTS[service].management}`,
    ]),
    `# WEB_PORT=${web}`,
    '# Where the local operator signs in, and what keeps traces and breaks things for the operator page',
    `# IDENTITY_PORT=${identity}`,
    `# LOCAL_TOOLS_PORT=${localTools}`,
    `# POSTGRES_PORT=${postgres}`,
    `# RABBITMQ_PORT=${amqp}`,
    `# RABBITMQ_MANAGEMENT_PORT=${rabbitmqManagement}`,
    "# A PostgreSQL server of yours, as its administrator: each service's database and role are made there",
    '# DATABASE_URL=',
    "# One service's own database, where somebody else has made it",
    ...SERVICES.map((service) => `# DATABASE_URL_${service.toUpperCase()}=`),
    '# A RabbitMQ of yours: the topology is declared there, in a virtual host of its own where that is permitted',
    '# AMQP_URL=',
    '# AMQP_MANAGEMENT_URL=',
    '# 1 for HTTPS, and certificates instead of passwords, as with `npm start -- --tls`',
    '# CABSTAND_TLS=',
  ].join('\n');
}

/** The variables of the file's `Config`, in the order in which they are declared. */
async function variablesOf(file: string): Promise<Variable[]> {
  const module = await load(file);
  const schema = Object.values(module).find((value) => value instanceof z.ZodObject);
  if (!schema) throw new Error(`${file} exports no zod object`);
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, field]) => {
    const { default: byDefault } = z.toJSONSchema(field, { io: 'input', unrepresentable: 'any' });
    return {
      name,
      byDefault: byDefault === undefined ? null : String(byDefault),
      isRequired: !field.safeParse(undefined).success,
      description: field.description ?? '',
    };
  });
}

function section(title: string, variables: Variable[]): string {
  const lines = variables.flatMap(({ name, byDefault, isRequired, description }) => [
    ...(description || isRequired
      ? [`# ${[description, isRequired ? '(required)' : ''].filter(Boolean).join(' ')}`]
      : []),
    `# ${name}=${byDefault ?? ''}`,
  ]);
  return [`## ${title}`, ...lines].join('\n');
}

/** The text of .env.example, from the schemas that read the environment. */
export async function envExample(): Promise<string> {
  const services = await Promise.all(
    SERVICES.map(async (service) => ({ service, variables: await variablesOf(`apps/${service}/src/config.ts`) })),
  );
  const text = (variable: Variable) => JSON.stringify(variable);
  const [first, ...others] = services.map(({ variables }) => variables);
  const common = first!.filter((variable) =>
    others.every((all) => all.some((other) => text(other) === text(variable))),
  );
  const commonNames = new Set(common.map(text));
  return [
    HEADER,
    localRuns(),
    '',
    section('Every service, where it is deployed', common),
    ...services.flatMap(({ service, variables }) => [
      '',
      section(
        `${service} service`,
        variables.filter((variable) => !commonNames.has(text(variable))),
      ),
    ]),
    '',
    section('web, which serves the pages', await variablesOf('apps/web/server/config.ts')),
    '',
  ].join('\n');
}
