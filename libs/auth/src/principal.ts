import type { Role } from '@cabstand/contracts';

/** Who is asking. Ownership compares `issuer` and `subject`: two issuers may give the same id to different people. */
export interface Principal {
  issuer: string;
  subject: string;
  role: Role;
  /** Null for an issuer that has no sessions of its own to revoke. */
  sessionId: string | null;
  clientId: string;
  /** When the access token ends; a stream may not outlive it. */
  expiresAt: Date;
  /** Why an operator looks at personal data, as said in `Access-Reason` and on record. */
  accessReason?: string;
}
