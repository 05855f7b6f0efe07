import { subscribe, unsubscribe } from 'node:diagnostics_channel';

interface Told {
  request: { origin: string; method: string; path: string };
  response?: { statusCode: number };
  error?: Error;
}

/**
 * Every request that this process sends to some servers, as Node's own HTTP client tells of it: no retry and no `catch`
 * on the way hides one that failed.
 */
export class RequestLog {
  /** Requests that were answered at all. */
  answered = 0;
  /** Requests that got no answer, or one that says that the server is at fault. */
  readonly failed: string[] = [];
  readonly #origins: Set<string>;
  readonly #onAnswer = (message: unknown) => this.#note(message as Told);

  constructor(urls: string[]) {
    this.#origins = new Set(urls.map((url) => new URL(url).origin));
    for (const channel of ['undici:request:headers', 'undici:request:error']) subscribe(channel, this.#onAnswer);
  }

  stop(): void {
    for (const channel of ['undici:request:headers', 'undici:request:error']) unsubscribe(channel, this.#onAnswer);
  }

  #note({ request, response, error }: Told): void {
    if (!this.#origins.has(String(request.origin)) || request.path.startsWith('/-/')) return;
    const what = `${request.method} ${request.path}`;
    if (response) {
      this.answered += 1;
      if (response.statusCode >= 500) this.failed.push(`${what}: ${response.statusCode}`);
    } else if (error?.name !== 'AbortError') this.failed.push(`${what}: ${String(error?.cause ?? error)}`);
  }
}
