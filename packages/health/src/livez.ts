import type { ServerResponse } from 'node:http';
import { sendJson } from './send-json.js';

const ALIVE = '{"status":"alive"}';

/**
 * Liveness: the process takes requests and answers. It is given nothing to ask, and that is the point:
 * were a dependency asked, its outage would have every process killed and restarted.
 */
export function answerLivez(res: ServerResponse): void {
  sendJson(res, 200, ALIVE);
}
