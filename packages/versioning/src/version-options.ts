import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireObject,
  requireText,
  requireToken,
  wrongOption,
} from '@signalbox/options';
import { Router, type RequestHandler } from 'express';
import type { VersionSources } from './asked-version.js';
import type { MediaTypeVersions } from './media-type.js';
import { requireVersion, requireVersionNames, versionTest } from './version-names.js';

/** What answers for one version: a router, or handlers one after the other. */
export type VersionHandlers = RequestHandler | readonly RequestHandler[];

/** How media types name versions. */
export interface MediaTypeOptions {
  /** Of `application/vnd.acme.v2+json` the part before `.v2`: `application/vnd.acme`. */
  vendor?: string | undefined;
  /**
   * Of `application/json;version=v2` the name of the parameter.
   * @default 'version'
   */
  parameter?: string | undefined;
}

export interface VersionsOptions<Name extends string> {
  /** The version of requests that name none. Without it they are refused with 400 `api_version_required`. */
  default?: Name | undefined;
  /**
   * Whether the first segment of the path names the version: `/v1/search`.
   * @default true
   */
  url?: boolean | undefined;
  /**
   * The header field that names the version, or `false`.
   * @default 'X-API-Version'
   */
  header?: string | false | undefined;
  /**
   * Whether `Accept` and `Content-Type` name the version: `true` for a parameter (`application/json;version=v2`),
   * a text such as `'application/vnd.acme'` for `application/vnd.acme.v2+json`, too.
   * @default false
   */
  mediaType?: boolean | string | MediaTypeOptions | undefined;
  /**
   * The parameter of the query that names the version, or `false`.
   * @default false
   */
  query?: string | false | undefined;
  /**
   * From which version each takes what it does not have itself: `true` for the one before it, `false` for none, or
   * single ones such as `{ v3: 'v1', v2: false }`.
   * @default true
   */
  inherit?: boolean | Readonly<Partial<Record<Name, Name | false>>> | undefined;
  /** Routes that have no version: reached with any, and with none. */
  neutral?: VersionHandlers | undefined;
}

/** One version, with what answers for it. */
export interface Version<Name extends string = string> {
  readonly name: Name;
  /** Its own router, then those it inherits from. */
  readonly routers: readonly RequestHandler[];
  /** These, and last what has no version: without a version in the URL that has been tried before. */
  readonly routersBelowUrl: readonly RequestHandler[];
}

export interface ResolvedVersions<Name extends string> {
  readonly names: readonly Name[];
  readonly versions: readonly Version<Name>[];
  readonly fallback: Version<Name> | undefined;
  readonly url: boolean;
  readonly sources: VersionSources;
  /** The fields that responses depend on where the URL does not tell the version. */
  readonly vary: string;
  readonly isVersion: (text: string) => boolean;
  readonly neutral: RequestHandler | undefined;
}

const OPTIONS = ['default', 'url', 'header', 'mediaType', 'query', 'inherit', 'neutral'];

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveVersions<Name extends string>(
  handlers: Readonly<Record<Name, VersionHandlers>>,
  options: VersionsOptions<Name>,
): ResolvedVersions<Name> {
  requireObject('versions', 'versions', handlers);
  requireObject('versions', 'options', options);
  refuseUnknownOptions('versions', options, OPTIONS);
  const { url = true, header = 'X-API-Version', mediaType = false, query = false, neutral } = options;
  const names = Object.keys(handlers) as Name[];
  requireVersionNames(names);
  if (options.default !== undefined) requireVersion('default', options.default, names);
  requireBoolean('versions', 'url', url);
  if (header !== false) requireToken('versions', 'header', header, 'the name of a header field, or false');
  if (query !== false) requireText('versions', 'query', query);
  if (!url && header === false && mediaType === false && query === false) {
    throw new TypeError('versions: one of "url", "header", "mediaType" and "query" must name the version');
  }

  const own = new Map(names.map((name) => [name, routerOf(`versions.${name}`, handlers[name])]));
  const parents = parentsOf(names, options.inherit ?? true);
  const isVersion = versionTest(names);
  const neutralRouter = neutral === undefined ? undefined : routerOf('neutral', neutral);
  const versions = names.map((name): Version<Name> => {
    const routers = routersOf(name, own, parents);
    return {
      name,
      routers,
      routersBelowUrl: neutralRouter === undefined ? routers : [...routers, neutralRouter],
    };
  });
  return {
    names,
    versions,
    fallback: versions.find(({ name }) => name === options.default),
    url,
    sources: {
      header: header === false ? undefined : header.toLowerCase(),
      mediaType: mediaTypeOf(mediaType, isVersion),
      query: query === false ? undefined : query,
    },
    vary: [
      ...(header === false ? [] : [header]),
      ...(mediaType === false ? [] : ['Accept', 'Content-Type']),
    ].join(', '),
    isVersion,
    neutral: neutralRouter,
  };
}

