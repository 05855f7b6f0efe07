import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { Server } from 'node:https';
import tls, { type PeerCertificate, type SecureContextOptions } from 'node:tls';
import { Logger } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import type { BaseConfig } from './config.ts';

export type TlsConfig = Pick<BaseConfig, 'TLS_CERT_FILE' | 'TLS_KEY_FILE' | 'TLS_CA_FILE'>;
interface Material {
  cert: string;
  key: string;
  ca: string;
}

/** How soon renewed files are used. */
const LOOK_EVERY_MS = 2_000;

/**
 * The service's certificate, its key, and the authority that it trusts, from files that change while it runs. They
 * are read again and again, because a watch doesn't see what Kubernetes does: it swaps a link two folders above.
 */
class Tls {
  private readonly logger = new Logger(Tls.name);
  private readonly publicAuthorities = tls.getCACertificates('default');
  private readonly servers = new Set<Server>();
  private material: Material;
  private trouble = '';

  constructor(private readonly files: Material) {
    this.material = this.read();
    this.trust();
    setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /**
   * Options for connections to a server that knows us by our certificate. `name` is what its own certificate must be
   * for, where that isn't the URL's host. Getters, because a pool holds its options longer than a certificate lasts,
   * and copies them for each connection.
   */
  to(name?: string): SecureContextOptions {
    const current = () => this.material;
    return {
      get cert() {
        return current().cert;
      },
      get key() {
        return current().key;
      },
      get ca() {
        return current().ca;
      },
      minVersion: 'TLSv1.3',
      ...(name && { checkServerIdentity: (_: string, cert: PeerCertificate) => tls.checkServerIdentity(name, cert) }),
    };
  }

  /** For the server at the edge, whose clients have no certificate, and some no TLS 1.3. */
  edge = () => ({ cert: this.material.cert, key: this.material.key, minVersion: 'TLSv1.2' as const });

  /** New connections to the server get the certificate of their time; those that are open stay as they are. */
  renew(server: HttpServer): void {
    if (!(server instanceof Server)) return;
    server.setSecureContext(this.edge());
    const description = 'When the certificate ends, in seconds since 1970';
    const gauge = metrics.getMeter('tls').createObservableGauge('tls.certificate.not_after', { description });
    gauge.addCallback((result) => result.observe(Date.parse(this.notAfter()) / 1_000));
    this.servers.add(server);
    server.once('close', () => this.servers.delete(server));
  }

  /** What can't be used is left for the next look, and the last good certificate stays. */
  private look(): void {
    try {
      const { cert, ca } = this.material;
      const found = this.read();
      this.trouble = '';
      if (found.cert === cert && found.ca === ca) return;
      this.material = found;
      this.trust();
      for (const server of this.servers) server.setSecureContext(this.edge());
      this.logger.log({ event: 'tls.renewed', notAfter: this.notAfter() });
    } catch (error) {
      const trouble = String(error);
      if (trouble !== this.trouble) this.logger.error({ event: 'tls.renewal-failed', err: error });
      this.trouble = trouble;
    }
  }

  private notAfter(): string {
    return new X509Certificate(this.material.cert).validTo;
  }

  private read(): Material {
    const [cert, key, ca] = [this.files.cert, this.files.key, this.files.ca].map((file) => readFileSync(file, 'utf8'));
    const material = { cert, key, ca } as Material;
    // Two files are never renewed in the same instant.
    if (!new X509Certificate(material.cert).checkPrivateKey(createPrivateKey(material.key)))
      throw new Error('TLS_KEY_FILE is not the key of TLS_CERT_FILE');
    return material;
  }

  /** `fetch` (keys of issuers, the broker's HTTP API) takes no such options: it trusts what the process does. */
  private trust(): void {
    tls.DEFAULT_MIN_VERSION = 'TLSv1.3';
    tls.setDefaultCACertificates([...this.publicAuthorities, this.material.ca]);
  }
}

const opened = new Map<string, Tls>();

/** One for each certificate, so that all of the process changes over at once; undefined where no files are given. */
export function tlsOf({ TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CA_FILE: ca }: TlsConfig): Tls | undefined {
  if (!cert || !key || !ca) return undefined;
  const tlsOfFiles = opened.get(cert) ?? new Tls({ cert, key, ca });
  opened.set(cert, tlsOfFiles);
  return tlsOfFiles;
}
