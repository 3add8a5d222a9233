// Whether the app is ready for requests: exit code 0 or 1, and a sentence for `docker inspect`.
import { request } from 'node:http';

const { PORT = '8889', SOCKET } = process.env;
const place = SOCKET ? { socketPath: SOCKET } : { host: '127.0.0.1', port: PORT };

const req = request({ ...place, path: '/readyz', timeout: 3_000 }, (res) => {
  res.resume();
  finish(res.statusCode === 200, `/readyz answered ${res.statusCode}`);
});
req.on('timeout', () => finish(false, 'nobody answered /readyz within 3 s'));
req.on('error', (error) => finish(false, `nobody answers: ${error.message}`));
req.end();

function finish(isReady, sentence) {
  process.stdout.write(`${sentence}\n`);
  process.exit(isReady ? 0 : 1);
}
