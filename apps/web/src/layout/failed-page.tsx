import { Button } from 'react-aria-components';

/** In the place of a page that failed; the way to the others stays. */
export function FailedPage() {
  return (
    <div className="page-note" role="alert">
      <h1>This page could not be shown</h1>
      <p>Cabstand cannot be reached, or something went wrong on the page itself.</p>
      <p>
        <Button className="button" onPress={() => location.reload()}>
          Try again
        </Button>
      </p>
    </div>
  );
}
