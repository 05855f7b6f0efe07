import type { Channel, ConsumeMessage } from 'amqplib';

export interface Delivered {
  readonly message: ConsumeMessage;
  readonly channel: Channel;
  /** Tags of this channel's deliveries that are not settled yet, ascending. */
  readonly unsettled: Set<number>;
}

/** Acknowledges the deliveries of one channel, with a single frame for all below which nothing is unsettled. */
export function acknowledge(deliveries: readonly Delivered[]): void {
  const [first] = deliveries;
  if (!first) return;
  const { channel, unsettled } = first;
  for (const { message } of deliveries) unsettled.delete(message.fields.deliveryTag);
  const [lowest = Infinity] = unsettled;
  let last: ConsumeMessage | undefined;
  try {
    for (const { message } of deliveries) {
      const tag = message.fields.deliveryTag;
      if (tag > lowest) channel.ack(message);
      else if (!last || tag > last.fields.deliveryTag) last = message;
    }
    if (last) channel.ack(last, true);
  } catch {
    // The channel is gone, so the broker hands the messages out again, and the inbox knows them.
  }
}
