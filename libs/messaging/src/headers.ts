/** Our own headers, beside the CloudEvents attributes. They never leave the service's own retry exchange. */
export const HEADERS = {
  /** Counts handlings from 1. RabbitMQ 4 ignores a client's `x-death`, so we count ourselves. */
  attempt: 'x-messaging-attempt',
  /** JSON: one entry for each failed attempt. */
  history: 'x-messaging-history',
  reason: 'x-messaging-reason',
  detail: 'x-messaging-detail',
  /** Tells apart publications without a message id. */
  tag: 'x-messaging-tag',
} as const;

export const CLOUD_EVENTS = 'cloudEvents:';
