import { BadRequestError, GoneError } from '@signalbox/errors';

/** What a person can be told of a version that is not there. */
export interface VersionDetails {
  supported: readonly string[];
}

/** What a person can be told of a request that names several versions. */
export interface AmbiguousVersionDetails extends VersionDetails {
  /** Where a version was named: `url`, `header`, `accept`, `content-type`, `query`. */
  sources: readonly string[];
}

/** 400 `unsupported_api_version`: there is no such version. */
export class UnsupportedApiVersionError extends BadRequestError {
  declare readonly details: VersionDetails;

  constructor(asked: string, supported: readonly string[]) {
    super(`There is no ${nameOf(asked)} of this API, but ${supported.join(', ')}`, {
      code: 'unsupported_api_version',
      details: { supported } satisfies VersionDetails,
    });
  }
}

/** 400 `ambiguous_api_version`: the request names versions that contradict each other. */
export class AmbiguousApiVersionError extends BadRequestError {
  declare readonly details: AmbiguousVersionDetails;

  constructor(sources: readonly string[], supported: readonly string[]) {
    const words = sources.length > 1 ? `by ${sources.join(' and ')}` : `in its ${sources.join()}`;
    super(`The request names different versions ${words}; name one of ${supported.join(', ')}`, {
      code: 'ambiguous_api_version',
      details: { sources, supported } satisfies AmbiguousVersionDetails,
    });
  }
}

/** 400 `api_version_required`: the request names no version, and there is no default. */
export class ApiVersionRequiredError extends BadRequestError {
  declare readonly details: VersionDetails;

  constructor(supported: readonly string[]) {
    super(`The request must name a version of this API: ${supported.join(', ')}`, {
      code: 'api_version_required',
      details: { supported } satisfies VersionDetails,
    });
  }
}

/** Where somebody finds what comes after. */
export interface GoneDetails {
  sunset: string;
  successor?: string | undefined;
  deprecation?: string | undefined;
}

/** 410 `api_version_gone`: it was deprecated, and its sunset is over. */
export class ApiVersionGoneError extends GoneError {
  declare readonly details: GoneDetails;

  constructor(details: GoneDetails) {
    const successor = details.successor === undefined ? '' : `; use ${details.successor}`;
    super(`This was switched off on ${details.sunset.slice(0, 10)}${successor}`, {
      code: 'api_version_gone',
      details,
    });
  }
}

/** Nothing of what somebody sent is repeated to them unless it could be a version. */
function nameOf(asked: string): string {
  return /^[\w.-]{1,40}$/.test(asked) ? `version "${asked}"` : 'such version';
}
