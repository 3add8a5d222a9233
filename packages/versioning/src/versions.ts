import { declareMount, facts } from '@signalbox/context';
import { Router, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { versionFinder } from './asked-version.js';
import { answerOptions, holdAutomaticOptions } from './automatic-options.js';
import { Passage, pathStart } from './passage.js';
import { routeView } from './route-view.js';
import {
  resolveVersions,
  type ResolvedVersions,
  type Version,
  type VersionHandlers,
  type VersionsOptions,
} from './version-options.js';

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- how Express lets its types be augmented
  namespace Express {
    interface Request {
      /** The version that the request asks for, such as `v1`. Set by `versions()`. */
      apiVersion?: string | undefined;
    }
  }
}

/** What {@link versions} returns: a middleware that passes requests on to the routers of their versions. */
export interface Versions<Name extends string> extends RequestHandler {
  /** From the oldest to the newest. */
  readonly names: readonly Name[];
  /** The request's version if it is one of these, as `req.apiVersion` with its type. */
  readonly versionOf: (req: Request) => Name | undefined;
}

/**
 * Serves several versions of an API, each by its own router: `/api/v1/search`, `/api/v2/search`, or `/api/search` with
 * the version in a header field, a media type or the query. What a version does not have, it inherits from the one
 * before it.
 *
 * A request that names several versions which contradict each other is refused with 400 `ambiguous_api_version`, one
 * that names an unknown version with 400 `unsupported_api_version` and the list, one that names none while there is no
 * default with 400 `api_version_required`. A request for which the version has no route is passed on.
 *
 * Where anything but the URL may name the version, the response has `Vary` (RFC 9110 section 12.5.5).
 *
 * @param handlers the versions, from the oldest to the newest
 * @throws {TypeError} when a version or an option is wrong, at construction
 *
 * @example
 * app.use('/api', versions({ v1, v2 }, { default: 'v2' }));
 */
export function versions<const Name extends string>(
  handlers: Readonly<Record<Name, VersionHandlers>>,
  options: VersionsOptions<NoInfer<Name>> = {},
): Versions<Name> {
  const resolved: ResolvedVersions<Name> = resolveVersions<Name>(handlers, options);
  const { names, fallback, url: isInUrl, sources, vary, isVersion, neutral } = resolved;
  const byName = new Map(resolved.versions.map((version) => [version.name.toLowerCase(), version]));
  const triedBefore = neutral === undefined ? [] : [neutral];
  const find = versionFinder<Version<Name>>(byName, names, fallback, sources);
  function serve(
    req: Request,
    res: Response,
    next: NextFunction,
    segment: string,
    start: number,
    allowed?: Set<string>,
  ): void {
    const found = find(req, segment === '' ? undefined : segment.toLowerCase());
    const isRefused = found instanceof Error;
    if ((segment === '' || isRefused) && vary !== '') res.vary(vary);
    if (isRefused && allowed !== undefined) return answerOptions(res, allowed);
    if (isRefused) return next(found);

    req.apiVersion = found.name;
    facts(req).apiVersion = found.name;
    const { routers, routersBelowUrl } = found;
    const passage =
      segment === ''
        ? new Passage(req, res, next, routers, routers.length, req.url, '', triedBefore, allowed)
        : new Passage(
            req,
            res,
            next,
            routersBelowUrl,
            routers.length,
            without(req.url, start, segment),
            `/${segment}`,
          );
    passage.enter();
  }

  function versionsMiddleware(req: Request, res: Response, next: NextFunction): void {
    const start = isInUrl ? pathStart(req.url) : -1;
    if (start !== -1) {
      const segment = firstSegment(req.url, start);
      if (byName.has(segment) || isVersion(segment)) return serve(req, res, next, segment, start);
    }
    if (neutral === undefined) return serve(req, res, next, '', -1);
    const release = req.method === 'OPTIONS' ? holdOptions(req, res, next) : undefined;
    neutral(req, res, (error?: unknown) => {
      release?.();
      if (error) next(error);
      else serve(req, res, next, '', -1);
    });
  }

  /** Routes without a version have some methods of a path, and the version has others. */
  function holdOptions(req: Request, res: Response, next: NextFunction): () => void {
    const { url, baseUrl, params } = req;
    return holdAutomaticOptions(res, (allow) => {
      Object.assign(req, { url, baseUrl, params });
      serve(req, res, next, '', -1, new Set(allow.split(', ')));
    });
  }

  declareMount(versionsMiddleware, mapOf(resolved));
  return Object.assign(versionsMiddleware, {
    names,
    versionOf: (req: Request) => byName.get(req.apiVersion?.toLowerCase() ?? '')?.name,
  });
}

/** Handles nothing: it shows to the walk through an app's routes which templates lead where. */
function mapOf({ versions, fallback, url, neutral }: ResolvedVersions<string>): RequestHandler {
  const map = Router();
  if (neutral !== undefined) map.use(neutral);
  for (const { name, routersBelowUrl } of url ? versions : [])
    map.use(`/${name}`, routeView(routersBelowUrl));
  // Without a version in the URL one template stands for the routes of several.
  const ordered = fallback === undefined ? versions : [fallback, ...versions];
  for (const router of new Set(ordered.flatMap(({ routers }) => routers))) map.use(router);
  return map;
}

function firstSegment(url: string, start: number): string {
  let end = start + 1;
  while (end < url.length && !isSegmentEnd(url.charCodeAt(end))) end += 1;
  return url.slice(start + 1, end);
}

/** A slash or a question mark. */
function isSegmentEnd(code: number): boolean {
  return code === 0x2f || code === 0x3f;
}

/** As Express' routers take their mount path off. */
function without(url: string, start: number, segment: string): string {
  const rest = url.slice(start + 1 + segment.length);
  return url.slice(0, start) + (rest.startsWith('/') ? rest : `/${rest}`);
}
