/** How an error is answered over HTTP. */
export const KINDS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  tooLarge: 413,
  unsupportedMediaType: 415,
  unprocessable: 422,
  tooManyRequests: 429,
  internal: 500,
  unavailable: 503,
} as const;
export type ErrorKind = keyof typeof KINDS;

/**
 * Every code that an API of the platform may answer with. Codes are public and stable; the title is the
 * `title` of RFC 9457 and says the same for every occurrence.
 */
export const ERRORS = {
  REQUEST_MALFORMED: { kind: 'invalid', title: 'The request could not be read' },
  REQUEST_INVALID: { kind: 'invalid', title: 'The request does not match the schema' },
  TOKEN_MISSING: { kind: 'unauthenticated', title: 'An access token is needed' },
  TOKEN_INVALID: { kind: 'unauthenticated', title: 'The access token is not valid here' },
  CREDENTIALS_INVALID: { kind: 'unauthenticated', title: 'E-mail or password is wrong' },
  REFRESH_TOKEN_INVALID: { kind: 'unauthenticated', title: 'The refresh token is not valid' },
  ROLE_FORBIDDEN: { kind: 'forbidden', title: 'This role may not do that' },
  ORIGIN_FORBIDDEN: { kind: 'forbidden', title: 'A session in a cookie is refreshed by its own pages only' },
  ACCOUNT_SUSPENDED: { kind: 'forbidden', title: 'The account is suspended' },
  NOT_FOUND: { kind: 'notFound', title: 'There is no such thing, or it is not yours' },
  EMAIL_TAKEN: { kind: 'conflict', title: 'An account with this e-mail exists' },
  TRIP_UNDER_WAY: { kind: 'conflict', title: 'This has to wait until the trip is over' },
  TRIP_ALREADY_ACTIVE: { kind: 'conflict', title: 'The passenger has an active trip' },
  TRIP_TRANSITION_INVALID: { kind: 'conflict', title: 'The trip is in another state' },
  TRIP_ALREADY_RATED: { kind: 'conflict', title: 'This side has rated the trip' },
  TRIP_NOT_RATEABLE: { kind: 'conflict', title: 'Only a completed trip can be rated' },
  QUOTE_EXPIRED: { kind: 'conflict', title: 'The quote has expired' },
  QUOTE_USED: { kind: 'conflict', title: 'The quote was used for another trip' },
  OFFER_EXPIRED: { kind: 'conflict', title: 'The offer has expired' },
  OFFER_WITHDRAWN: { kind: 'conflict', title: 'The offer was withdrawn' },
  OFFER_CLOSED: { kind: 'conflict', title: 'The offer was answered before' },
  IDEMPOTENCY_IN_FLIGHT: { kind: 'conflict', title: 'A request with this idempotency key is under way' },
  IDEMPOTENCY_KEY_REUSED: { kind: 'unprocessable', title: 'The idempotency key was used with another request' },
  BODY_TOO_LARGE: { kind: 'tooLarge', title: 'The request body is too large' },
  MEDIA_TYPE_UNSUPPORTED: { kind: 'unsupportedMediaType', title: 'The request body must be JSON' },
  RATE_LIMITED: { kind: 'tooManyRequests', title: 'Too many requests' },
  ISSUER_UNAVAILABLE: { kind: 'unavailable', title: 'The token could not be checked right now' },
  DATABASE_UNAVAILABLE: { kind: 'unavailable', title: 'The service cannot reach its database' },
  BROKER_UNAVAILABLE: { kind: 'unavailable', title: 'The service cannot reach its message broker' },
  OVERLOADED: { kind: 'unavailable', title: 'The service is too busy' },
  SHUTTING_DOWN: { kind: 'unavailable', title: 'The service is shutting down' },
  INTERNAL: { kind: 'internal', title: 'Something went wrong on our side' },
} as const satisfies Record<string, { kind: ErrorKind; title: string }>;
export type ErrorCode = keyof typeof ERRORS;

/** A refusal that the caller can understand. `detail` is shown to the caller: no personal data, no internals. */
export class DomainError extends Error {
  readonly code: ErrorCode;
  /** Seconds after which trying again makes sense; answered as `Retry-After`. */
  readonly retryAfterS?: number;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions & { retryAfterS?: number }) {
    super(detail ?? ERRORS[code].title, options);
    this.name = 'DomainError';
    this.code = code;
    this.retryAfterS = options?.retryAfterS;
  }

  get kind(): ErrorKind {
    return ERRORS[this.code].kind;
  }
}
