import { originList } from '@signalbox/options';
import type { Request, RequestHandler } from 'express';
import corsPackage from 'cors';
import type { ResolvedRule } from './cors-options.js';
import { originFunctions, type OriginFunction } from './origin-functions.js';
import { recordedFields, type Field } from './recorded-fields.js';

/** A rule, ready to be asked. */
export interface CorsPolicy {
  /** Whether everybody is allowed, and gets the same answer with and without an `Origin`. */
  readonly anyone: boolean;
  judge(origin: string, req: Request): boolean | Promise<boolean>;
  /** What the answer to an allowed origin carries besides `Access-Control-Allow-Origin`. */
  readonly fields: readonly Field[];
  /** cors itself, for preflight requests: they are few, and differ in what they ask for. */
  readonly preflight: RequestHandler;
}

const PROBE = 'https://origin.invalid';
/** Set for each request. */
const OWN = new Set(['access-control-allow-origin', 'vary']);

export function corsPolicy(rule: ResolvedRule, production: boolean, timeoutMs: number): CorsPolicy {
  const listed = rule.origins.filter((entry) => typeof entry !== 'function');
  const list = originList(listed, rule.at, production);
  const functions = originFunctions(
    rule.origins.filter((entry): entry is OriginFunction => typeof entry === 'function'),
    timeoutMs,
  );
  const middleware = corsPackage({
    // `true` reflects the origin: it is asked only about those that the list and the functions allow.
    origin: rule.anyone ? '*' : true,
    methods: [...rule.methods],
    exposedHeaders: [...rule.exposedHeaders],
    credentials: rule.credentials,
    maxAge: rule.maxAgeSeconds,
    optionsSuccessStatus: 204,
    ...(rule.allowedHeaders && { allowedHeaders: [...rule.allowedHeaders] }),
  });
  const recorded = recordedFields(middleware, { origin: PROBE });

  return {
    anyone: rule.anyone,
    judge(origin, req) {
      if (rule.anyone || list.has(origin)) return true;
      return functions.ask(origin, req);
    },
    fields: recorded.filter(([name]) => !OWN.has(name)),
    preflight: middleware,
  };
}

/** Nobody. */
export const CLOSED: CorsPolicy = {
  anyone: false,
  judge: () => false,
  fields: [],
  preflight: (_req, _res, next) => next(),
};
