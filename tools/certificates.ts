/**
 * nx run tools:certificates [-- renew]
 *
 * Makes the certificates of `npm start -- --tls` under `.local/tls`, or makes them all anew while it runs.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CERTIFICATE_HOLDERS, certificateFiles, ensureCertificates, LOCAL } from '../infra/index.ts';

const made = await ensureCertificates(LOCAL, { renew: process.argv[2] === 'renew' });
for (const holder of CERTIFICATE_HOLDERS) {
  const { cert } = certificateFiles(LOCAL, holder);
  const { subject, subjectAltName = '', validTo } = new X509Certificate(readFileSync(cert));
  console.log(
    `${made.includes(holder) ? 'new ' : '    '} ${holder.padEnd(15)} ${subject.padEnd(13)} until ${validTo}  ${subjectAltName}`,
  );
}
