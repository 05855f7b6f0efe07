import type { Config } from './config.ts';

type Origins = Pick<Config, 'MAP_STYLE_URL' | 'MAP_ORIGINS' | 'OPERATOR_ISSUER'>;

/**
 * What a page may load: our own files, and what is configured. Nothing inline and nothing evaluated, so that text that
 * somebody managed to get into a page stays text.
 */
export function contentSecurityPolicy({ MAP_STYLE_URL, MAP_ORIGINS, OPERATOR_ISSUER }: Origins): string {
  const map = [MAP_STYLE_URL, ...MAP_ORIGINS].filter((url) => url !== undefined).map((url) => new URL(url).origin);
  const issuer = OPERATOR_ISSUER ? [new URL(OPERATOR_ISSUER).origin] : [];
  const sources: Record<string, string[]> = {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'img-src': ["'self'", 'data:', 'blob:', ...map],
    'connect-src': ["'self'", ...map, ...issuer],
    'worker-src': ["'self'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  };
  return Object.entries(sources)
    .map(([directive, allowed]) => `${directive} ${[...new Set(allowed)].join(' ')}`)
    .join('; ');
}

export const HSTS = 'max-age=31536000';

export const securityHeaders = (config: Origins): Record<string, string> => ({
  'content-security-policy': contentSecurityPolicy(config),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'geolocation=(self), camera=(), microphone=(), payment=()',
});
