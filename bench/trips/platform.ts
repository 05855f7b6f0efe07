import { setTimeout as delay } from 'node:timers/promises';
import { perService, type PerService } from '../../apps/e2e/src/per-service.ts';
import { Platform, type PlatformOptions } from '../../apps/e2e/src/platform.ts';
import { nowMs, rssMbOf } from '../harness/machine.ts';
import type { BenchServers } from '../harness/servers.ts';

/** The built services as they run in production, and nothing between them and the servers. */
export function startPlatform(
  { postgres, rabbitmq }: BenchServers,
  { env = {}, ...options }: PlatformOptions = {},
): Promise<Platform> {
  // What the testing library takes for the run's own servers.
  const { amqpUrl, managementUrl } = rabbitmq;
  process.env.CABSTAND_TEST_RUNTIME = JSON.stringify({ postgresUrl: postgres.url, amqpUrl, managementUrl });
  const memory = { MALLOC_MMAP_THRESHOLD_: String(2 ** 20), NODE_OPTIONS: '--max-semi-space-size=8' };
  const asInTheImage = { NODE_ENV: 'production', ...memory };
  return Platform.start({ ...options, direct: true, env: { ...asInTheImage, LOG_LEVEL: 'warn', ...env } });
}

/** @throws Error when one doesn't end in order */
export async function stopServices(platform: Platform): Promise<void> {
  for (const process of platform.processes()) {
    const { code } = await process.stop();
    if (code !== 0) throw new Error(`the ${process.service} service ended with ${code}:\n${process.tail()}`);
  }
}

export async function startServices(platform: Platform): Promise<void> {
  await Promise.all(platform.processes().map((process) => process.start()));
}

/** From spawning a service until it says that it is ready, seconds, each alone. They are stopped before and after. */
export async function coldStarts(platform: Platform, times: number): Promise<PerService<number[]>> {
  const tookS = perService((): number[] => []);
  for (let i = 0; i < times; i += 1) {
    for (const process of platform.processes()) {
      const startedAtMs = nowMs();
      await process.start();
      tookS[process.service].push((nowMs() - startedAtMs) / 1_000);
      await process.stop();
    }
  }
  return tookS;
}

const LOOK_EVERY_MS = 500;

/** The most memory that each service held while that was going on, MB. */
export async function memoryDuring<T>(
  platform: Platform,
  work: () => Promise<T>,
): Promise<{ result: T; mb: PerService<number> }> {
  const mb = perService(() => 0);
  const over = new AbortController();
  const look = async () => {
    while (!over.signal.aborted) {
      for (const { service, pid } of platform.processes()) mb[service] = Math.max(mb[service], rssMbOf(pid));
      await delay(LOOK_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };
  const looking = look();
  try {
    return { result: await work(), mb };
  } finally {
    over.abort();
    await looking;
  }
}
