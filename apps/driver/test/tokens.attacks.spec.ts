import { describeTokenAttacks } from '@cabstand/testing';
import { startPlatform, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

describeTokenAttacks(() => ({
  url: `${platform.services[0]!.url}/v1/ops/outbox`,
  issuer: platform.issuer,
  audience: 'driver',
}));
