import { Button, Label, ListBox, ListBoxItem, Popover, Select, SelectValue } from 'react-aria-components';
import { PLACES, type Place } from './places.ts';

interface PlaceFieldProps {
  label: string;
  kind: 'pickup' | 'dropoff';
  place: Place | null;
  onChoose: (place: Place) => void;
  onTakeCentre: () => void;
}

/** A place by name, or the middle of the map: all that a pointer can do, without one. */
export function PlaceField({ label, kind, place, onChoose, onTakeCentre }: PlaceFieldProps) {
  const known = PLACES.find(({ name }) => name === place?.name);
  const choose = (name: unknown) => {
    const chosen = PLACES.find((each) => each.name === name);
    if (chosen) onChoose(chosen);
  };
  return (
    <div className="place">
      <Select className="field" value={known?.name ?? null} onChange={choose} placeholder="Choose a place">
        <Label className="label">
          <span className={`dot ${kind}`} aria-hidden="true" />
          {label}
        </Label>
        <Button className="select-button">
          <SelectValue>
            {({ defaultChildren }) => (place && !known ? `On the map: ${place.name}` : defaultChildren)}
          </SelectValue>
          <svg viewBox="0 0 24 24" width="18" height="18" className="icon" aria-hidden="true">
            <path d="m6 9 6 6 6-6" />
          </svg>
        </Button>
        <Popover className="popover">
          <ListBox className="options" items={PLACES}>
            {({ name }) => (
              <ListBoxItem id={name} className="option">
                {name}
              </ListBoxItem>
            )}
          </ListBox>
        </Popover>
      </Select>
      <Button className="button" onPress={onTakeCentre} aria-label={`${label}: take the middle of the map`}>
        <svg viewBox="0 0 24 24" width="20" height="20" className="icon" aria-hidden="true">
          <path d="M12 3v4m0 10v4M3 12h4m10 0h4M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z" />
        </svg>
      </Button>
    </div>
  );
}
