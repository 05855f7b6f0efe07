import {
  applyDecorators,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PublicKey } from 'openpgp';
import { from, switchMap, type Observable } from 'rxjs';
import { ApiProblems } from './openapi.ts';
import { RequestInvalid } from './problem.ts';

const HEADER = 'OpenPGP-Key';
const PGP = 'application/pgp-encrypted';

/** Loaded when somebody asks: it is a megabyte, and few do. */
const library = () => import('openpgp');

/** @throws RequestInvalid when it is no public key that can be encrypted to now */
async function readKey(header: unknown): Promise<PublicKey> {
  const { readKey } = await library();
  try {
    const key = await readKey({ binaryKey: Buffer.from(String(header), 'base64') });
    if (key.isPrivate()) throw new Error('a private key');
    await key.verifyPrimaryKey();
    await key.getEncryptionKey();
    return key;
  } catch {
    const message = 'must be a valid OpenPGP public key that encrypts, in base64 without armor';
    throw new RequestInvalid([{ path: HEADER, message }]);
  }
}

class OpenPgpInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const header = http.getRequest<FastifyRequest>().headers[HEADER.toLowerCase()];
    if (header === undefined) return next.handle();
    // The key first: nothing is looked up for one that is of no use.
    return from(readKey(header)).pipe(
      switchMap((key) => next.handle().pipe(switchMap((answer) => encrypt(key, answer)))),
      switchMap(async (armored) => {
        void http.getResponse<FastifyReply>().header('content-type', PGP);
        return armored;
      }),
    );
  }
}

async function encrypt(encryptionKeys: PublicKey, answer: unknown): Promise<string> {
  const { createMessage, encrypt: seal } = await library();
  return seal({ message: await createMessage({ text: JSON.stringify(answer) }), encryptionKeys });
}

/** Encrypts the answer, as an armored OpenPGP message, to the key that the request brings. */
export const EncryptedOnRequest = () =>
  applyDecorators(
    UseInterceptors(OpenPgpInterceptor),
    ApiProblems('REQUEST_INVALID'),
    ApiHeader({ name: HEADER, required: false, description: 'Public key, in base64', schema: { type: 'string' } }),
    ApiResponse({ status: 200, content: { [PGP]: { schema: { type: 'string' } } } }),
  );
