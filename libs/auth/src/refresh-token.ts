import { createHash, createHmac, randomBytes } from 'node:crypto';

/** The first of its family; 256 bits of chance. */
export const firstRefreshToken = () => randomBytes(32).toString('base64url');

/**
 * The token that the presented one is exchanged for. Derived, not drawn: whoever retries because the answer
 * got lost is given the same one, although only hashes are stored.
 */
export const successorOf = (token: string, key: Buffer) => createHmac('sha256', key).update(token).digest('base64url');

/** What is stored. A fast hash will do: there is nothing to guess in 256 random bits. */
export const hashOf = (token: string) => createHash('sha256').update(token).digest();
