import type { IncomingMessage, ServerResponse } from 'node:http';

/** A source that depends on the request. The policy is then put together for each response. */
export type SourceFunction = (req: IncomingMessage, res: ServerResponse) => string;

/** Directives by name, in either spelling: `script-src` or `scriptSrc`. `null` takes one out. */
export type Directives = Readonly<Record<string, null | string | readonly (string | SourceFunction)[]>>;

/** Nothing that an API answers is a page; should a browser take it for one, it can do nothing. */
const API: Directives = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Pages that load their own files, and no script or style that stands in the page. */
const HTML: Directives = {
  'default-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
  'img-src': ["'self'", 'data:'],
  'object-src': ["'none'"],
  'script-src-attr': ["'none'"],
};

/** The name under which `Reporting-Endpoints` and `report-to` know the collector. */
export const REPORT_GROUP = 'csp';

export interface PolicyParts {
  profile: 'api' | 'html';
  directives: Directives;
  reportTo: string | undefined;
}

/** The directives of a profile with the user's over them, for helmet. */
export function directivesOf(
  { profile, directives, reportTo }: PolicyParts,
  https: boolean,
): Record<string, string | readonly (string | SourceFunction)[]> {
  const merged = new Map(Object.entries(profile === 'api' ? API : HTML));
  // On plain http every file of the page would be asked for where nobody answers.
  if (https && profile === 'html') merged.set('upgrade-insecure-requests', []);
  if (reportTo !== undefined) {
    // Browsers that know `report-to` ignore `report-uri`; the others know only that.
    merged.set('report-uri', [reportTo]);
    merged.set('report-to', [REPORT_GROUP]);
  }
  for (const [name, sources] of Object.entries(directives)) merged.set(dashed(name), sources);
  const present = [...merged].flatMap(([name, sources]) =>
    sources === null ? [] : [[name, sources] as const],
  );
  return Object.fromEntries(present);
}

/** Whether a source depends on the request. */
export function dependsOnRequest(directives: Directives): boolean {
  return Object.values(directives).some(
    (sources) => Array.isArray(sources) && sources.some((source) => typeof source === 'function'),
  );
}

function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
