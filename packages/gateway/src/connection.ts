import { isIP, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { outsideRequests } from '@signalbox/context';
import { Client, type buildConnector, type Dispatcher } from 'undici';
import { hasTracers, preferTracersFields } from './tracers-fields.js';

/** Who reads an answer, or sends a body: is told by which connection, before anything of it comes or goes. */
export interface ConnectionUser {
  connection: Connection | undefined;
}

const unconnected = new WeakSet<object>();

/** Whether it kept a connection from being made, of TLS where that is spoken: no request can have arrived by it. */
export function isOfConnecting(error: unknown): boolean {
  return typeof error === 'object' && error !== null && unconnected.has(error);
}

/** What a connection's socket looks at. */
interface Hold {
  socket: Socket | undefined;
  isHeld: boolean;
}

/**
 * A connection to a server, from which nothing more is read while its reader has enough, and whose reset is an error.
 *
 * undici can be told to wait, which stops its parser. When the server closes meanwhile, undici 7 ends the process by
 * an assertion that nobody can catch (nodejs/undici#5360). A socket that seems to have nothing to read does
 * as well, and the parser hears nothing of it.
 */
export class Connection extends Client {
  /** Of the socket there is now. Another one follows where it closes, or becomes a tunnel and lives on. */
  private readonly present: { hold: Hold; sendsStreams: boolean };

  /** @param serverName whom the certificate has to name, whatever a request's Host says */
  constructor(origin: URL, { connect, ...options }: Client.Options, serverName?: string) {
    if (typeof connect !== 'function') throw new TypeError('Connection: "connect" must be a function');
    const present: Connection['present'] = {
      hold: { socket: undefined, isHeld: false },
      sendsStreams: false,
    };
    super(origin, {
      ...options,
      connect(to, callback) {
        // As long as it is open, it would hold the request in memory that happened to need it first.
        outsideRequests(() =>
          connect(named(to, serverName), (...[error, socket]) => {
            // undici leaves the second out where there is a first.
            if (error !== null) {
              unconnected.add(error);
              callback(error, null);
              return;
            }
            present.hold = { socket, isHeld: false };
            if (present.sendsStreams) readBeforeFailing(socket);
            callback(null, holdable(socket, present.hold));
          }),
        );
      },
    });
    this.present = present;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (isUser(handler)) handler.connection = this;
    if (isUser(options)) options.connection = this;
    if (isUser(options.body)) options.body.connection = this;
    const { present } = this;
    if (!present.sendsStreams && options.body instanceof Readable) {
      present.sendsStreams = true;
      if (present.hold.socket !== undefined) readBeforeFailing(present.hold.socket);
    }
    if (!hasTracers()) return super.dispatch(options, handler);
    const end = preferTracersFields(options.headers);
    try {
      return super.dispatch(options, handler);
    } finally {
      end();
    }
  }

  /** Its socket, once there is one. */
  get socket(): Socket | undefined {
    return this.present.hold.socket;
  }

  /** What the socket takes in until it is full is all that comes. */
  stopReading(): void {
    this.present.hold.isHeld = true;
  }

  /** Reads what has come, but not before the caller is done: it may be the parser's. */
  goOnReading(): void {
    const { hold } = this.present;
    if (!hold.isHeld) return;
    hold.isHeld = false;
    process.nextTick(readOn, hold);
  }
}

/** An address has no place in SNI (RFC 6066 section 3): without a name, the certificate has to have that of the connection. */
function named(to: buildConnector.Options, serverName: string | undefined): buildConnector.Options {
  const { servername: ofRequest, ...rest } = to;
  const servername = serverName ?? ofRequest ?? '';
  return servername === '' || isIP(servername) !== 0 ? rest : { ...rest, servername };
}

function holdable(socket: Socket, hold: Hold): Socket {
  const read = socket.read.bind(socket);
  // Here from the beginning: a property that comes and goes makes all the others slow.
  socket.read = (size) => (hold.isHeld ? null : (read(size) as unknown));
  socket.on('error', nameReset);
  return socket;
}

/**
 * A server may answer before it has all of a body, and close. The next write then fails at once, and would destroy the
 * socket with the answer in it that nobody has read.
 */
function readBeforeFailing(socket: Socket): void {
  for (const name of ['_write', '_writev'] as const) {
    const write = Reflect.get(socket, name) as (...args: unknown[]) => void;
    Reflect.set(socket, name, (...args: unknown[]) => {
      const callback = args.pop() as (error?: Error | null) => void;
      const written = (error?: Error | null): void => {
        if (error instanceof Error) onceRead(socket, () => callback(error));
        else callback(error);
      };
      Reflect.apply(write, socket, [...args, written]);
    });
  }
}

/** What has come is there at once; nobody waits for a server that has left without a word. */
const REST_MS = 1_000;

function onceRead(socket: Socket, then: () => void): void {
  if (socket.destroyed) {
    then();
    return;
  }
  const over = (): void => {
    clearTimeout(timer);
    socket.off('end', over).off('close', over);
    then();
  };
  const timer = setTimeout(over, REST_MS).unref();
  socket.on('end', over).on('close', over);
}

/**
 * A body that lasts until the connection closes is cut when that is reset (RFC 9112 section 8). By the usual code,
 * undici takes it for a whole one.
 */
function nameReset(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'ERR_CONNECTION_RESET';
}

function readOn({ socket, isHeld }: Hold): void {
  if (!isHeld && socket !== undefined && !socket.destroyed) socket.emit('readable');
}

function isUser(party: unknown): party is ConnectionUser {
  return typeof party === 'object' && party !== null && 'connection' in party;
}
