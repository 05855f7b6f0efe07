import type { ReactNode } from 'react';

/** A panel beside the map; on a small screen, below it. */
export function Stage({ map, children }: { map: ReactNode; children: ReactNode }) {
  return (
    <div className="stage">
      <div className="panel">{children}</div>
      <div className="stage-map">{map}</div>
    </div>
  );
}
