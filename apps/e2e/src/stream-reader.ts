import { eventually } from '@cabstand/testing';
import { readEvents, type StreamEvent, type StreamOptions } from '../../../tools/client/event-stream.ts';

/** One connection of a stream, read in the background into a list that tests look at. */
export class StreamReader {
  readonly events: StreamEvent[] = [];
  retryMs: number | undefined;
  /** Why the stream could not be opened or broke off; undefined while it is open or when it was closed in good order. */
  error: Error | undefined;
  isClosed = false;
  readonly #leaving = new AbortController();

  static async open(
    url: string,
    token: string,
    lastEventId?: string,
    headers: Record<string, string> = {},
  ): Promise<StreamReader> {
    const reader = new StreamReader();
    const opened = Promise.withResolvers<void>();
    void reader.#read(url, { token, headers, ...(lastEventId === undefined ? {} : { lastEventId }) }, opened.resolve);
    await opened.promise;
    if (reader.error) throw reader.error;
    return reader;
  }

  of<T>(event: string): { id: string | undefined; data: T }[] {
    return this.events.filter((each) => each.event === event).map(({ id, data }) => ({ id, data: data as T }));
  }

  /** The events of that name, once there are so many. */
  until<T>(event: string, count: number): Promise<{ id: string | undefined; data: T }[]> {
    return eventually(() => {
      const events = this.of<T>(event);
      if (events.length < count) throw new Error(`${events.length} of ${count} events '${event}' have come`);
      return events;
    });
  }

  async untilClosed(timeoutMs: number): Promise<void> {
    await eventually(
      () => {
        if (!this.isClosed) throw new Error('the stream is still open');
      },
      { timeoutMs },
    );
  }

  leave(): void {
    this.#leaving.abort();
  }

  async #read(url: string, options: StreamOptions, opened: () => void): Promise<void> {
    const signal = this.#leaving.signal;
    const onRetry = (ms: number) => (this.retryMs = ms);
    try {
      for await (const event of readEvents(url, { ...options, signal, onRetry, onOpen: opened }))
        this.events.push(event);
    } catch (error) {
      if (!signal.aborted) this.error = error as Error;
    }
    this.isClosed = true;
    opened();
  }
}
