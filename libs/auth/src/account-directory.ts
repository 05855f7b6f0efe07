import type { EntityManager } from 'typeorm';

/** What signing in needs to know of an account. */
export interface Account {
  id: string;
  /** Normalised as `Email` does it. */
  email: string;
  /** A PHC string, see Passwords. */
  passwordHash: string;
  /** Whether sign-in and refresh are refused: suspended, and no trip under way that has to end first. */
  suspended: boolean;
}

/** How the sessions find the accounts of the service they live in. */
export interface AccountDirectory {
  /** `email` is normalised as `Email` does it. */
  findByEmail(email: string): Promise<Account | null>;
  findById(tx: EntityManager, id: string): Promise<Account | null>;
  /** The same, with the row locked until the transaction ends. */
  lock(tx: EntityManager, id: string): Promise<Account | null>;
  setPasswordHash(tx: EntityManager, id: string, passwordHash: string): Promise<void>;
}
