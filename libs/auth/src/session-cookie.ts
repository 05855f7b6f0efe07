import { DomainError } from '@cabstand/contracts';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Tokens } from './session.dto.ts';
import { SESSION_OPTIONS, type SessionOptions } from './session-options.ts';

/**
 * The refresh token of a browser, where scripts can't read it and other sites can't send it. One for each service:
 * a page may be signed in to several behind one host. Over TLS its name is `__Host-…`, which browsers take from that
 * host alone, so that no neighbouring site can plant a session.
 */
@Injectable()
export class SessionCookie {
  private readonly protocol: string;
  private readonly name: string;
  private readonly attributes: string;

  constructor(@Inject(SESSION_OPTIONS) private readonly options: SessionOptions) {
    const { protocol } = new URL(options.issuer);
    const isSecure = protocol === 'https:';
    this.protocol = protocol;
    this.name = `${isSecure ? '__Host-' : ''}cabstand-${options.role}`;
    // `__Host-` demands the whole host. Otherwise a proxy that mounts the service elsewhere has to rewrite the path.
    this.attributes = `HttpOnly; SameSite=Strict; ${isSecure ? 'Path=/; Secure' : 'Path=/v1/sessions'}`;
  }

  /**
   * Whether the sign-in asks for a cookie with `Session-Mode: cookie`.
   * @throws DomainError ORIGIN_FORBIDDEN when another site's page would sign its visitors in to an account of its choice
   */
  isWanted({ headers }: FastifyRequest): boolean {
    const mode = headers['session-mode'];
    if (mode === undefined) return false;
    if (mode !== 'cookie') throw new DomainError('REQUEST_INVALID', 'Session-Mode can only be cookie');
    if (headers.origin !== undefined) this.checkOrigin(headers);
    return true;
  }

  /**
   * The refresh token that the cookie holds.
   * @throws DomainError ORIGIN_FORBIDDEN, REFRESH_TOKEN_INVALID, REQUEST_INVALID when there is neither cookie nor page
   */
  read({ headers }: FastifyRequest): string {
    const values = (headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.trim())
      .filter((pair) => pair.startsWith(`${this.name}=`))
      .map((pair) => pair.slice(this.name.length + 1));
    if (values.length === 0 && headers.origin === undefined)
      throw new DomainError('REQUEST_INVALID', 'there is neither a refreshToken nor a cookie');
    this.checkOrigin(headers);
    // Two of one name: one of them was planted, and nothing says which.
    if (values.length !== 1) throw new DomainError('REFRESH_TOKEN_INVALID');
    return values[0]!;
  }

  /** Moves the refresh token out of the answer, into the cookie. */
  keep(reply: FastifyReply, { refreshToken, ...tokens }: Tokens): Tokens {
    const maxAgeS = Math.floor(this.options.refreshTokenTtlMs / 1000);
    void reply.header('set-cookie', `${this.name}=${refreshToken}; Max-Age=${maxAgeS}; ${this.attributes}`);
    return tokens;
  }

  clear(reply: FastifyReply): void {
    void reply.header('set-cookie', `${this.name}=; Max-Age=0; ${this.attributes}`);
  }

  /** Browsers say truthfully which page asks, and never leave it out of a POST. */
  private checkOrigin({ origin, host }: FastifyRequest['headers']): void {
    const isOwn = origin === `${this.protocol}//${host}`;
    if (origin === undefined || !(isOwn || this.options.allowedOrigins?.includes(origin)))
      throw new DomainError('ORIGIN_FORBIDDEN');
  }
}
