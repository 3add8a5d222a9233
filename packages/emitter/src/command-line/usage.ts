/** What a shell may tell from the end of the program. */
export const EXIT = {
  ok: 0,
  /** Something nobody thought of. */
  failed: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** Redis could not be reached, or did not answer in time. */
  unavailable: 3,
  /** Redis refused: the password, or the right to publish. */
  refused: 4,
  /** Fewer servers listen than were asked for. */
  unheard: 5,
} as const;

export const USAGE = `signalbox-emit: events into the rooms of Socket.IO servers, through Redis

  signalbox-emit --room alerts --event system_alert --json '{"level":"info","message":"Hello"}'

To whom:
  --room NAME        sockets in this room; again for those in others, too
  --all              everybody in the namespace
  --except NAME      but not those in this room; again for more
  --namespace NAME   by default /

What:
  --event NAME       an event
  --json TEXT        its payload; again for more arguments; - reads it from standard input
  --join NAME        or: they join a room, too
  --leave NAME       or: they leave a room
  --disconnect       or: they leave the namespace; with --close they are disconnected altogether

How:
  --redis URL        by default $REDIS_URL, or redis://127.0.0.1:6379
  --key TEXT         key of the servers' Redis adapter, by default socket.io
  --timeout MS       how long it may take, by default 2000
  --servers N        fail unless at least so many servers listen
  --quiet            print nothing unless it fails
  --help, --version

Exit codes: 0 sent, 2 wrong command line, 3 Redis unavailable, 4 refused by Redis, 5 too few servers, 1 else.
`;
