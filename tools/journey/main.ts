/**
 * npm run journey
 *
 * One trip, told hop by hop: every HTTP call with its status, every event with its exchange, routing key and the
 * queues it went to, read from the running system. Uses the platform that `npm start` runs, or starts one for the purpose.
 */
import {
  bold,
  claimPlatform,
  dim,
  loadDotEnv,
  Output,
  red,
  readSettings,
  runningPlatform,
  startPlatform,
} from '../runtime/index.ts';
import { Story } from './story.ts';
import { travel } from './travel.ts';

try {
  loadDotEnv();
  let state = runningPlatform();
  let stop = () => Promise.resolve();
  if (!state) {
    console.log(dim('No platform is running: starting one for this journey.'));
    claimPlatform();
    const platform = await startPlatform(readSettings(), new Output());
    ({ state } = platform);
    stop = () => platform.stop();
  }
  const story = await Story.begin(state.infrastructure);
  try {
    const { passenger, driver, trip } = state.services;
    const receipt = await travel({ passenger: passenger.url, driver: driver.url, trip: trip.url }, story);
    console.log(`\n${bold('Receipt')}\n${receipt}\n\n${story.summary()}`);
  } finally {
    await story.end();
    await stop();
  }
} catch (error) {
  console.error(red(error instanceof Error ? error.message : String(error)));
  process.exitCode = 1;
}
