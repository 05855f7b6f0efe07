export interface Answer<Body> {
  status: number;
  body: Body;
  headers: Headers;
}

export interface RequestOptions {
  /** Whose access token is sent. */
  as?: { token: string };
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Asks as a client would: JSON out, JSON in. */
export async function request<Body>(
  url: string,
  method: string,
  path: string,
  { as, token = as?.token, body, headers }: RequestOptions = {},
): Promise<Answer<Body>> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: (text === '' ? undefined : JSON.parse(text)) as Body,
    headers: response.headers,
  };
}
