import { useSyncExternalStore } from 'react';
import { Switch } from 'react-aria-components';
import { Notice } from '../widgets/notice.tsx';
import type { Fleet } from './fleet.ts';
import type { Spread } from './operator-api.ts';
import { eventsPerS, useCity, useFigures } from './watch.ts';

interface CityPanelProps {
  fleet: Fleet;
  hasHexagons: boolean;
  setHasHexagons: (has: boolean) => void;
}

const shown = (figure: number | null | undefined, digits = 0): string =>
  figure === null || figure === undefined ? '–' : figure.toFixed(digits);

/** How the city is doing, in numbers. */
export function CityPanel({ fleet, hasHexagons, setHasHexagons }: CityPanelProps) {
  const cabs = useSyncExternalStore(fleet.subscribe, fleet.getCounts);
  const { data: figures, isError } = useFigures();
  const { data: simulated } = useCity();
  const online = cabs.free + cabs.offered + cabs['on-trip'];
  const perMinute = figures && (figures.requested * 60) / figures.windowS;
  const underWay = figures && Object.values(figures.underWay).reduce((sum, count) => sum + count, 0);
  return (
    <>
      {isError && (
        <Notice tone="warn">The trip service is not answering: its figures are those of a moment ago.</Notice>
      )}
      <dl className="figures">
        <Figure name="Drivers online" value={String(online)} />
        <Figure name="Trips under way" value={shown(underWay)} />
        <Figure name="Trips a minute" value={shown(perMinute, 1)} hint="over five minutes" />
        <Figure name="To accept, median" value={`${shown(figures?.medianAcceptS, 1)} s`} hint="over five minutes" />
        <Figure name="No driver found" value={shown(figures?.unfulfilled)} hint="in five minutes" />
        <Figure name="Events a second" value={shown(eventsPerS(), 1)} hint="confirmed by RabbitMQ" />
        {simulated && (
          <>
            <Took name="Request → offer" times={simulated.requestToOfferMs} />
            <Took name="Offer → accept" times={simulated.offerToAcceptMs} />
          </>
        )}
      </dl>
      <h2>Drivers</h2>
      <ul className="legend">
        <li data-cab="free">
          {cabs.free} <span>free</span>
        </li>
        <li data-cab="offered">
          {cabs.offered} <span>offered a trip</span>
        </li>
        <li data-cab="on-trip">
          {cabs['on-trip']} <span>on a trip</span>
        </li>
      </ul>
      <Switch className="switch" isSelected={hasHexagons} onChange={setHasHexagons}>
        <span className="switch-track" aria-hidden="true" />
        Supply and demand by area
      </Switch>
      <p className="hint">
        Green areas have free drivers, purple ones more passengers who wait. Pickups and dropoffs are shown to about a
        kilometre.
      </p>
      {figures && online === 0 && (
        <Notice>
          No driver is online. Start one at <a href="/drive">/drive</a>, or a simulated city with <code>npm start</code>
          .
        </Notice>
      )}
    </>
  );
}

/** As the simulated city's phones saw it. */
function Took({ name, times }: { name: string; times: Spread | null }) {
  return <Figure name={name} value={`${shown(times?.p50)} ms`} hint={`median; p99 ${shown(times?.p99)} ms`} />;
}

function Figure({ name, value, hint }: { name: string; value: string; hint?: string }) {
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>
        <strong className="numbers">{value}</strong>
        {hint && <span className="hint">{hint}</span>}
      </dd>
    </div>
  );
}
