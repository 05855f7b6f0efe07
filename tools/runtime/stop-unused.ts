/** node tools/runtime/stop-unused.ts PID: once that process is gone, stops the infrastructure if nobody else uses it. */
import { setTimeout as delay } from 'node:timers/promises';
import { forgetProcess, LOCAL, startTimeOf } from '../../infra/index.ts';
import { stopUnusedInfrastructure } from './infrastructure.ts';

const [pid] = process.argv.slice(2);
while (startTimeOf(Number(pid)) !== null) await delay(100);
await stopUnusedInfrastructure();
forgetProcess(LOCAL, 'stop-unused');
