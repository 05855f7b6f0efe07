import { readFileSync } from 'node:fs';
import { Server } from 'node:https';
import type { FastifyInstance } from 'fastify';
import type { Config } from './config.ts';

/** How soon a renewed certificate is used, as by the services. */
const LOOK_EVERY_MS = 2_000;

interface Certificate {
  cert: string;
  key: string;
}

/** The certificate of the environment, as its files have it now. */
export function readCertificate({ TLS_CERT_FILE: cert, TLS_KEY_FILE: key }: Config): Certificate | null {
  return cert && key ? { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') } : null;
}

/** Certificates end sooner than processes: new connections get what the files hold by then. */
export function renewCertificate({ server, log }: FastifyInstance, config: Config): void {
  if (!(server instanceof Server)) return;
  let used = readCertificate(config)?.cert;
  let trouble = '';
  const look = () => {
    try {
      const found = readCertificate(config);
      // Two files are never renewed in the same instant: a pair that doesn't fit is refused, and the last good one stays.
      if (found && found.cert !== used) server.setSecureContext(found);
      used = found?.cert;
      trouble = '';
    } catch (error) {
      const reason = String(error);
      if (reason !== trouble) log.error({ event: 'tls.renewal-failed', reason });
      trouble = reason;
    }
  };
  const looking = setInterval(look, LOOK_EVERY_MS).unref();
  server.once('close', () => clearInterval(looking));
}
