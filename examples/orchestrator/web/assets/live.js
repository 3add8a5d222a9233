import { searchErrorOf, SearchError } from './api.js';

/** Where the server has the client that fits it. */
const CLIENT = '/socket.io/socket.io.esm.min.js';

/** How long a search is waited for that tells nothing any more. */
const PATIENCE_MS = 30_000;

/** When to come back to a server that cannot know at the moment who it is. */
const AGAIN_MS = 3_000;

/**
 * The connection by which the server tells of things as they happen.
 *
 * @param onState told `live`, `reconnecting` or `offline` whenever that changes
 * @param onAlert told of what operators announce
 * @param onStatus told how far work in the background is
 * @param onEnded told when the server has ended or refused it for good, as it does where somebody was signed out
 */
export function liveConnection({ onState, onAlert, onStatus, onEnded }) {
  let socket;
  /** Counts openings and closings: one that was overtaken while it waited is not for anybody any more. */
  let turn = 0;
  /** Searches under way, by their ids. */
  const searches = new Map();

  async function open() {
    turn += 1;
    const mine = turn;
    const { io } = await import(CLIENT);
    if (mine !== turn) return;
    socket = io({ transports: ['websocket', 'polling'], reconnectionDelayMax: 5_000 });
    socket.on('connected', () => {
      onState('live');
      socket.emit('join', { room: 'search_status' });
      // What was told meanwhile is told again, from where it was lost.
      for (const [id, { seq }] of searches) socket.emit('resume', { id, after: seq });
    });
    socket.on('disconnect', (reason) => {
      onState(socket.active ? 'reconnecting' : 'offline');
      if (reason !== 'io server disconnect') return;
      close();
      onEnded();
    });
    socket.on('connect_error', ({ data }) => {
      const isForNow = !socket.active && data?.error?.code >= 500;
      onState(socket.active || isForNow ? 'reconnecting' : 'offline');
      // Socket.IO does not come back by itself to a server that says no.
      if (isForNow) setTimeout(() => mine === turn && socket.connect(), AGAIN_MS);
      else if (!socket.active) onEnded();
    });
    socket.on('system_alert', onAlert);
    socket.on('search_status', onStatus);
    for (const type of ['started', 'progress', 'complete', 'failed']) {
      socket.on(`search_${type}`, (event) => searches.get(event.id)?.tell(type, event));
    }
  }

  function close() {
    turn += 1;
    socket?.close();
    socket = undefined;
    onState('offline');
  }

  /** Resolves to the answer of a search, and tells of its stages until then. */
  async function search(q, onProgress, signal) {
    const { id, error } = await socket
      .timeout(PATIENCE_MS)
      .emitWithAck('search', { q })
      .catch((cause) => {
        throw new SearchError('No connection', 'The server could not be told what to search.', { cause });
      });
    // Something else is shown by now.
    signal.throwIfAborted();
    if (error) throw searchErrorOf(error);
    return new Promise((resolve, reject) => {
      let timer;
      const end = (settle, value) => {
        clearTimeout(timer);
        searches.delete(id);
        signal.removeEventListener('abort', leave);
        settle(value);
      };
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(
          () => end(reject, new SearchError('No answer', 'The search took too long.')),
          PATIENCE_MS,
        );
      };
      const leave = () => end(reject, signal.reason);
      const job = {
        seq: 0,
        tell(type, event) {
          if (event.seq <= job.seq) return;
          job.seq = event.seq;
          wait();
          if (type === 'progress') onProgress(event);
          if (type === 'complete') end(resolve, event);
          if (type === 'failed') end(reject, searchErrorOf(event.error));
        },
      };
      searches.set(id, job);
      signal.addEventListener('abort', leave);
      wait();
      // What came before this was listened to is told again.
      socket.emit('resume', { id, after: 0 });
    });
  }

  return {
    open: () => open().catch(() => onState('offline')),
    close,
    get isLive() {
      return socket?.connected === true;
    },
    async search(q, onProgress, signal) {
      const { results: data, ...rest } = await search(q, onProgress, signal);
      return { ...rest, data, origin: { kind: 'live', ageSeconds: 0 } };
    },
  };
}
