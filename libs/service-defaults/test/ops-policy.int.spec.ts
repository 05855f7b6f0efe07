import type { Type } from '@nestjs/common';
import { OpsController } from '../src/ops/ops.controller.ts';
import { NotesModule } from './fixture/notes.app.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await migrate(world);
});
afterAll(() => world.drop());

const [NotesController] = Reflect.getMetadata('controllers', NotesModule) as [Type];

it.each([
  ['operators’ call', OpsController, 'readOutbox'],
  ['operators’ call', OpsController, 'replayDeadLetters'],
  ['stream', NotesController, 'events'],
])('starts no service in which the %s %p.%s has lost its policy', async (_, controller, name) => {
  const handler = (controller.prototype as Record<string, object>)[name]!;
  const key = Reflect.getMetadataKeys(handler).find((each) => String(each) === 'Symbol(cabstand:access)') as symbol;
  const access: unknown = Reflect.getMetadata(key, handler);
  Reflect.deleteMetadata(key, handler);
  try {
    await expect(start(world)).rejects.toThrow(
      `neither @Public() nor @Authorize(policy, action): ${controller.name}.${name}`,
    );
  } finally {
    Reflect.defineMetadata(key, access, handler);
  }
});

it('starts it otherwise', async () => {
  const service = await start(world);
  await service.stop();
});
