import { disagreements, type Knowledge } from './agreement.ts';

const [trip, driver, passenger] = ['trip', 'driver', 'passenger'];

/** One trip under way, of which the three services know the same. */
function agreed(): Knowledge {
  return {
    trips: new Map([[trip, { id: trip, status: 'accepted', driver_id: driver, passenger_id: passenger }]]),
    dispatches: [{ trip_id: trip, status: 'accepted' }],
    offers: [{ id: 'offer', trip_id: trip, driver_id: driver, status: 'accepted' }],
    reservations: [{ driver_id: driver, reserved_trip_id: trip, reserved_as: 'trip' }],
    passengerTrips: [{ trip_id: trip, under_way: true }],
    deadLetters: 0,
  };
}

function setTrip(knowledge: Knowledge, changes: { status?: string; driver_id?: string | null }): void {
  const row = knowledge.trips.get(trip);
  if (row) Object.assign(row, changes);
}

it('is content when all know the same', () => {
  expect(disagreements(agreed())).toEqual([]);
});

// Each breaks one promise, so that a check that sees nothing is seen.
it.each<[broken: string, tamper: (knowledge: Knowledge) => void, complaint: RegExp]>([
  ['a driver reserved for a trip that is over', (k) => setTrip(k, { status: 'cancelled' }), /is reserved for trip/],
  ['a driver reserved for another driver’s trip', (k) => setTrip(k, { driver_id: 'other' }), /somebody else's trip/],
  ['a driver on a trip who is not reserved', (k) => (k.reservations = []), /is not reserved for it/],
  [
    'a reservation without its offer',
    (k) => {
      setTrip(k, { status: 'requested', driver_id: null });
      k.reservations = [{ driver_id: driver, reserved_trip_id: trip, reserved_as: 'offer' }];
    },
    /an offer that is not open/,
  ],
  [
    'two trips of one passenger',
    (k) => k.trips.set('two', { id: 'two', status: 'requested', driver_id: null, passenger_id: passenger }),
    /two active trips/,
  ],
  [
    'two trips of one driver',
    (k) => k.trips.set('two', { id: 'two', status: 'arrived', driver_id: driver, passenger_id: 'other' }),
    /is on two trips/,
  ],
  [
    'two open offers to one driver',
    (k) => ['a', 'b'].forEach((id) => k.offers.push({ id, trip_id: id, driver_id: 'other', status: 'open' })),
    /holds two open offers/,
  ],
  [
    'two standing offers of one trip',
    (k) => k.offers.push({ id: 'two', trip_id: trip, driver_id: 'other', status: 'open' }),
    /two standing offers/,
  ],
  [
    'an offer that outlived its trip',
    (k) => {
      setTrip(k, { status: 'unfulfilled' });
      k.offers = [{ id: 'offer', trip_id: trip, driver_id: 'other', status: 'open' }];
    },
    /is open for a trip that is unfulfilled/,
  ],
  ['a search that goes on', (k) => (k.dispatches = [{ trip_id: trip, status: 'searching' }]), /is searching/],
  [
    'a passenger service that missed something',
    (k) => (k.passengerTrips = [{ trip_id: trip, under_way: false }]),
    /the passenger service is wrong/,
  ],
  ['a dead letter', (k) => (k.deadLetters = 1), /dead letters/],
])('complains of %s', (_, tamper, complaint) => {
  const knowledge = agreed();
  tamper(knowledge);
  expect(disagreements(knowledge).join('\n')).toMatch(complaint);
});
