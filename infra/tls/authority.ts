// tsyringe, beneath @peculiar/x509, wants it loaded first.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

export interface CertificateRequest {
  /** Common name: the role or the user that PostgreSQL and RabbitMQ take the holder for. */
  name: string;
  /** Host names and addresses at which it may serve. */
  hosts: string[];
  usages: ('server' | 'client')[];
  notBefore?: Date;
  notAfter: Date;
}

/** A certificate and its private key, in PEM. */
export interface KeyPair {
  cert: string;
  key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
const PURPOSES = { server: serverAuth, client: clientAuth };

/** Signs certificates for what runs on this machine. Its key is worth as much as all of theirs together. */
export class Authority {
  readonly pair: KeyPair;
  readonly #key: webcrypto.CryptoKey;
  readonly #certificate: x509.X509Certificate;

  private constructor(pair: KeyPair, key: webcrypto.CryptoKey) {
    this.pair = pair;
    this.#key = key;
    this.#certificate = new x509.X509Certificate(pair.cert);
  }

  static async create(name: string, notAfter: Date): Promise<Authority> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...{ name: `CN=${name}`, notBefore: aMomentAgo(), notAfter, keys },
      ...{ serialNumber: serialNumber(), signingAlgorithm: ALGORITHM },
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new Authority(await pemOf(certificate, keys.privateKey), keys.privateKey);
  }

  static async from(pair: KeyPair): Promise<Authority> {
    const der = x509.PemConverter.decodeFirst(pair.key);
    return new Authority(pair, await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']));
  }

  /** Makes a key and a certificate for it. */
  async issue({ name, hosts, usages, notBefore, notAfter }: CertificateRequest): Promise<KeyPair> {
    const keys = await generateKeys();
    const names = hosts.map((host) => ({ type: isIP(host) ? ('ip' as const) : ('dns' as const), value: host }));
    const certificate = await x509.X509CertificateGenerator.create({
      ...{ subject: `CN=${name}`, issuer: this.#certificate.subject, notBefore: notBefore ?? aMomentAgo(), notAfter },
      ...{ publicKey: keys.publicKey, signingKey: this.#key },
      ...{ serialNumber: serialNumber(), signingAlgorithm: ALGORITHM },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(usages.map((usage) => PURPOSES[usage])),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
      ],
    });
    return pemOf(certificate, keys.privateKey);
  }
}

const generateKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

/** RFC 5280, section 4.1.2.2: positive, and at most 20 octets. */
const serialNumber = () => `01${randomBytes(16).toString('hex')}`;

/** Clocks differ a little. */
const aMomentAgo = () => new Date(Date.now() - 60_000);

async function pemOf(certificate: x509.X509Certificate, key: webcrypto.CryptoKey): Promise<KeyPair> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key);
  return { cert: `${certificate.toString('pem')}\n`, key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n` };
}
