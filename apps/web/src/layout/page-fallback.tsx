import { Component, type ReactNode } from 'react';

/** A page that fails says so, and leaves the way to the others. */
export class PageFallback extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <div className="page-note" role="alert">
        <h1>This page could not be shown</h1>
        <p>Cabstand cannot be reached, or something went wrong on the page itself.</p>
        <p>
          <a className="button" href={location.pathname}>
            Try again
          </a>
        </p>
      </div>
    );
  }
}
