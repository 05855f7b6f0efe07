import { OVERLAYS, render } from '../src/kustomize.ts';
import { nameOf, type KubernetesObject } from '../src/objects.ts';
import { problemsOf } from '../src/schemas.ts';
import { withKubectl } from './kubectl.ts';

/** Maps in which people choose the keys: a misspelt one is another one, and no schema knows. `*` is one step, `**` any. */
const CHOSEN_BY_PEOPLE = [
  ...['**.labels', '**.annotations', '**.matchLabels', '**.requests', '**.limits', '**.parameters'],
  ...['ConfigMap.data', 'Service.spec.selector', 'ExternalSecret.spec.target.template.data', 'Queue.spec.arguments'],
  'PeerAuthentication.spec.portLevelMtls',
].map((pattern) => new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('**', '.+').replaceAll('*', '[^.]+')}\\.`));

withKubectl('schemas', () => {
  const objects = distinct(OVERLAYS.flatMap(render));

  it.each(OVERLAYS)('every object of %s is what its schema says, with no field beside', async (overlay) => {
    const problems: string[] = [];
    for (const object of render(overlay)) {
      for (const problem of await problemsOf(object)) problems.push(`${nameOf(object)}: ${problem}`);
    }
    expect(problems).toEqual([]);
  });

  it('a misspelt key is noticed, wherever it is', async () => {
    await expectAllNoticed('keys misspelt', objects, misspellings);
  }, 60_000);

  it('a value of a wrong type is noticed, wherever it is', async () => {
    await expectAllNoticed('values of a wrong type', objects, wrongTypes);
  }, 60_000);
});

/** Overlays share most objects. */
function distinct(objects: KubernetesObject[]): KubernetesObject[] {
  return [...new Map(objects.map((object) => [JSON.stringify(object), object])).values()];
}

interface Mutation {
  path: string[];
  apply: (parent: Record<string, unknown>, key: string) => void;
}

async function expectAllNoticed(
  what: string,
  objects: KubernetesObject[],
  mutationsOf: (object: KubernetesObject) => Mutation[],
): Promise<void> {
  const passed: string[] = [];
  const shapes = new Set<string>();
  let count = 0;
  for (const object of objects) {
    const mutations = mutationsOf(object);
    // Each object once at least; of those that differ in nothing but values, the first one everywhere.
    if (mutations.length === 0) passed.push(`${nameOf(object)}: nothing was mutated`);
    const shape = JSON.stringify([object.kind, ...pathsOf(object)]);
    const isSeen = shapes.has(shape);
    shapes.add(shape);
    for (const { path, apply } of isSeen ? [mutations[shapes.size % mutations.length]!] : mutations) {
      const mutant = structuredClone(object);
      const key = path.at(-1)!;
      apply(at(mutant, path.slice(0, -1)), key);
      count += 1;
      if ((await problemsOf(mutant)).length === 0) passed.push(`${nameOf(object)}: ${path.join('.')}`);
    }
  }
  process.stdout.write(`${objects.length} objects, ${count} ${what}, ${count - passed.length} noticed\n`);
  expect(passed).toEqual([]);
}

const at = (object: object, path: string[]) =>
  path.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], object) as Record<string, unknown>;

/** Every path in the object, down to the scalars. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...path, key]));
  return path.length > 0 ? [path, ...inner] : inner;
}

const isChosenByPeople = ({ kind }: KubernetesObject, path: string[]) =>
  CHOSEN_BY_PEOPLE.some((pattern) => pattern.test([kind, ...path].join('.')));

function misspellings(object: KubernetesObject): Mutation[] {
  return pathsOf(object)
    .filter((path) => !/^\d+$/.test(path.at(-1)!) && !isChosenByPeople(object, path))
    .filter(([first]) => first !== 'apiVersion' && first !== 'kind')
    .map((path) => ({
      path,
      apply: (parent, key) => {
        parent[`${key}x`] = parent[key];
        delete parent[key];
      },
    }));
}

function wrongTypes(object: KubernetesObject): Mutation[] {
  return pathsOf(object)
    .filter((path) => typeof at(object, path.slice(0, -1))[path.at(-1)!] !== 'object')
    .filter(([first]) => first !== 'apiVersion' && first !== 'kind')
    .map((path) => ({ path, apply: (parent, key) => (parent[key] = { not: 'this' }) }));
}
