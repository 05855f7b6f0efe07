import { DATABASE_RULES } from '../src/database-rules.ts';
import { OVERLAYS, render } from '../src/kustomize.ts';
import type { KubernetesObject } from '../src/objects.ts';
import { REFERENCE_RULES } from '../src/reference-rules.ts';
import { WORKLOAD_RULES, type Rule } from '../src/workload-rules.ts';
import { MESH_RULES } from '../src/mesh-rules.ts';
import { PAGES_RULES } from '../src/pages-rules.ts';
import { FAULTS } from './faults.ts';
import { withKubectl } from './kubectl.ts';

const RULES: Record<string, Rule> = {
  ...{ ...WORKLOAD_RULES, ...REFERENCE_RULES, ...DATABASE_RULES },
  ...{ ...PAGES_RULES, ...MESH_RULES },
};
/** Some have only something to say where there is a mesh. */
const rulesOf = (overlay: string) => Object.keys(RULES).filter((rule) => overlay === 'mesh' || !(rule in MESH_RULES));

withKubectl('rules', () => {
  describe.each(OVERLAYS)('in %s', (overlay) => {
    it.each(rulesOf(overlay))('%s', (rule) => {
      expect(RULES[rule]!(render(overlay))).toEqual([]);
    });
  });

  describe('a planted fault is noticed by its rule:', () => {
    it.each(Object.keys(RULES))('%s', (rule) => {
      const faults = FAULTS[rule] ?? [];
      expect(faults.length).toBeGreaterThan(0);
      for (const { overlay = 'production', plant } of faults) {
        const objects = structuredClone(render(overlay));
        const planted = plant(objects) ?? objects;
        expect({ plant: String(plant), found: RULES[rule]!(planted as KubernetesObject[]) }).toEqual({
          plant: String(plant),
          found: expect.arrayContaining([expect.any(String)]),
        });
      }
    });
  });

  it('no fault is planted for a rule that does not exist', () => {
    expect(Object.keys(FAULTS).filter((rule) => !(rule in RULES))).toEqual([]);
  });
});
