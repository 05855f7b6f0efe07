import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const CENTRE = { lat: 52.52, lng: 13.405 };
const SPREAD_DEG = 0.06;
/** As far as a cab gets in a second. */
const STEP_DEG = 0.00015;
const EVERY_MS = 1_000;
const STATUSES = ['free', 'offered', 'on-trip'] as const;

/**
 * Stands in for the driver service: its stream of positions alone, of cabs that all move and all report once a second.
 * What is measured is the page; three services and 500 drivers would use the machine that draws it.
 */
export async function startFleetServer(cabs: number, random: () => number) {
  const fleet = Array.from({ length: cabs }, (_, index) => ({
    driverId: `cab-${index}`,
    status: STATUSES[index % STATUSES.length],
    lat: CENTRE.lat + (random() - 0.5) * SPREAD_DEG,
    lng: CENTRE.lng + (random() - 0.5) * SPREAD_DEG * 1.6,
    direction: random() * 2 * Math.PI,
  }));
  const server = createServer((request, response) => {
    if (!request.url?.startsWith('/v1/drivers/positions')) {
      response.writeHead(503, { 'content-type': 'application/problem+json' }).end('{}');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const tell = () => {
      for (const cab of fleet) {
        cab.lat += Math.cos(cab.direction) * STEP_DEG;
        cab.lng += Math.sin(cab.direction) * STEP_DEG * 1.6;
        const { driverId, status, lat, lng } = cab;
        response.write(`event: position\ndata: ${JSON.stringify({ driverId, status, position: { lat, lng } })}\n\n`);
      }
    };
    tell();
    const timer = setInterval(tell, EVERY_MS);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}
