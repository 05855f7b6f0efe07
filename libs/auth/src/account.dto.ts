import { z } from 'zod';
import { isCommon, isLongEnough } from './common-passwords.ts';

/** An e-mail address, in the one spelling it is compared and stored in. */
export const Email = z
  .string()
  .max(254)
  .transform((text) => text.normalize('NFKC').trim().toLowerCase())
  .pipe(z.email());

/** Parsed asynchronously. As typed; at least 8 characters (NIST SP 800-63B), room for any passphrase, and none that is guessed first. */
export const Password = z
  .string()
  .min(8)
  .max(256)
  .refine(isLongEnough, 'must have at least 8 characters')
  .refine(async (text) => !(await isCommon(text)), 'is among the passwords that are guessed first');

/** What people call a person: letters of any script, no control characters. */
export const PersonName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters');

/** E.164, or close to it: digits with the usual separators. */
export const Phone = z
  .string()
  .trim()
  .max(25)
  .regex(/^\+?[0-9(][0-9 ()./-]{3,}$/, 'must be a phone number');

export const PasswordChange = z.strictObject({ currentPassword: z.string().max(256), newPassword: Password });
export type PasswordChange = z.infer<typeof PasswordChange>;

/** The part of a name that the other side of a trip gets to see. */
export const firstName = (name: string) => name.trim().split(/\s+/)[0]!;
