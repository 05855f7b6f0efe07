export {
  DeadLetterOffice,
  type DeadLetterPosition,
  type DeadLetterSummary,
  type Recording,
} from './dead-letter-office.ts';
export { Delivery } from './delivery.ts';
export { FaultSwitches } from './fault-switches.ts';
export { SET_BASED } from './handlers.ts';
export { Inbox } from './inbox.ts';
export { Live } from './live.ts';
export { DeadLetter, InboxMessage, OutboxMessage, messagingEntities } from './messaging.entities.ts';
export { messagingMigrations } from './messaging.migrations.ts';
export { MessagingModule } from './messaging.module.ts';
export type { MessagingOptions } from './options.ts';
export { Outbox } from './outbox.ts';
export { MessagingStatus, type OutboxFigures, type QueueFigures } from './status.ts';
export { Transactions, type RunOptions } from './transactions.ts';
export { MessagingTransport, connectMessaging } from './transport.ts';
