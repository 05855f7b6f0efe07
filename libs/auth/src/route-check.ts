import type { INestApplicationContext } from '@nestjs/common';
import { PATH_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { ACCESS } from './access.decorators.ts';

/**
 * Refuses to start with a route that says neither @Public() nor @Authorize(): forgetting is the commonest
 * way to leave a door open.
 * @throws Error that lists the routes
 */
export function assertEveryRouteHasPolicy(app: INestApplicationContext): void {
  const scanner = new MetadataScanner();
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()]);
  const open = controllers.flatMap(({ metatype }) => {
    if (typeof metatype !== 'function' || !metatype.prototype) return [];
    const prototype = metatype.prototype as Record<string, object>;
    return scanner
      .getAllMethodNames(prototype)
      .filter((name) => Reflect.hasMetadata(METHOD_METADATA, prototype[name]!))
      .filter((name) => !Reflect.hasMetadata(ACCESS, prototype[name]!) && !Reflect.hasMetadata(ACCESS, metatype))
      .map((name) => `${metatype.name}.${name} (${String(Reflect.getMetadata(PATH_METADATA, prototype[name]!))})`);
  });
  if (open.length > 0)
    throw new Error(`these routes have neither @Public() nor @Authorize(policy, action): ${open.join(', ')}`);
}
