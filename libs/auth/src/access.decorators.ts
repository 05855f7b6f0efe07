import { applyDecorators, createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { ApiBearerAuth } from '@nestjs/swagger';
import type { Policy } from './policy.ts';
import type { Principal } from './principal.ts';

export const ACCESS = Symbol('cabstand:access');

/** What a route's decorators say of who may call it. */
export type Access = 'public' | { policy: Policy<never>; action: string };

/** The route is open to anyone; a token is not even looked at. */
export const Public = () => SetMetadata(ACCESS, 'public' satisfies Access);

/**
 * The route needs a principal whose role the policy grants the action (otherwise 401 or 403 ROLE_FORBIDDEN).
 * Which rows is the use case's to ask, with `policy.check` or `policy.where`: the guard has loaded nothing.
 */
export const Authorize = <Row, Action extends string, Field extends string>(
  policy: Policy<Row, Action, Field>,
  action: Action,
) =>
  applyDecorators(
    SetMetadata(ACCESS, { policy: policy as unknown as Policy<never>, action } satisfies Access),
    ApiBearerAuth(),
  );

/** The verified principal of a route that has @Authorize. */
export const CurrentPrincipal = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<{ principal?: Principal }>();
  if (!principal) throw new Error('@CurrentPrincipal() on a route without @Authorize()');
  return principal;
});
