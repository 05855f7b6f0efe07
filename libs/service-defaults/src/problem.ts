import { DomainError, ERRORS, KINDS, type ErrorCode } from '@cabstand/contracts';
import { z } from 'zod';

export const PROBLEM_JSON = 'application/problem+json';

const InputError = z.strictObject({ path: z.string(), message: z.string() });
export type InputError = z.infer<typeof InputError>;

/** RFC 9457 problem details: the body of every error answer. */
export const Problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  traceId: z.string(),
  errors: z.array(InputError).optional(),
});
export type Problem = z.infer<typeof Problem>;

/** Input that was readable but isn't what the schema asks for; names each field that is wrong. */
export class RequestInvalid extends DomainError {
  readonly errors: InputError[];

  constructor(errors: InputError[]) {
    super('REQUEST_INVALID');
    this.name = 'RequestInvalid';
    this.errors = errors;
  }
}

/** `status` is for the few answers of HTTP itself (408, 431) that share a code with others. */
export function problem(error: DomainError, traceId: string, status: number = KINDS[error.kind]): Problem {
  return {
    type: `urn:cabstand:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: ERRORS[error.code].title,
    status,
    detail: error.message,
    code: error.code,
    traceId,
    ...(error instanceof RequestInvalid ? { errors: error.errors } : {}),
  };
}
