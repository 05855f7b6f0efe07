const startedAtMs = performance.now();

/** A line of the run's story. */
export const say = (line: string) =>
  console.log(`${((performance.now() - startedAtMs) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
