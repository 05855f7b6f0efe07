import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import type { z } from 'zod';
import { RequestInvalid, type InputError } from './problem.ts';

/** Enough for a person to act on; a hostile body may be wrong in a hundred thousand places. */
const MAX_ERRORS = 20;

class ValidationPipe extends StandardSchemaValidationPipe {
  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    try {
      return await super.transform(value, metadata);
    } catch (error) {
      // A parameter is checked alone, and its issues don't say what it is called.
      if (!(error instanceof RequestInvalid) || !metadata.data) throw error;
      throw new RequestInvalid(error.errors.map(({ message }) => ({ path: metadata.data!, message })));
    }
  }

  /** Nest would take `constructor` and `prototype` away in silence. Schemas refuse them, as any unknown field. */
  protected override stripProtoKeys(): void {
    // `__proto__` has been refused with the body that it stood in.
  }
}

/** Checks `@Body({ schema })`, `@Query({ schema })` and `@Param('id', { schema })`: 400 REQUEST_INVALID. */
export const validationPipe = () =>
  new ValidationPipe({
    exceptionFactory: (issues) => new RequestInvalid(inputErrors(issues as z.core.$ZodIssue[])),
  });

/** What looks like a name out of a program; anything else may be somebody's address. */
const named = (key: string) => (/^[a-z_$][\w$]{0,39}$/i.test(key) ? key : '(unprintable)');

/** zod's messages say what was expected, not what was given. */
export function inputErrors(issues: readonly z.core.$ZodIssue[]): InputError[] {
  return issues.slice(0, MAX_ERRORS).flatMap((issue) => {
    const path = (issue.path ?? []).map(String);
    // Names the field itself rather than the object that it is too many in.
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, MAX_ERRORS) : [];
    if (unknown.length > 0)
      return unknown.map((key) => ({ path: [...path, named(key)].join('.'), message: 'is not a known field' }));
    return [{ path: path.join('.'), message: issue.message }];
  });
}
