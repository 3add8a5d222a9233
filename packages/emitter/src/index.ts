export { EmitterQueueFullError } from './errors.js';
export { externalEmitter } from './external-emitter.js';
export { pythonEvents } from './python-events.js';

export type {
  AlertLevel,
  AnyEvents,
  EventArguments,
  EventName,
  SearchStatus,
  SearchStatusEvent,
  StandardEvents,
  SystemAlertEvent,
} from './events.js';
export type { EmitterReport, ExternalEmitter } from './external-emitter.js';
export type { NamespaceEmitter, SearchStatusDetails, SystemAlertOptions } from './namespace.js';
export type { ExternalEmitterOptions, QueueOptions } from './options.js';
export type { EmitReceipt, OutboxReport } from './outbox.js';
export type { LocalSockets, PythonEvents, PythonEventsOptions, SocketServer } from './python-events.js';
export type { DisconnectOptions, EmitTarget, Rooms } from './target.js';