/** A router, so that what a plain handler throws or rejects with comes back by `next`, as from any other. */
function routerOf(option: string, handlers: VersionHandlers): RequestHandler {
  if (typeof handlers === 'function' && 'stack' in handlers && 'use' in handlers) return handlers;
  const list = [handlers].flat();
  if (list.length === 0) throw wrongOption('versions', option, 'a router or a list of handlers', handlers);
  for (const handler of list) {
    requireFunction('versions', option, handler);
    // An app would put itself in the place of the one above it, whose settings and routes are then not found.
    if ('mountpath' in handler) throw wrongOption('versions', option, 'a Router rather than an app', handler);
  }
  return Router({ mergeParams: true }).use(...list);
}

function parentsOf<Name extends string>(
  names: readonly Name[],
  inherit: boolean | Readonly<Partial<Record<Name, Name | false>>>,
): ReadonlyMap<Name, Name> {
  if (typeof inherit !== 'boolean') {
    requireObject('versions', 'inherit', inherit);
    for (const [name, parent] of Object.entries(inherit)) {
      requireVersion('inherit', name, names);
      if (parent !== false && parent !== undefined) requireVersion(`inherit.${name}`, parent, names);
    }
  }
  const parents = new Map<Name, Name>();
  for (const [index, name] of names.entries()) {
    const before = names[index - 1];
    const given: Name | false | undefined = typeof inherit === 'boolean' ? undefined : inherit[name];
    const parent = inherit === false || given === false ? undefined : (given ?? before);
    if (parent !== undefined) parents.set(name, parent);
  }
  return parents;
}

function routersOf<Name extends string>(
  name: Name,
  own: ReadonlyMap<Name, RequestHandler>,
  parents: ReadonlyMap<Name, Name>,
): readonly RequestHandler[] {
  const way: Name[] = [];
  for (let next: Name | undefined = name; next !== undefined; next = parents.get(next)) {
    if (way.includes(next)) {
      throw new TypeError(`versions: "inherit" must not go in circles, got ${[...way, next].join(' → ')}`);
    }
    way.push(next);
  }
  return way.flatMap((each) => own.get(each) ?? []);
}

function mediaTypeOf(
  mediaType: boolean | string | MediaTypeOptions,
  isVersion: (text: string) => boolean,
): MediaTypeVersions | undefined {
  if (mediaType === false) return undefined;
  const given = mediaType === true ? {} : typeof mediaType === 'string' ? { vendor: mediaType } : mediaType;
  requireObject('versions', 'mediaType', given);
  refuseUnknownOptions('versions: mediaType', given, ['vendor', 'parameter']);
  const { vendor, parameter = 'version' } = given;
  if (vendor !== undefined && !(typeof vendor === 'string' && vendor.split('/').length === 2)) {
    throw wrongOption('versions', 'mediaType', 'a media type such as application/vnd.acme', vendor);
  }
  for (const part of vendor?.split('/') ?? []) {
    requireToken('versions', 'mediaType', part, 'a media type such as application/vnd.acme');
  }
  requireToken('versions', 'mediaType.parameter', parameter, 'the name of a parameter');
  return { vendor: vendor?.toLowerCase(), parameter: parameter.toLowerCase(), isVersion };
}
