import { createContext, useContext } from 'react';
import type { Point } from '../api/client.ts';
import { useDraft } from '../widgets/use-draft.ts';
import { pointPlace, type Place } from './places.ts';

export type End = 'pickup' | 'dropoff';

interface Ends {
  pickup: Place | null;
  dropoff: Place | null;
  /** Which of them a click on the map sets. */
  next: End;
}

export interface RideDraft extends Ends {
  set: (end: End, place: Place) => void;
  setPoint: (end: End, point: Point) => void;
  choose: (end: End) => void;
  clear: () => void;
}

const NOTHING: Ends = { pickup: null, dropoff: null, next: 'pickup' };

/** Where a passenger wants to go, until a trip is made of it. */
export function useRideDraftState(): RideDraft {
  const [ends, setEnds] = useDraft<Ends>('passenger.ride', NOTHING);
  const set = (end: End, place: Place) =>
    setEnds((known) => {
      const other = end === 'pickup' ? 'dropoff' : 'pickup';
      // What is still missing is what the next click is for.
      return { ...known, [end]: place, next: known[other] === null ? other : end };
    });
  return {
    ...ends,
    set,
    setPoint: (end, point) => set(end, pointPlace(point)),
    choose: (next) => setEnds((known) => ({ ...known, next })),
    clear: () => setEnds(NOTHING),
  };
}

export const RideDraftContext = createContext<RideDraft | null>(null);

export function useRideDraft(): RideDraft {
  const draft = useContext(RideDraftContext);
  if (!draft) throw new Error('there is no ride to plan here');
  return draft;
}
