import { masked } from './mask.ts';

const id = '01980000-0000-7000-8000-000000000001';

it.each<[string, unknown, unknown]>([
  [
    'a profile',
    { driverId: id, firstName: 'Ada', vehicle: { make: 'Cab', model: 'One', colour: 'red', plate: 'B-CS 1' } },
    { driverId: id, firstName: '***', vehicle: { make: 'Cab', model: 'One', colour: 'red', plate: '***' } },
  ],
  [
    'a trip',
    {
      tripId: id,
      pickup: { lat: 52.52437, lng: 13.41053 },
      fareMinor: 1_132,
      currency: 'EUR',
      at: '2026-01-01T00:00:00.000Z',
    },
    {
      tripId: id,
      pickup: { lat: 52.52, lng: 13.41 },
      fareMinor: 1_132,
      currency: 'EUR',
      at: '2026-01-01T00:00:00.000Z',
    },
  ],
  [
    'what is none of ours',
    { phone: 4_930_123, notes: ['Ada', { who: 'Ada' }] },
    { phone: '***', notes: ['***', { who: '***' }] },
  ],
  ['names that are none', { 'ada@example.com': true, '__proto__ x': null }, { '***': null }],
  ['a position in words', { lat: '52.52437, Elm Street 1' }, { lat: '***' }],
  ['an id with something behind it', { tripId: `${id} of Ada` }, { tripId: '***' }],
  ['a bare value', 'Ada', '***'],
  ['what is no value', [null, true], [null, true]],
])('masks %s', (_, message, expected) => {
  expect(masked(message)).toEqual(expected);
});
