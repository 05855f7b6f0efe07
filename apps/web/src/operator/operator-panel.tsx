import { useState } from 'react';
import { Button, Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { usePageConfig } from '../page-config.ts';
import { CityPanel } from './city-panel.tsx';
import { DeadLettersPanel } from './dead-letters-panel.tsx';
import { FaultsPanel } from './faults-panel.tsx';
import type { Fleet } from './fleet.ts';
import { useOperatorApi } from './operator-api.ts';
import { SecurityPanel } from './security-panel.tsx';
import { ServicesPanel } from './services-panel.tsx';
import { TripsPanel } from './trips-panel.tsx';
import { useServices } from './watch.ts';

interface OperatorPanelProps {
  fleet: Fleet;
  hasHexagons: boolean;
  setHasHexagons: (has: boolean) => void;
  chosen: string | null;
  setChosen: (tripId: string | null) => void;
}

const TABS = { city: 'City', services: 'Services', trips: 'Trips', letters: 'Dead letters', security: 'Security' };

/** Everything beside the map. What is open stands in the address, so that a reload opens it again. */
export function OperatorPanel({ fleet, hasHexagons, setHasHexagons, chosen, setChosen }: OperatorPanelProps) {
  const { isLocal } = usePageConfig();
  const { session } = useOperatorApi();
  const watched = useServices();
  const canBreak = isLocal && watched.some(({ status }) => status?.faultSwitches === 'on');
  const [open, setOpen] = useState(() => location.hash.slice(1) || 'city');
  const tabs = Object.entries({ ...TABS, ...(isLocal ? { faults: 'Break things' } : {}) });
  const deadLetters = watched.reduce((sum, { status }) => sum + (status?.deadLetters ?? 0), 0);
  const show = (tab: string) => {
    setOpen(tab);
    history.replaceState(null, '', `#${tab}`);
  };
  return (
    <>
      <div className="row">
        <h1>The city</h1>
        <Button className="button plain" onPress={() => session.signOut()}>
          Sign out
        </Button>
      </div>
      <Tabs
        className="operator-tabs"
        selectedKey={tabs.some(([id]) => id === open) ? open : 'city'}
        onSelectionChange={(key) => show(String(key))}
      >
        <TabList className="tabs wrap" aria-label="What to look at">
          {tabs.map(([id, name]) => (
            <Tab key={id} id={id} className="tab">
              {name}
              {id === 'letters' && deadLetters > 0 && <span className="count"> {deadLetters}</span>}
            </Tab>
          ))}
        </TabList>
        <TabPanel id="city" className="stack">
          <CityPanel {...{ fleet, hasHexagons, setHasHexagons }} />
        </TabPanel>
        <TabPanel id="services" className="stack">
          <ServicesPanel watched={watched} />
        </TabPanel>
        <TabPanel id="trips" className="stack">
          <TripsPanel chosen={chosen} setChosen={setChosen} />
        </TabPanel>
        <TabPanel id="letters" className="stack">
          <DeadLettersPanel />
        </TabPanel>
        <TabPanel id="security" className="stack">
          <SecurityPanel />
        </TabPanel>
        {isLocal && (
          <TabPanel id="faults" className="stack">
            <FaultsPanel watched={watched} canBreak={canBreak} onLetters={() => show('letters')} />
          </TabPanel>
        )}
      </Tabs>
    </>
  );
}
