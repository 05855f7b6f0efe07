import { Role } from '@cabstand/contracts';
import { z } from 'zod';
import { KeyRing } from './key-ring.ts';

/** An issuer whose access tokens are believed, and how far. */
export const TrustedIssuer = z
  .strictObject({
    /** Compared with `iss` character by character. */
    issuer: z.url(),
    /** `http(s):` or `file:`. `own:` means the signing keys in this service's own database. */
    jwksUri: z.url({ protocol: /^(https?|file|own)$/ }).optional(),
    /** Instead: where its keys are is what its OpenID configuration says. */
    discovery: z.literal(true).optional(),
    /** The only algorithm accepted from this issuer. */
    algorithm: z.enum(['ES256', 'RS256']).default('ES256'),
    /** The roles it may grant: the passenger service's key can't make anybody a driver. */
    roles: z.array(Role).min(1),
    /** The claim that says the role where it isn't `role`: a name, or a path such as `realm_access.roles`; it may be a list. */
    roleClaim: z.string().min(1).optional(),
    /** What this issuer calls our roles; names that aren't here mean nothing. Without it: by our own names. */
    roleNames: z.record(z.string().min(1), Role).optional(),
  })
  .refine(({ jwksUri, discovery }) => (jwksUri !== undefined) !== (discovery === true), 'needs jwksUri or discovery');
export type TrustedIssuer = z.infer<typeof TrustedIssuer>;

/** The environment variable TRUSTED_ISSUERS: a JSON array of trusted issuers. */
export const trustedIssuersVariable = () =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(
      z
        .array(TrustedIssuer)
        .refine((all) => new Set(all.map(({ issuer }) => issuer)).size === all.length, 'names an issuer twice'),
    );

/** An environment variable that holds a 256-bit key in base64. */
export const secretKeyVariable = () =>
  z
    .string()
    .transform((text) => Buffer.from(text, 'base64'))
    .refine((key) => key.length === 32, 'must be 32 bytes in base64');

/** An environment variable that holds, or names the file of, versioned key-encryption keys. */
export const keyRingVariable = () =>
  z.string().transform((text, context) => {
    try {
      return KeyRing.from(text);
    } catch (error) {
      // Neither the keys nor what JSON.parse would quote of them.
      const problem = error instanceof SyntaxError || !(error instanceof Error) ? 'is not JSON' : error.message;
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    }
  });
