import fc from 'fast-check';
import { spoilt, valid } from './arbitrary.ts';
import { operationsOf, placesOf, put, undocumented, type JsonSchema, type OpenApi } from './openapi.ts';

const Body: JsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 9 },
    points: { type: 'array', items: { type: 'object', properties: { lat: { type: 'number' } }, required: ['lat'] } },
  },
  required: ['name'],
};
const document = {
  paths: {
    '/v1/things': {
      post: {
        requestBody: { content: { 'application/json': { schema: { anyOf: [Body, { type: 'null' }] } } } },
        responses: {
          200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } },
          204: {},
          400: { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Thing' } } } },
        },
      },
    },
  },
  components: {
    schemas: {
      Thing: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'], additionalProperties: false },
    },
  },
} as unknown as OpenApi;
const [operation] = operationsOf('trip', document);

describe('an answer', () => {
  const json = 'application/json; charset=utf-8';
  it.each([
    ['as documented', { status: 200, contentType: json, text: '{"id":"a"}' }, undefined],
    ['with nothing, as documented', { status: 204, contentType: '', text: '' }, undefined],
    ['of another status', { status: 202, contentType: json, text: '{"id":"a"}' }, /not documented/],
    [
      'of another media type',
      { status: 400, contentType: json, text: '{"id":"a"}' },
      /not as application\/problem\+json/,
    ],
    [
      'with a field too many',
      { status: 200, contentType: json, text: '{"id":"a","passwordHash":"b"}' },
      /another shape/,
    ],
    ['with a field too few', { status: 200, contentType: json, text: '{}' }, /another shape/],
    ['that is cut off', { status: 200, contentType: json, text: '{"id"' }, /not JSON/],
    ['with a body where there is none', { status: 204, contentType: json, text: '{}' }, /has a body/],
  ])('%s', (_, answer, said) => {
    if (said) expect(undocumented(operation!, answer)).toMatch(said);
    else expect(undocumented(operation!, answer)).toBeUndefined();
  });
});

it('a body that may be left out is attacked as one that is there', () => {
  expect(placesOf(operation!.body!).map(({ path }) => path.join('.'))).toEqual([
    '',
    'name',
    'points',
    'points.0',
    'points.0.lat',
  ]);
});

it('puts something else at a place, and leaves the rest', () => {
  const body = { name: 'a', points: [{ lat: 1 }, { lat: 2 }] };
  expect(put(body, ['points', 0, 'lat'], 'x')).toEqual({ name: 'a', points: [{ lat: 'x' }, { lat: 2 }] });
  expect(put(body, [], null)).toBeNull();
  expect(body).toEqual({ name: 'a', points: [{ lat: 1 }, { lat: 2 }] });
});

it('makes bodies that the schema allows, and spoils them in many ways', () => {
  const isValid = (body: unknown) =>
    typeof body === 'object' &&
    body !== null &&
    'name' in body &&
    typeof body.name === 'string' &&
    body.name.length > 0 &&
    body.name.length <= 9;
  fc.assert(fc.property(valid(Body), (body) => void expect(isValid(body)).toBe(true)));
  const bad = fc.sample(spoilt(Body), 500).filter((body) => !isValid(body));
  expect(bad.length).toBeGreaterThan(50);
});
