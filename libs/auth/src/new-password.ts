import { createParamDecorator, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Email, Password } from './account.dto.ts';
import { Passwords } from './passwords.ts';

const Credentials = z.object({ email: Email, password: Password });
type Registration = FastifyRequest & { passwordHash?: string };
const registrationOf = (context: ExecutionContext) => context.switchToHttp().getRequest<Registration>();

/**
 * Hashes the password of a registration before anything else is done: an idempotency key makes one transaction of the
 * whole handler, and that must not hold a database connection while it waits in line for the hash. Guards come first.
 */
@Injectable()
export class HashesPassword implements CanActivate {
  constructor(private readonly passwords: Passwords) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = registrationOf(context);
    const { success, data } = await Credentials.safeParseAsync(request.body);
    // Whatever is wrong with the body, the handler's own schema refuses it.
    if (success) request.passwordHash = await this.passwords.hash(data.password, data.email);
    return true;
  }
}

/** What `HashesPassword` has made of the body's password. */
export const PasswordHash = createParamDecorator(
  (_: unknown, context: ExecutionContext) => registrationOf(context).passwordHash,
);
