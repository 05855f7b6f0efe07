/** What a bundle is made of, as a CycloneDX document (https://cyclonedx.org): for those who look for known holes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Contrib, Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import { lockedPackages, packageFolder, type LockedPackage } from './lock.ts';

/**
 * Names every package that at least one of the files is from, with its version, licence and checksum as they are
 * locked. The same files and lock give the same text.
 *
 * @throws Error when package-lock.json doesn't know a package: nobody could tell where it is from
 */
export function bundleSbom(service: string, bundle: string, files: string[]): string {
  const ours = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  const { version, license } = JSON.parse(ours) as { version: string; license: string };
  const packages = lockedPackages();
  const folders = new Set(files.flatMap((file) => packageFolder(file) ?? []));

  const application = new Models.Component(Enums.ComponentType.Application, `cabstand-${service}`, {
    version,
    bomRef: `cabstand-${service}`,
    hashes: new Models.HashDictionary([[Enums.HashAlgorithm['SHA-256'], sha256(bundle)]]),
    licenses: licences(license),
  });
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: application }) });
  for (const folder of folders) {
    const locked = packages[folder];
    if (!locked) throw new Error(`${folder} is in the bundle of ${service}, but not in package-lock.json: npm ci`);
    const component = componentOf(folder, locked);
    bom.components.add(component);
    application.dependencies.add(component.bomRef);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function componentOf(folder: string, locked: LockedPackage): Models.Component {
  const [name, group] = (locked.name ?? folder.slice(folder.lastIndexOf('node_modules/') + 13)).split('/').reverse();
  const [algorithm, digest = ''] = locked.integrity?.split('-') ?? [];
  return new Models.Component(Enums.ComponentType.Library, name!, {
    ...(group ? { group } : {}),
    version: locked.version,
    // Two folders may hold the same version of a package: each is in the bundle.
    bomRef: folder,
    purl: `pkg:npm/${group ? `${encodeURIComponent(group)}/` : ''}${name}@${locked.version}`,
    hashes: new Models.HashDictionary(
      algorithm === 'sha512' ? [[Enums.HashAlgorithm['SHA-512'], Buffer.from(digest, 'base64').toString('hex')]] : [],
    ),
    licenses: licences(locked.license),
  });
}

/** Packages that have no identifier of SPDX's give an expression of them, or a name of their own. */
const licenceFactory = new Contrib.License.Factories.LicenseFactory((text) => {
  if (!/ (AND|OR|WITH) /.test(text)) throw new RangeError(`${text} is no SPDX expression`);
});

const licences = (text: string | undefined) =>
  new Models.LicenseRepository(text === undefined ? [] : [licenceFactory.makeFromString(text)]);

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
