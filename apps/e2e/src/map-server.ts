import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const LAND = { type: 'Polygon', coordinates: [[[13, 52], [14, 52], [14, 53], [13, 53], [13, 52]]] }; // prettier-ignore

/** Somebody's map, as pages may load it from elsewhere: a style, which names data beside it. */
export async function startMapServer() {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const style = {
      version: 8,
      sources: { land: { type: 'geojson', data: `${origin()}/land.json` } },
      layers: [{ id: 'land', source: 'land', type: 'fill', paint: { 'fill-color': '#846' } }],
    };
    response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
    response.end(JSON.stringify(url === '/style.json' ? style : LAND));
  });
  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { styleUrl: `${origin()}/style.json`, asked, stop: () => void server.close() };
}
