import type { INestApplicationContext } from '@nestjs/common';
import { PATH_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { ACCESS, type Access } from './access.decorators.ts';

/**
 * Refuses to start with a route (those of streams and operators too) that says neither @Public() nor @Authorize(), or
 * asks for an action that its policy grants nobody: forgetting is the commonest way to leave a door open.
 * @throws Error that lists the routes
 */
export function assertEveryRouteHasPolicy(app: INestApplicationContext): void {
  const scanner = new MetadataScanner();
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()]);
  const routes = controllers.flatMap(({ metatype }) => {
    if (typeof metatype !== 'function' || !metatype.prototype) return [];
    const prototype = metatype.prototype as Record<string, object>;
    return scanner
      .getAllMethodNames(prototype)
      .filter((name) => Reflect.hasMetadata(METHOD_METADATA, prototype[name]!))
      .map((name) => ({
        name: `${metatype.name}.${name} (${String(Reflect.getMetadata(PATH_METADATA, prototype[name]!))})`,
        access: (Reflect.getMetadata(ACCESS, prototype[name]!) ?? Reflect.getMetadata(ACCESS, metatype)) as
          Access | undefined,
      }));
  });
  const named = (chosen: typeof routes) => chosen.map(({ name }) => name).join(', ');
  const open = routes.filter(({ access }) => !access);
  if (open.length > 0)
    throw new Error(`these routes have neither @Public() nor @Authorize(policy, action): ${named(open)}`);
  const closed = routes.filter(({ access }) => access && access !== 'public' && !access.policy.knows(access.action));
  if (closed.length > 0) throw new Error(`no rule of their policy grants what these routes ask for: ${named(closed)}`);
}
