import { createContext, useContext } from 'react';

/** What the server says of where the pages are; see server/web-server.ts. */
export interface PageConfig {
  /** Null: the built-in style, which needs no network. */
  mapStyleUrl: string | null;
  operator: { issuer: string; clientId: string } | null;
  /** Where a trip's traces are shown, with {tripId} in it; null where nobody has said. */
  tracesUrl: string | null;
  /** Whether there is /api/local: traces and faults on a developer's machine. */
  isLocal: boolean;
}

const PageConfigContext = createContext<PageConfig | null>(null);
export const PageConfigProvider = PageConfigContext.Provider;

export function usePageConfig(): PageConfig {
  const config = useContext(PageConfigContext);
  if (!config) throw new Error('there is no page configuration here');
  return config;
}

export async function fetchPageConfig(): Promise<PageConfig> {
  const response = await fetch('/config.json');
  if (!response.ok) throw new Error(`/config.json answered ${response.status}`);
  return (await response.json()) as PageConfig;
}
