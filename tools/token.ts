/**
 * npm run -s token -- operator [--subject ID] [--ttl SECONDS]
 *
 * Prints an access token of the development issuer, alone, so that a shell can take it: T=$(npm run -s token -- operator)
 */
import { parseArgs } from 'node:util';
import { developerIssuerName, LOCAL_OPERATOR, operatorToken } from './runtime/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    subject: { type: 'string', default: LOCAL_OPERATOR },
    ttl: { type: 'string', default: '28800' },
  },
});
const ttlS = Number(values.ttl);
if (positionals.length !== 1 || positionals[0] !== 'operator' || !Number.isInteger(ttlS) || ttlS <= 0) {
  console.error('usage: npm run -s token -- operator [--subject ID] [--ttl SECONDS]');
  console.error('Passengers and drivers sign in at their own service: POST /v1/sessions.');
  process.exit(64);
}
console.log(await operatorToken(developerIssuerName(), { subject: values.subject, ttlS }));
