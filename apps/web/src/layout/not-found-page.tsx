import { Link } from 'wouter';

export default function NotFoundPage() {
  return (
    <div className="page-note">
      <h1>There is no such page</h1>
      <p>
        To the <Link href="/">city</Link>, or to <Link href="/ride">take a ride</Link>.
      </p>
    </div>
  );
}
