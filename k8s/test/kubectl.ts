import { hasKubectl, KUBECTL_MISSING } from '../src/kustomize.ts';

/** Tests of what kustomize renders. In CI they fail without it; elsewhere they say by name that they didn't run. */
export function withKubectl(what: string, tests: () => void): void {
  if (hasKubectl() || process.env.CI) tests();
  else it(what, ({ skip }) => skip(KUBECTL_MISSING));
}
