import { request } from 'node:http';
import { CLAIMS, ENCODINGS, PRESENTATIONS } from './token-attacks-contents.ts';
import { ALGORITHMS, EXTENSIONS, KEY_SOURCES, KIDS, SIGNATURES } from './token-attacks-headers.ts';
import { Sample, type Attack, type Forger } from './token-forge.ts';

const TABLE = { ALGORITHMS, SIGNATURES, KIDS, KEY_SOURCES, EXTENSIONS, ENCODINGS, CLAIMS, PRESENTATIONS };

/** Every way to be refused, by name: for `it.each`. */
export const TOKEN_ATTACKS: [name: string, make: (forger: Forger) => Attack][] = Object.entries(TABLE).flatMap(
  ([kind, attacks]) =>
    Object.entries(attacks).map(([name, make]): [string, (forger: Forger) => Attack] => [
      `${kind.toLowerCase().replace('_', ' ')}: ${name}`,
      (forger) => {
        const made = make(new Sample(forger));
        return typeof made === 'string' ? { authorization: [`Bearer ${made}`] } : made;
      },
    ]),
);

export const goodToken = (forger: Forger): string => new Sample(forger).good();

export interface Refusal {
  status: number;
  challenge: string | undefined;
  body: string;
}

/** Sends it as it is: `fetch` would fold two headers of one name into one. */
export function attack(url: string, { authorization, query, headers = {} }: Attack): Promise<Refusal> {
  const target = new URL(url);
  if (query) target.search = query;
  const lines = [...authorization.map((value) => ['Authorization', value]), ...Object.entries(headers)];
  return new Promise((resolve, reject) => {
    const options = { agent: false, headers: ['host', target.host, ...lines.flat()] };
    const call = request(target, options, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode!, challenge: response.headers['www-authenticate'], body }),
      );
    });
    call.on('error', reject);
    call.end();
  });
}
