/** RabbitMQ's management HTTP API: the few calls that the runtime and the tests need. */
export class Management {
  readonly #base: string;
  readonly #authorization: string;

  /** @param url base URL with credentials, `http://user:password@host:port` */
  constructor(url: string) {
    const { origin, pathname, username, password } = new URL(url);
    this.#base = `${origin}${pathname.replace(/\/$/, '')}`;
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    this.#authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }

  /** @throws Error with the broker's answer when it isn't 2xx; a DELETE of what doesn't exist is fine. */
  async call<T = unknown>(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: { authorization: this.#authorization, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok && !(method === 'DELETE' && response.status === 404))
      throw new Error(`RabbitMQ management ${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
    return (text && response.ok ? JSON.parse(text) : undefined) as T;
  }

  get = <T>(path: string) => this.call<T>('GET', path);
  put = (path: string, body: unknown = {}) => this.call('PUT', path, body);
  post = (path: string, body: unknown) => this.call('POST', path, body);
  delete = (path: string) => this.call('DELETE', path);

  async isReady(): Promise<boolean> {
    try {
      await this.get('/api/overview');
      return true;
    } catch {
      return false;
    }
  }
}
