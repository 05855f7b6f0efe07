import type { JSONWebKeySet } from 'jose';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The last good key set of each trusted issuer: an issuer that is down blocks nobody, restarts included. */
@Entity('issuer_keys')
export class IssuerKeySet {
  @PrimaryColumn('text') issuer!: string;
  @Column('jsonb') jwks!: JSONWebKeySet;
  @Column('timestamptz', { name: 'fetched_at' }) fetchedAt!: Date;
}

/** A session whose access tokens are refused although they have not expired. */
@Entity('revoked_sessions')
export class RevokedSession {
  @PrimaryColumn('text') issuer!: string;
  @PrimaryColumn('text', { name: 'session_id' }) sessionId!: string;
  /** When its last access token ends; after that the row says nothing any more. */
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
}
