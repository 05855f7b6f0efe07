import type { JWK } from 'jose';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A key pair that this service signs access tokens with. */
@Entity('signing_keys')
export class SigningKey {
  @PrimaryColumn('text') kid!: string;
  @Column('jsonb', { name: 'public_jwk' }) publicJwk!: JWK;
  /** PKCS #8, sealed under KEY_ENCRYPTION_KEY with the kid as associated data. */
  @Column('bytea', { name: 'sealed_private_key' }) sealedPrivateKey!: Buffer;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  /** Until the next key's time comes. */
  @Column('timestamptz', { name: 'signs_from' }) signsFrom!: Date;
}

/** One sign-in, and the family of refresh tokens that descends from it. */
@Entity('sessions')
export class Session {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'account_id' }) accountId!: string;
  /** Counts the session's events. */
  @Column('int') sequence!: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  /** When its newest refresh token ends. */
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  @Column('timestamptz', { name: 'revoked_at', nullable: true }) revokedAt!: Date | null;
}

/** A refresh token, known by its hash alone. */
@Entity('refresh_tokens')
export class RefreshToken {
  @PrimaryColumn('bytea', { name: 'token_hash' }) tokenHash!: Buffer;
  @Column('uuid', { name: 'session_id' }) sessionId!: string;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  /** When it was exchanged for its successor. */
  @Column('timestamptz', { name: 'used_at', nullable: true }) usedAt!: Date | null;
}
