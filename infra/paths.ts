import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
/** Everything that a local run leaves behind; `npm run reset` deletes it. CABSTAND_LOCAL makes room for a second one. */
export const LOCAL = process.env.CABSTAND_LOCAL || join(ROOT, '.local');
