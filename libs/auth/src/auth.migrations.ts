import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CreateRateLimits1700000005000 } from './limits.migration.ts';

class CreateIssuerKeysAndRevokedSessions1700000001000 implements MigrationInterface {
  readonly name = 'CreateIssuerKeysAndRevokedSessions1700000001000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE issuer_keys (issuer text PRIMARY KEY, jwks jsonb NOT NULL, fetched_at timestamptz NOT NULL)`,
    );
    await runner.query(
      `CREATE TABLE revoked_sessions (issuer text, session_id text, expires_at timestamptz NOT NULL, PRIMARY KEY (issuer, session_id))`,
    );
    await runner.query(`CREATE INDEX revoked_sessions_expires_at ON revoked_sessions (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE revoked_sessions, issuer_keys`);
  }
}

class CreateOpsAudit1700000003000 implements MigrationInterface {
  readonly name = 'CreateOpsAudit1700000003000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ops_audit (
        id uuid PRIMARY KEY, at timestamptz NOT NULL, issuer text NOT NULL, subject text NOT NULL, client_id text NOT NULL,
        action text NOT NULL, target text, details jsonb NOT NULL, reason text)`);
    await runner.query(`CREATE INDEX ops_audit_target ON ops_audit (target)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE ops_audit`);
  }
}

class CreateSecurityEvents1700000007000 implements MigrationInterface {
  readonly name = 'CreateSecurityEvents1700000007000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE security_events (
        id uuid PRIMARY KEY, at timestamptz NOT NULL, type text NOT NULL, count int NOT NULL, issuer text, subject text)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE security_events`);
  }
}

/** For every service: it verifies tokens, and records what operators do and what attackers try. */
export const authMigrations = [
  CreateIssuerKeysAndRevokedSessions1700000001000,
  CreateOpsAudit1700000003000,
  CreateRateLimits1700000005000,
  CreateSecurityEvents1700000007000,
];

class CreateSessions1700000002000 implements MigrationInterface {
  readonly name = 'CreateSessions1700000002000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE signing_keys (kid text PRIMARY KEY, public_jwk jsonb NOT NULL, sealed_private_key bytea NOT NULL, created_at timestamptz NOT NULL)`,
    );
    await runner.query(`
      CREATE TABLE sessions (
        id uuid PRIMARY KEY, account_id uuid NOT NULL, sequence int NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, revoked_at timestamptz)`);
    await runner.query(`CREATE INDEX sessions_account_id ON sessions (account_id)`);
    await runner.query(`CREATE INDEX sessions_expires_at ON sessions (expires_at)`);
    await runner.query(`
      CREATE TABLE refresh_tokens (
        token_hash bytea PRIMARY KEY, session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
        expires_at timestamptz NOT NULL, used_at timestamptz)`);
    await runner.query(`CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id)`);
    await runner.query(`CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE refresh_tokens, sessions, signing_keys`);
  }
}

class CreateSignInFailures1700000004000 implements MigrationInterface {
  readonly name = 'CreateSignInFailures1700000004000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE sign_in_failures (
        key bytea PRIMARY KEY, failures int NOT NULL, blocked_until timestamptz, expires_at timestamptz NOT NULL)`);
    await runner.query(`CREATE INDEX sign_in_failures_expires_at ON sign_in_failures (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE sign_in_failures`);
  }
}

class ScheduleSigningKeys1700000006000 implements MigrationInterface {
  readonly name = 'ScheduleSigningKeys1700000006000';

  async up(runner: QueryRunner): Promise<void> {
    // The default is for replicas of the version before, which may yet make the first key.
    await runner.query(`ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz NOT NULL DEFAULT now()`);
    await runner.query(`UPDATE signing_keys SET signs_from = created_at`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE signing_keys DROP COLUMN signs_from`);
  }
}

/** For the services that have users of their own: they issue tokens. */
export const sessionMigrations = [
  CreateSessions1700000002000,
  CreateSignInFailures1700000004000,
  ScheduleSigningKeys1700000006000,
];
