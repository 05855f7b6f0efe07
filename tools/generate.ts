/** `nx run tools:generate`: writes every document that is generated from code; `--check` only says which are stale. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { format, resolveConfig } from 'prettier';
import { ROOT } from '../infra/index.ts';
import { asyncapiYaml } from './asyncapi.ts';
import { envExample } from './env-example.ts';
import { errorsPage } from './errors-page.ts';
import { openApiTypes } from './openapi-types.ts';

const markdown = async (text: string) => format(text, { ...(await resolveConfig(ROOT)), parser: 'markdown' });

/** Each generated file, from the workspace's root, with how its text is made. */
const GENERATED: Record<string, () => Promise<string>> = {
  'docs/asyncapi.yaml': async () => asyncapiYaml(),
  'docs/errors.md': () => markdown(errorsPage()),
  '.env.example': envExample,
  ...Object.fromEntries(
    SERVICES.map((service) => [`apps/web/src/api/generated/${service}.d.ts`, () => openApiTypes(service)]),
  ),
};

function written(file: string): string | null {
  try {
    return readFileSync(join(ROOT, file), 'utf8');
  } catch {
    return null;
  }
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const onlyCheck = args.includes('--check');
  const files = args.filter((arg) => !arg.startsWith('--'));
  for (const [file, generate] of Object.entries(GENERATED)) {
    if (files.length > 0 && !files.includes(file)) continue;
    const generated = await generate();
    if (generated === written(file)) continue;
    console.log(onlyCheck ? `${file} is stale: npx nx run tools:generate` : `${file} written`);
    if (onlyCheck) process.exitCode = 1;
    else {
      mkdirSync(dirname(join(ROOT, file)), { recursive: true });
      writeFileSync(join(ROOT, file), generated);
    }
  }
}
