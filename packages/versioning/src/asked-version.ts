import type { HttpError } from '@signalbox/errors';
import type { Request } from 'express';
import { AmbiguousApiVersionError, ApiVersionRequiredError, UnsupportedApiVersionError } from './errors.js';
import { versionsInMediaTypes, type MediaTypeVersions } from './media-type.js';

/** Where requests name their version, besides the URL. */
export interface VersionSources {
  /** A header field, in lower case. */
  readonly header: string | undefined;
  readonly mediaType: MediaTypeVersions | undefined;
  /** A parameter of the query. */
  readonly query: string | undefined;
}

/** What one place says: a version, or several that do not go together. */
interface Claim {
  readonly source: string;
  readonly versions: readonly string[];
}

/**
 * Finds the version that a request asks for, or the refusal.
 *
 * @param byName all versions by their names in lower case
 * @param fallback what a request gets that names none
 */
export function versionFinder<Version>(
  byName: ReadonlyMap<string, Version>,
  supported: readonly string[],
  fallback: Version | undefined,
  { header, mediaType, query }: VersionSources,
): (req: Request, inUrl: string | undefined) => Version | HttpError {
  const hasHeaderOnly = mediaType === undefined && query === undefined;

  function find(text: string): Version | HttpError {
    return byName.get(text) ?? new UnsupportedApiVersionError(text, supported);
  }

  function findAmong(claims: readonly Claim[], accepted: readonly string[]): Version | HttpError {
    const named = new Set(claims.flatMap(({ versions }) => versions));
    const [first] = named;
    if (first === undefined) {
      // A client that accepts several gets the one it likes best of those there are.
      const [favourite] = accepted;
      if (favourite === undefined) return fallback ?? new ApiVersionRequiredError(supported);
      return find(accepted.find((version) => byName.has(version)) ?? favourite);
    }
    const contradictsAccept = accepted.length > 0 && !accepted.includes(first);
    if (named.size === 1 && !contradictsAccept) return find(first);

    const sources = claims.map(({ source }) => source);
    if (contradictsAccept) sources.push('accept');
    return new AmbiguousApiVersionError(sources, supported);
  }

  return function findVersion(req, inUrl) {
    const inHeader = header === undefined ? undefined : req.headers[header];
    if (hasHeaderOnly && (inHeader === undefined || inHeader === '')) {
      if (inUrl !== undefined) return find(inUrl);
      return fallback ?? new ApiVersionRequiredError(supported);
    }

    const claims: Claim[] = [];
    if (inUrl !== undefined) claims.push({ source: 'url', versions: [inUrl] });
    if (inHeader !== undefined) claim(claims, 'header', String(inHeader).split(','));
    let accepted: readonly string[] = [];
    if (mediaType !== undefined) {
      const { accept, 'content-type': contentType } = req.headers;
      if (accept !== undefined) accepted = versionsInMediaTypes(accept, mediaType);
      if (contentType !== undefined) {
        claim(claims, 'content-type', versionsInMediaTypes(contentType, mediaType));
      }
    }
    if (query !== undefined) claim(claims, 'query', inQuery(req.url, query));
    return findAmong(claims, accepted);
  };
}

/** A field that came twice is a list (RFC 9110 section 5.3); one without a value says nothing. */
function claim(claims: Claim[], source: string, texts: readonly string[]): void {
  const versions = texts.map((text) => text.trim().toLowerCase()).filter((text) => text !== '');
  if (versions.length > 0) claims.push({ source, versions });
}

/** Not by `req.query`, which is what the app's query parser makes of it, and made anew at each look. */
function inQuery(url: string, name: string): readonly string[] {
  const start = url.indexOf('?');
  return start === -1 ? [] : new URLSearchParams(url.slice(start)).getAll(name);
}
