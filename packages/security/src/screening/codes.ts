import { Buffer } from 'node:buffer';
import { WINDOW } from './scan-windows.js';

/** The characters of a window as numbers: they are read several times as fast as those of a string. */

/** A window may grow as it becomes lower-case, to a double. */
const MOST = 2 * WINDOW;
const codes = new Uint16Array(MOST + 8);
export const CODES: Uint16Array = codes;
const bytes = Buffer.from(codes.buffer, 0, MOST * 2);
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const SHORT = 80;

/** Leaves `text` in `CODES` with zeros behind it, and says how long it is. */
export function readCodes(text: string): number {
  const length = Math.min(text.length, MOST);
  // The call costs as much as a short text.
  if (LITTLE_ENDIAN && length > SHORT) bytes.write(text, 'utf16le');
  else for (let i = 0; i < length; i++) codes[i] = text.charCodeAt(i);
  codes.fill(0, length, length + 8);
  return length;
}
