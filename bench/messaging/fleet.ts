import { compileWorkers } from '../harness/processes.ts';
import { startCabstand, type Cabstand } from './cabstand.ts';
import type { Pipeline } from './pipeline.ts';
import { startFramework, startPolling, startRaw, type Polling } from './references.ts';
import type { BenchRuntime } from './runtime.ts';

type Framework = Awaited<ReturnType<typeof startFramework>>;

/** Everything that is measured: a publisher and a consumer process of each, which wait while others have their turn. */
export interface Fleet {
  runtime: BenchRuntime;
  cabstand: Cabstand;
  raw: Pipeline;
  rawBodyOnly: Pipeline;
  /** Null with `--no-references`. */
  references: { nest: Framework; golevelup: Framework; typical: Polling; naive: Polling } | null;
  /** Where a worker's program is. */
  file(name: string): string;
  stop(): Promise<void>;
}

const OWN = ['cabstand-publisher', 'cabstand-consumer', 'raw'];
const REFERENCES = ['nest', 'golevelup', 'polling'];

export async function startFleet(runtime: BenchRuntime, withReferences: boolean): Promise<Fleet> {
  const file = await compileWorkers('bench/messaging/workers', [...OWN, ...(withReferences ? REFERENCES : [])]);
  // First, because it makes the tables that the references' inbox is in too.
  const cabstand = await startCabstand(runtime, file);
  const { raw, bodyOnly: rawBodyOnly } = await startRaw(runtime, file);
  const references = withReferences
    ? {
        nest: await startFramework(runtime, file('nest')),
        golevelup: await startFramework(runtime, file('golevelup')),
        ...(await startPolling(runtime, file)),
      }
    : null;
  const pipelines = [
    cabstand,
    raw,
    ...(references ? [references.nest.without, references.golevelup.without, references.typical] : []),
  ];
  return {
    ...{ runtime, cabstand, raw, rawBodyOnly, references, file },
    stop: async () => {
      await Promise.all(pipelines.flatMap(({ workers }) => [workers.publisher.stop(), workers.consumer.stop()]));
    },
  };
}
