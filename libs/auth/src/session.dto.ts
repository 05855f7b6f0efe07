import { z } from 'zod';
import { Email } from './account.dto.ts';

/** Any password may be tried: the rules for new ones would only tell a guesser what not to try. */
export const SignIn = z.strictObject({ email: Email, password: z.string().min(1).max(256) });
export type SignIn = z.infer<typeof SignIn>;

/** Nothing where the refresh token comes in a cookie. */
export const Refresh = z.strictObject({ refreshToken: z.string().min(1).max(256) }).nullish();
export type Refresh = z.infer<typeof Refresh>;

export const Tokens = z
  .object({
    accessToken: z.string(),
    /** Left out where it is in a cookie. */
    refreshToken: z.string().optional(),
    tokenType: z.literal('Bearer'),
    /** Seconds until the access token ends. */
    expiresIn: z.int(),
  })
  .meta({ id: 'Tokens' });
export type Tokens = z.infer<typeof Tokens>;
