const MIN_CHARACTERS = 8;
/** NIST SP 800-63B wants common passwords refused. Shorter ones are refused anyway, and would waste the list. */
let common: Promise<ReadonlySet<string>> | undefined;

/** Loaded when the first password is chosen: it takes 20 MB, and not every service has passwords. */
async function loadCommon(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  const long = dictionary['passwords-common'].filter((password) => password.length >= MIN_CHARACTERS);
  return new Set(long.slice(0, 10_000));
}

/**
 * The one spelling in which a password is judged and hashed: the same passphrase typed on another keyboard may be
 * other code points (NIST SP 800-63B, section 3.1.1.2).
 */
export const normalised = (password: string) => password.normalize('NFKC');

/** Whether there are at least eight characters, as people count them: code points. */
export const isLongEnough = (password: string) => [...normalised(password)].length >= MIN_CHARACTERS;

/** Whether it is among the 10,000 that are tried first, in whatever case. */
export async function isCommon(password: string): Promise<boolean> {
  common ??= loadCommon();
  return (await common).has(normalised(password).toLowerCase());
}

/** Whether the password is what everybody knows of the account: its e-mail address, or the part before the @. */
export function isEmailOf(email: string, password: string): boolean {
  const guess = normalised(password).toLowerCase();
  return guess === email || guess === email.slice(0, email.lastIndexOf('@'));
}
