import type { IncomingMessage } from 'node:http';
import { requireObject } from '@signalbox/options';
import type { Request } from 'express';
import { requireHeaders } from './options.js';
import {
  AUTHORIZATION,
  FORWARDED_FOR,
  PASS,
  removeFields,
  REQUEST_ID,
  requestHeaderTable,
  TRACE,
} from './proxy-header-names.js';

/**
 * Says by the request what is sent in place of what the client sent by these names, such as for whom it asks; `undefined`
 * for a name that is not sent at all.
 */
export type ChooseHeaders = (
  req: IncomingMessage & Partial<Omit<Request, keyof IncomingMessage>>,
) => Readonly<Record<string, string | undefined>>;

/** The others are about the connection or the body, or lead the request back here. */
const MAY_BE_CHOSEN: ReadonlySet<number> = new Set([PASS, AUTHORIZATION, REQUEST_ID, TRACE, FORWARDED_FOR]);

const table = requestHeaderTable([], true, true);

/**
 * Puts what the app has chosen into the fields of a request. Answers its `Authorization`, where it chose one.
 *
 * @throws {TypeError} naming a field that cannot be chosen, or has a value that no field may have
 */
export function putChosen(fields: string[], chosen: unknown): string | undefined {
  const own = requireChosen(chosen);
  const names = new Set(own.map(([name]) => asVariable(name)));
  removeFields(fields, (name) => names.has(asVariable(name)));
  let authorization: string | undefined;
  for (const [name, value] of own) {
    if (value === undefined) continue;
    fields.push(name, value);
    if (name.toLowerCase() === 'authorization') authorization = value;
  }
  return authorization;
}

function requireChosen(chosen: unknown): [name: string, value: string | undefined][] {
  requireObject('proxy', 'headers(req)', chosen);
  const own = Object.entries(chosen as Record<string, string | undefined>);
  requireHeaders('proxy', 'headers(req)', Object.fromEntries(own.filter(([, value]) => value !== undefined)));
  for (const [name] of own) {
    if (!MAY_BE_CHOSEN.has(table.rule(name).action))
      throw new TypeError(`proxy: "headers(req)" must not have ${name}, which is the proxy's to say`);
  }
  return own;
}

/** Behind CGI and WSGI, `X_User_Id` of the client and `X-User-Id` are one variable. */
function asVariable(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}
