import { RevokedSessions } from '@cabstand/auth';
import { SessionRevoked } from '@cabstand/contracts';
import { Delivery, Inbox } from '@cabstand/messaging';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';

/** What the trip service does when a session ended, whichever service it belonged to. */
@Controller()
export class SessionEventsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly revokedSessions: RevokedSessions,
  ) {}

  @EventPattern<string>(SessionRevoked.type)
  onRevoked(@Payload() session: SessionRevoked, @Ctx() delivery: Delivery): Promise<void> {
    const { issuer, sessionId, tokensExpireAt } = session;
    return this.inbox.once(delivery, (tx) =>
      this.revokedSessions.add(tx, { issuer, sessionId, expiresAt: new Date(tokensExpireAt) }),
    );
  }
}
