/**
 * A process of its own that sends requests as fast as they are answered, over kept-alive connections, for a
 * bounded time: `node load.js URL SECONDS CONNECTIONS HEADERS PATHS`, headers and paths as JSON. Of several paths each
 * connection asks for one after the other, beginning with another one. Prints one line of JSON.
 */
import autocannon from 'autocannon';

const [url = '', seconds = '2', connections = '64', headers = '{}', paths = '[]'] = process.argv.slice(2);
const requests = (JSON.parse(paths) as string[]).map((path) => ({ path }));
let clients = 0;

const result = await autocannon({
  url,
  duration: Number(seconds),
  connections: Number(connections),
  headers: { origin: 'https://app.example.com', ...(JSON.parse(headers) as Record<string, string>) },
  setupClient(client) {
    if (requests.length === 0) return;
    const first = clients++ % requests.length;
    client.setRequests([...requests.slice(first), ...requests.slice(0, first)].map(({ path }) => ({ path })));
  },
});

process.stdout.write(
  `${JSON.stringify({
    requests: result.requests.total,
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    errors: result.errors + result.timeouts,
    statuses: Object.keys(result.statusCodeStats ?? {}),
  })}\n`,
);
