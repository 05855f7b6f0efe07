import { ERRORS, KINDS, type ErrorCode } from '@cabstand/contracts';
import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import { Problem, PROBLEM_JSON } from './problem.ts';

/** Declares a route's successful answer: `@ApiAnswer(201, TripView)`; without a schema there is no body. */
export const ApiAnswer = (status: number, schema?: z.ZodType, description = '') =>
  ApiResponse({ status, description, ...(schema ? { standardSchema: schema } : {}) });

/**
 * Declares the refusals that are particular to a route: `@ApiProblems('QUOTE_EXPIRED', 'TRIP_ALREADY_ACTIVE')`.
 * What any route may answer (bad input, tokens, 500, 503) is added to the document for all of them.
 */
export function ApiProblems(...codes: ErrorCode[]) {
  const byStatus = Map.groupBy(codes, (code) => KINDS[ERRORS[code].kind]);
  return applyDecorators(
    ...[...byStatus].map(([status, sameStatus]) =>
      ApiResponse({
        status,
        description: sameStatus.join(', '),
        content: { [PROBLEM_JSON]: { schema: { $ref: '#/components/schemas/Problem' } } },
      }),
    ),
  );
}
export { Problem };
