import { packageFolder } from './lock.ts';

describe('the package that a file is part of', () => {
  it.each([
    ['/w/node_modules/pg/lib/index.js', 'node_modules/pg'],
    ['/w/node_modules/@nestjs/core/index.js', 'node_modules/@nestjs/core'],
    ['/w/node_modules/typeorm/node_modules/@scope/uuid/dist/x.js', 'node_modules/typeorm/node_modules/@scope/uuid'],
  ])('of %s', (file, folder) => expect(packageFolder(file)).toBe(folder));

  it.each(['/w/libs/auth/src/index.ts', '\0rolldown/runtime.js', '/w/node_modules/.package-lock.json'])(
    'is none for %s',
    (file) => expect(packageFolder(file)).toBeUndefined(),
  );
});
