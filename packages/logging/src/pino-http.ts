import { createRequire } from 'node:module';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LevelWithSilent, Logger } from 'pino';

/** The options of pino-http that are used here, by its README. */
export interface PinoHttpOptions<Req extends IncomingMessage, Res extends ServerResponse> {
  logger: Logger;
  wrapSerializers: boolean;
  customAttributeKeys: { req: string };
  serializers: Record<string, (value: unknown) => unknown>;
  genReqId: (req: Req, res: Res) => string;
  customLogLevel: (req: Req, res: Res, error?: unknown) => LevelWithSilent;
  customSuccessObject: (req: Req, res: Res) => object;
  customErrorObject: (req: Req, res: Res) => object;
  customSuccessMessage: (req: Req, res: Res) => string;
  customErrorMessage: (req: Req, res: Res) => string;
}

type PinoHttp = <Req extends IncomingMessage, Res extends ServerResponse>(
  options: PinoHttpOptions<Req, Res>,
) => (req: Req, res: Res) => void;

/**
 * Required and not imported: to import it would pull its typings into every program that uses this
 * package, and they declare an `id` on `http.IncomingMessage` that no `req.id: string` agrees with.
 */
export const pinoHttp: PinoHttp = createRequire(import.meta.url)('pino-http') as PinoHttp;
