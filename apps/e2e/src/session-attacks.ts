import type { Platform } from './platform.ts';
import { driverProfile, profile } from './people.ts';
import { send, sendJson, type RawAnswer } from './requests.ts';

export const ACCOUNT_SERVICES = ['passenger', 'driver'] as const;
export type AccountService = (typeof ACCOUNT_SERVICES)[number];

/** Two sessions of somebody, as an attacker might have got hold of one. */
export interface Victim {
  id: string;
  email: string;
  password: string;
  /** A client that holds its refresh token itself. */
  accessToken: string;
  refreshToken: string;
  /** A browser's: `name=value`. */
  cookie: string;
}

/** One service with accounts, and what can be asked of it. */
export class Accounts {
  readonly url: string;
  readonly collection: string;
  private readonly platform: Platform;
  private readonly service: AccountService;

  constructor(platform: Platform, service: AccountService) {
    this.platform = platform;
    this.service = service;
    this.url = platform.urls[service];
    this.collection = `${this.url}/v1/${service}s`;
  }

  /** The other service with accounts. */
  get other(): Accounts {
    return new Accounts(this.platform, this.service === 'driver' ? 'passenger' : 'driver');
  }

  async victim(): Promise<Victim> {
    const own = this.service === 'driver' ? driverProfile() : profile();
    const { email, password } = own;
    const { json: account } = await sendJson('POST', this.collection, JSON.stringify(own));
    const { json: tokens } = await this.signIn({ email, password });
    const browser = await this.signIn({ email, password }, { 'session-mode': 'cookie' });
    const { accessToken, refreshToken } = tokens as { accessToken: string; refreshToken: string };
    return { id: String(account?.id), email, password, accessToken, refreshToken, cookie: cookieOf(browser) };
  }

