import { cityPlan, Streets } from './streets.ts';
import { distanceM, offset, randomOf } from './world.ts';

const plan = cityPlan();
const streets = new Streets();
const CENTRE = offset(0, 0);

it('is one city, always the same, in which every corner can be reached from every other', () => {
  expect(cityPlan()).toEqual(plan);
  expect(plan.corners.length).toBeGreaterThan(500);
  const far = plan.corners.filter((corner) => distanceM(corner, CENTRE) > 2_500);
  for (const corner of far) expect(streets.way(far[0]!, corner).at(-1)).toEqual(corner);
});

it('leads along streets, and takes no leap', () => {
  const joined = new Set(plan.streets.flatMap(({ from, to }) => [`${from}-${to}`, `${to}-${from}`]));
  const indexOf = new Map(plan.corners.map((corner, index) => [JSON.stringify(corner), index]));
  const random = randomOf(3);
  for (let i = 0; i < 50; i++) {
    const [from, to] = [streets.address(random, 3_000, CENTRE), streets.address(random, 3_000, CENTRE)];
    const way = streets.way(from, to);
    expect(way.at(-1)).toEqual(to);
    const corners = way.slice(0, -1).map((point) => indexOf.get(JSON.stringify(point)));
    corners.slice(1).forEach((corner, index) => expect(joined).toContain(`${corners[index]}-${corner}`));
    // An address lies on a street, so that its corner is not farther than the street is long.
    expect(distanceM(from, way[0]!)).toBeLessThan(400);
    expect(distanceM(way.at(-2)!, to)).toBeLessThan(400);
  }
});

it('crosses the river on boulevards only', () => {
  const inRiver = ({ lat, lng }: { lat: number; lng: number }) => {
    let inside = false;
    plan.river.forEach((a, i) => {
      const b = plan.river[(i + 1) % plan.river.length]!;
      if (a.lat > lat !== b.lat > lat && lng < ((b.lng - a.lng) * (lat - a.lat)) / (b.lat - a.lat) + a.lng)
        inside = !inside;
    });
    return inside;
  };
  expect(plan.corners.filter(inRiver)).toEqual([]);
  const bridges = plan.streets.filter(({ from, to }) => {
    const [a, b] = [plan.corners[from]!, plan.corners[to]!];
    return [0.25, 0.5, 0.75].some((share) =>
      inRiver({ lat: a.lat + (b.lat - a.lat) * share, lng: a.lng + (b.lng - a.lng) * share }),
    );
  });
  expect(bridges.length).toBeGreaterThan(5);
  expect(bridges.filter(({ isBoulevard }) => !isBoulevard)).toEqual([]);
});
