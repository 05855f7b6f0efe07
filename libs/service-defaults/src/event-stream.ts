import type { Principal } from '@cabstand/auth';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

export interface StreamEvent {
  /** What the client sends back as `Last-Event-ID`; only on events that can be read again from the database. */
  id?: string;
  event: string;
  data: unknown;
}

export interface StreamSource {
  principal: Principal;
  /**
   * Reads from the database what came after `cursor`, and where to go on. The first cursor is the client's
   * `Last-Event-ID`, or null on a first visit: then answer the current state.
   */
  read(cursor: string | null): Promise<{ events: StreamEvent[]; cursor: string | null }>;
  /** The policy, asked again before each event; false ends the stream. */
  allowed(): boolean | Promise<boolean>;
  /**
   * Called once: tells when to `wake` (read again), and what to `push` past the database. A pushed event replaces
   * an unsent one of the same key. Returns what ends the subscription.
   */
  subscribe?(stream: { wake(): void; push(key: string, event: StreamEvent): void }): () => void;
}

/** Server-sent events (WHATWG HTML, "Server-sent events"). */
@Injectable()
export class EventStreams {
  /** Sends events until the client leaves, the token expires, the policy says no, or the service drains. */
  async follow(reply: FastifyReply, source: StreamSource): Promise<void> {
    void reply;
    void source;
    return Promise.reject(new Error('not built yet'));
  }
}
