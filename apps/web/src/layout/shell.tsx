import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { usePageTitle } from './page-title.ts';
import { ThemeToggle } from './theme-toggle.tsx';

const PAGES = [
  { path: '/', name: 'City' },
  { path: '/ride', name: 'Ride' },
  { path: '/drive', name: 'Drive' },
];

/** What is around every page. */
export function Shell({ children }: { children: ReactNode }) {
  const [location] = useLocation();
  usePageTitle(location);
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <header className="bar">
        <Link href="/" className="brand" aria-label="Cabstand, to the city">
          <img src="/cabstand.svg" alt="" width="28" height="28" />
          <span>Cabstand</span>
        </Link>
        <nav aria-label="Pages" className="pages">
          {PAGES.map(({ path, name }) => (
            <PageLink key={path} path={path} name={name} />
          ))}
        </nav>
        <ThemeToggle />
      </header>
      <main id="main" className="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function PageLink({ path, name }: { path: string; name: string }) {
  const [location] = useLocation();
  const isHere = path === '/' ? location === '/' : location === path || location.startsWith(`${path}/`);
  return (
    <Link href={path} className="page-link" aria-current={isHere ? 'page' : undefined}>
      {name}
    </Link>
  );
}
