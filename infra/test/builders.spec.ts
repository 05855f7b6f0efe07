import { buildArguments, BUILDERS, findBuilder, type Builder } from '../images/builders.ts';

const source = { version: '1.2.3', revision: 'abc', committedAtS: 1_800_000_000 };
const argumentsOf = (builder: Builder, ...extra: string[]) =>
  buildArguments(builder, 'trip', source, 'dist/images/trip.id', extra);

describe('building an image', () => {
  it('takes the first builder that is there, and says so when there is none', () => {
    expect(findBuilder(() => true)).toBe('docker');
    expect(findBuilder((name) => name !== 'docker')).toBe('podman');
    expect(findBuilder((name) => name === 'buildah')).toBe('buildah');
    expect(findBuilder(() => false)).toBeUndefined();
  });

  it.each(BUILDERS)('tells %s which service and commit, and the time of the commit', (builder) => {
    const line = argumentsOf(builder).join(' ');
    for (const arg of ['SERVICE=trip', 'VERSION=1.2.3', 'REVISION=abc', 'CREATED=2027-01-15T08:00:00.000Z'])
      expect(line).toContain(`--build-arg ${arg}`);
    expect(line).toContain('--tag cabstand/trip:1.2.3');
    expect(line).toContain(builder === 'docker' ? 'SOURCE_DATE_EPOCH=1800000000' : '--timestamp 1800000000');
  });

  it('gives the last word to whoever started it, before the folder', () => {
    expect(argumentsOf('buildah', '--tag', 'other').slice(-3)).toEqual(['--tag', 'other', '.']);
  });
});
