import { existsSync } from 'node:fs';
import { canInstallPackages, installPackage } from '../install.ts';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** A Chromium or Chrome of this machine; `CHROME` names another. */
export function findChromium(): string | undefined {
  const named = process.env.CHROME;
  if (named) return existsSync(named) ? named : undefined;
  return PLACES.find((place) => existsSync(place));
}

/** Installs Chromium where that is possible without being asked. @throws Error that says what to do where it isn't */
export async function ensureChromium(say: (line: string) => void): Promise<string> {
  const found = findChromium();
  if (found) return found;
  if (process.env.CHROME) throw new Error(`CHROME is ${process.env.CHROME}, and there is nothing there`);
  if (canInstallPackages()) await installPackage('chromium', [], say);
  const installed = findChromium();
  if (!installed) throw new Error('the browser tests need Chromium or Chrome: install one, or name it in CHROME');
  return installed;
}