  signIn(body: object, headers: Record<string, string> = {}): Promise<RawAnswer> {
    const init = { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
    return send(`${this.url}/v1/sessions`, { method: 'POST', ...init });
  }

  refresh(refreshToken: string): Promise<RawAnswer> {
    return sendJson('POST', `${this.url}/v1/sessions/refresh`, JSON.stringify({ refreshToken }));
  }

  /** As a page does; `origin` is that of the service's own pages unless told. */
  refreshCookie(cookie: string, origin: string | undefined = this.url): Promise<RawAnswer> {
    return this.refreshWith({ cookie, origin });
  }

  refreshWith(headers: Record<string, string>, query = ''): Promise<RawAnswer> {
    return send(`${this.url}/v1/sessions/refresh${query}`, { method: 'POST', headers });
  }

  /** What an access token opens. */
  me(token: string, method = 'GET'): Promise<RawAnswer> {
    return sendJson(method, `${this.collection}/me`, undefined, token);
  }

  signOut(token: string): Promise<RawAnswer> {
    return sendJson('DELETE', `${this.url}/v1/sessions/current`, undefined, token);
  }

  changePassword({ accessToken, password }: Victim): Promise<RawAnswer> {
    const change = { currentPassword: password, newPassword: `${password} indeed` };
    return sendJson('PUT', `${this.collection}/me/password`, JSON.stringify(change), accessToken);
  }

  async judge(id: string, verdict: 'suspend' | 'reinstate'): Promise<RawAnswer> {
    const token = await this.platform.operatorToken();
    return sendJson('POST', `${this.collection}/${id}/${verdict}`, undefined, token);
  }
}

export const cookieOf = (answer: RawAnswer) => answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';

export interface SessionAttack {
  /** The attempt that must fail, after whatever has to have happened before. */
  attempt: (accounts: Accounts, victim: Victim) => Promise<RawAnswer>;
  refused: `${400 | 401 | 403 | 404} ${string}`;
  /** Whether the victim's own tokens and cookie are good for anything afterwards. */
  leaves: 'both sessions' | 'the client' | 'the browser' | 'nothing';
}

const rotated = (text: string) => (text.endsWith('A') ? `${text.slice(0, -1)}B` : `${text.slice(0, -1)}A`);

/** What would have to succeed for somebody to have another's session, or to keep one that is over. */
export const SESSION_ATTACKS: Record<string, SessionAttack> = {
  'a used refresh token, after its successor was used': {
    attempt: async (accounts, { refreshToken }) => {
      const { json } = await accounts.refresh(refreshToken);
      await accounts.refresh(String(json?.refreshToken));
      return accounts.refresh(refreshToken);
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'the browser' },
  },
  'a used cookie, after its successor was used': {
    attempt: async (accounts, { cookie }) => {
      await accounts.refreshCookie(cookieOf(await accounts.refreshCookie(cookie)));
      return accounts.refreshCookie(cookie);
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'the client' },
  },
  'a refresh token after its session was signed out': {
    attempt: async (accounts, { accessToken, refreshToken }) => {
      await accounts.signOut(accessToken);
      return accounts.refresh(refreshToken);
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'the browser' },
  },
  'an access token after its session was signed out': {
    attempt: async (accounts, { accessToken }) => {
      await accounts.signOut(accessToken);
      return accounts.me(accessToken);
    },
    ...{ refused: '401 TOKEN_INVALID', leaves: 'the browser' },
  },
  'a refresh token of another session after the password was changed': {
    attempt: async (accounts, victim) => {
      const { json } = await accounts.signIn({ email: victim.email, password: victim.password });
      await accounts.changePassword(victim);
      return accounts.refresh(String(json?.refreshToken));
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'the client' },
  },
  'a cookie after the password was changed elsewhere': {
    attempt: async (accounts, victim) => {
      await accounts.changePassword(victim);
      return accounts.refreshCookie(victim.cookie);
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'the client' },
  },
  'a refresh token of somebody who is suspended': {
    attempt: async (accounts, { id, refreshToken }) => {
      await accounts.judge(id, 'suspend');
      return accounts.refresh(refreshToken);
    },
    ...{ refused: '403 ACCOUNT_SUSPENDED', leaves: 'nothing' },
  },
  'a refresh token from before a suspension, after it': {
    attempt: async (accounts, { id, refreshToken }) => {
      await accounts.judge(id, 'suspend');
      await accounts.judge(id, 'reinstate');
      return accounts.refresh(refreshToken);
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'nothing' },
  },
  'a refresh token of an account that was erased': {
    attempt: async (accounts, { accessToken, refreshToken }) => {
      await accounts.me(accessToken, 'DELETE');
      return accounts.refresh(refreshToken);
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'nothing' },
  },
  "the other service's refresh token": {
    attempt: async (accounts) => accounts.refresh((await accounts.other.victim()).refreshToken),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  "the other service's cookie": {
    attempt: async (accounts) => accounts.refreshCookie((await accounts.other.victim()).cookie),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  "the other service's cookie under this one's name": {
    attempt: async (accounts, { cookie }) => {
      const [name] = cookie.split('=');
      const foreign = (await accounts.other.victim()).cookie.split('=')[1];
      return accounts.refreshCookie(`${name}=${foreign}`);
    },
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  "a session ended with the other service's access token": {
    attempt: async (accounts) => accounts.signOut((await accounts.other.victim()).accessToken),
    ...{ refused: '401 TOKEN_INVALID', leaves: 'both sessions' },
  },
  'an access token as a refresh token': {
    attempt: (accounts, { accessToken }) => accounts.refresh(accessToken),
    ...{ refused: '400 REQUEST_INVALID', leaves: 'both sessions' },
  },
  'an access token in the cookie': {
    attempt: (accounts, { accessToken, cookie }) => accounts.refreshCookie(`${cookie.split('=')[0]}=${accessToken}`),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  'a refresh token as an access token': {
    attempt: (accounts, { refreshToken }) => accounts.me(refreshToken),
    ...{ refused: '401 TOKEN_INVALID', leaves: 'both sessions' },
  },
  'a cookie instead of an access token': {
    attempt: ({ collection, url }, { cookie }) => send(`${collection}/me`, { headers: { cookie, origin: url } }),
    ...{ refused: '401 TOKEN_MISSING', leaves: 'both sessions' },
  },
  'a refresh token in the query': {
    attempt: (accounts, { refreshToken }) => accounts.refreshWith({}, `?refreshToken=${refreshToken}`),
    ...{ refused: '400 REQUEST_INVALID', leaves: 'both sessions' },
  },
  'a refresh token in the Authorization header': {
    attempt: (accounts, { refreshToken }) => accounts.refreshWith({ authorization: `Bearer ${refreshToken}` }),
    ...{ refused: '400 REQUEST_INVALID', leaves: 'both sessions' },
  },
  'a truncated refresh token': {
    attempt: (accounts, { refreshToken }) => accounts.refresh(refreshToken.slice(0, -1)),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  'a refresh token with another last character': {
    attempt: (accounts, { refreshToken }) => accounts.refresh(rotated(refreshToken)),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  'a refresh token with padding': {
    attempt: (accounts, { refreshToken }) => accounts.refresh(`${refreshToken}=`),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  'a truncated cookie': {
    attempt: (accounts, { cookie }) => accounts.refreshCookie(cookie.slice(0, -1)),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  'two cookies of one name': {
    attempt: (accounts, { cookie }) => accounts.refreshCookie(`${cookie}; ${rotated(cookie)}`),
    ...{ refused: '401 REFRESH_TOKEN_INVALID', leaves: 'both sessions' },
  },
  'a cookie without Origin': {
    attempt: (accounts, { cookie }) => accounts.refreshWith({ cookie }),
    ...{ refused: '403 ORIGIN_FORBIDDEN', leaves: 'both sessions' },
  },
  "a cookie sent by another site's page": {
    attempt: (accounts, { cookie }) => accounts.refreshCookie(cookie, 'https://evil.example'),
    ...{ refused: '403 ORIGIN_FORBIDDEN', leaves: 'both sessions' },
  },
  'a cookie sent by a page of the same host, on another port': {
    attempt: (accounts, { cookie }) => accounts.refreshCookie(cookie, 'http://127.0.0.1:1'),
    ...{ refused: '403 ORIGIN_FORBIDDEN', leaves: 'both sessions' },
  },
  'a cookie sent by a sandboxed page': {
    attempt: (accounts, { cookie }) => accounts.refreshCookie(cookie, 'null'),
    ...{ refused: '403 ORIGIN_FORBIDDEN', leaves: 'both sessions' },
  },
  "a sign-in by another site's page, to an account of its choice": {
    attempt: (accounts, { email, password }) =>
      accounts.signIn({ email, password }, { 'session-mode': 'cookie', origin: 'https://evil.example' }),
    ...{ refused: '403 ORIGIN_FORBIDDEN', leaves: 'both sessions' },
  },
  'a session chosen by who signs in': {
    attempt: (accounts, { email, password }) => accounts.signIn({ email, password, sessionId: crypto.randomUUID() }),
    ...{ refused: '400 REQUEST_INVALID', leaves: 'both sessions' },
  },
};

/** How the session of the victim's access token ends. */
export const ENDINGS: Record<string, (accounts: Accounts, victim: Victim) => Promise<unknown>> = {
  'it is signed out': (accounts, { accessToken }) => accounts.signOut(accessToken),
  'the password is changed in another session': async (accounts, victim) => {
    const { email, password } = victim;
    const { json } = await accounts.signIn({ email, password });
    return accounts.changePassword({ ...victim, accessToken: String(json?.accessToken) });
  },
  'the account is suspended': (accounts, { id }) => accounts.judge(id, 'suspend'),
  'the account is erased': (accounts, { accessToken }) => accounts.me(accessToken, 'DELETE'),
  'its refresh token is used again': async (accounts, { refreshToken }) => {
    const { json } = await accounts.refresh(refreshToken);
    await accounts.refresh(String(json?.refreshToken));
    return accounts.refresh(refreshToken);
  },
};
