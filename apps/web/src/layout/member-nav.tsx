import { Link, useLocation } from 'wouter';

/** The parts of a member's page, below the page's own path. */
export function MemberNav({ label, parts }: { label: string; parts: { path: string; name: string }[] }) {
  const [location] = useLocation();
  return (
    <nav aria-label={label} className="tabs">
      {parts.map(({ path, name }) => (
        <Link key={path} href={path} className="tab" aria-current={location === path ? 'page' : undefined}>
          {name}
        </Link>
      ))}
    </nav>
  );
}
