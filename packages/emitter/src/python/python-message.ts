import { plainArguments } from '../payload.js';
import { Tuple, unpickle } from './unpickle.js';

/** What python-socketio says to the servers. */
export type PythonMessage =
  | {
      readonly method: 'emit';
      readonly namespace: string;
      /** `undefined`: everybody. */
      readonly rooms: readonly string[] | undefined;
      readonly except: readonly string[];
      readonly event: string;
      readonly args: readonly unknown[];
    }
  | { readonly method: 'disconnect'; readonly namespace: string; readonly sid: string }
  | { readonly method: 'close_room'; readonly namespace: string; readonly room: string }
  | {
      readonly method: 'enter_room' | 'leave_room';
      readonly namespace: string;
      readonly sid: string;
      readonly room: string;
    };

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a message of python-socketio: a pickle up to 5.13, JSON from 5.14 on.
 *
 * @returns `undefined` for what is nothing to us, such as answers to callbacks
 * @throws {TypeError} when it is none
 */
export function readPythonMessage(bytes: Buffer, maxBytes: number): PythonMessage | undefined {
  if (bytes.length > maxBytes) throw new TypeError(`a message must be at most ${maxBytes} bytes`);
  const isJson = bytes[0] === 0x7b;
  const fields: unknown = isJson ? JSON.parse(bytes.toString('utf8')) : unpickle(bytes);
  if (typeof fields !== 'object' || fields === null) throw new TypeError('a message must be a dict');
  return messageOf(fields as Fields, maxBytes);
}

function messageOf(fields: Fields, maxBytes: number): PythonMessage | undefined {
  const namespace = isNone(fields['namespace']) ? '/' : textOf(fields, 'namespace');
  const { method } = fields;
  switch (method) {
    case 'emit':
      return {
        method,
        namespace,
        rooms: namesOf(fields, 'room'),
        except: namesOf(fields, 'skip_sid') ?? [],
        event: textOf(fields, 'event'),
        args: plainArguments(argumentsOf(fields), maxBytes),
      };
    case 'disconnect':
      return { method, namespace, sid: textOf(fields, 'sid') };
    case 'close_room':
      return { method, namespace, room: textOf(fields, 'room') };
    case 'enter_room':
    case 'leave_room':
      return { method, namespace, sid: textOf(fields, 'sid'), room: textOf(fields, 'room') };
    default:
      return undefined;
  }
}

/** What follows the event's name. A tuple is several arguments, and None is none. */
function argumentsOf({ data, binary }: Fields): readonly unknown[] {
  if (data instanceof Tuple) return data.items;
  // As JSON, the data is a list of the arguments; with bytes, one of that list and of the bytes.
  if (binary === true && Array.isArray(data)) return withBytes(data[0], data.slice(1));
  if (binary !== undefined && Array.isArray(data)) return data.length === 1 && isNone(data[0]) ? [] : data;
  return isNone(data) ? [] : [data];
}

function isNone(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Puts the bytes, which come as base64, where their placeholders stand. */
function withBytes(args: unknown, attachments: readonly unknown[]): readonly unknown[] {
  const bytes = attachments.map((each) => Buffer.from(String(each), 'base64'));
  const text = JSON.stringify(args);
  const filled: unknown = JSON.parse(text, (_key, value: unknown) => {
    const isPlaceholder =
      typeof value === 'object' &&
      value !== null &&
      '_placeholder' in value &&
      value._placeholder === true &&
      'num' in value;
    return isPlaceholder ? (bytes[Number(value.num)] ?? null) : value;
  });
  return Array.isArray(filled) ? filled : [filled];
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return String(value);
  throw new TypeError(`"${name}" of a message must be text`);
}

function namesOf(fields: Fields, name: string): readonly string[] | undefined {
  const value = fields[name];
  if (isNone(value)) return undefined;
  const list: readonly unknown[] =
    value instanceof Tuple ? value.items : Array.isArray(value) ? value : [value];
  return list.map((each) => textOf({ [name]: each }, name));
}
