import { globSync } from 'node:fs';
import { ROOT } from '../../infra/index.ts';
import { SPEC_CLASSES } from './specs.ts';

it('counts every spec of attacks: nothing else runs them', () => {
  const specs = globSync('{apps,libs}/*/{src,test}/**/*.attacks.spec.ts', { cwd: ROOT });
  expect(SPEC_CLASSES.flatMap(({ files }) => files).sort()).toEqual(specs.sort());
});
