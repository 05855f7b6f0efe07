import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { certificateFiles, ensureCertificates, installationAuthority, writePair } from '../index.ts';

const dir = mkdtempSync(join(tmpdir(), 'cabstand-certificates-'));
const inDays = (days: number) => new Date(Date.now() + days * 24 * 60 * 60 * 1_000);
const certificateOf = (holder: string) => new X509Certificate(readFileSync(certificateFiles(dir, holder).cert));
const serialNumberOf = (holder: string) => certificateOf(holder).serialNumber;

let made: string[];
beforeAll(async () => {
  made = await ensureCertificates(dir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the certificates of an installation', () => {
  it.each(SERVICES)('of the %s service are for it, at this machine', (service) => {
    const certificate = certificateOf(service);
    expect(certificate.subject).toBe(`CN=${service}`);
    for (const host of [service, 'localhost']) expect(certificate.checkHost(host)).toBe(host);
    for (const address of ['127.0.0.1', '::1']) expect(certificate.checkIP(address)).toBe(address);
    for (const other of SERVICES.filter((name) => name !== service))
      expect(certificate.checkHost(other)).toBeUndefined();
    const authority = new X509Certificate(readFileSync(certificateFiles(dir, service).ca));
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
  });

  it('and their keys are readable by their owner alone', () => {
    const files = readdirSync(join(dir, 'tls'), { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    );
    expect(files.filter(({ name }) => name.endsWith('.key'))).toHaveLength(made.length + 1);
    for (const { parentPath, name } of files)
      expect([name, statSync(join(parentPath, name)).mode & 0o777]).toEqual([name, 0o600]);
  });

  it('stay while they are good, and are made anew near their end', async () => {
    const before = serialNumberOf('trip');
    expect(await ensureCertificates(dir)).toEqual([]);
    const { authority } = await installationAuthority(dir);
    const request = { name: 'driver', hosts: ['driver'], usages: ['client' as const], notAfter: inDays(29) };
    writePair(certificateFiles(dir, 'driver'), await authority.issue(request));
    expect(await ensureCertificates(dir)).toEqual(['driver']);
    expect(certificateOf('driver').validToDate.getTime()).toBeGreaterThan(inDays(80).getTime());
    expect(serialNumberOf('trip')).toBe(before);
  });

  it('are made anew when their key is not the one that belongs to them', async () => {
    const { authority } = await installationAuthority(dir);
    const { cert } = await authority.issue({ name: 'trip', hosts: [], usages: ['client'], notAfter: inDays(80) });
    writePair(certificateFiles(dir, 'trip'), { cert, key: readFileSync(certificateFiles(dir, 'trip').key, 'utf8') });
    expect(await ensureCertificates(dir)).toEqual(['trip']);
  });

  it('are all made anew with a new authority', async () => {
    rmSync(join(dir, 'tls', 'ca.key'));
    expect(await ensureCertificates(dir)).toEqual(made);
  });
});
