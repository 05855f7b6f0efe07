/**
 * npm run -s token -- operator [--subject ID] [--ttl SECONDS]
 *
 * Prints an access token of the development issuer, alone, so that a shell can take it: T=$(npm run -s token -- operator)
 */
import { parseArgs } from 'node:util';
import { developerIssuer, operatorToken } from './runtime/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    subject: { type: 'string', default: '00000000-0000-7000-8000-000000000001' },
    ttl: { type: 'string', default: '28800' },
  },
});
const ttlS = Number(values.ttl);
if (positionals.length !== 1 || positionals[0] !== 'operator' || !Number.isInteger(ttlS) || ttlS <= 0) {
  console.error('usage: npm run -s token -- operator [--subject ID] [--ttl SECONDS]');
  console.error('Passengers and drivers sign in at their own service: POST /v1/sessions.');
  process.exit(64);
}
// A running platform reads the public keys from a file that this makes sure of.
await developerIssuer();
console.log(await operatorToken(values.subject, ttlS));
