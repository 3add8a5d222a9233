/** How media types name versions. */
export interface MediaTypeVersions {
  /** Of `application/vnd.acme.v2+json` the part before `.v2`, in lower case. */
  readonly vendor: string | undefined;
  /** Of `application/json;version=v2` the name before `=`, in lower case. */
  readonly parameter: string;
  /** Whether the end of a vendor's type can be a version, and is not something like `.users`. */
  readonly isVersion: (text: string) => boolean;
}

interface Element {
  readonly version: string | undefined;
  readonly quality: number;
}

/** Text that stands between separators; a separator within quotes is part of it. */
const ELEMENTS = /(?:"(?:\\.|[^"\\])*"?|[^,"])+/g;
const PARTS = /(?:"(?:\\.|[^"\\])*"?|[^;"])+/g;

/**
 * The versions that an `Accept` or a `Content-Type` names, in lower case, what is preferred first
 * (RFC 9110 section 12.5.1). Beside types that name none, only what looks like a version is one: browsers send
 * `application/signed-exchange;v=b3`, Prometheus `text/plain;version=0.0.4`. Never throws, whatever is in it.
 */
export function versionsInMediaTypes(field: string, how: MediaTypeVersions): readonly string[] {
  const text = field.toLowerCase();
  const mayName = (how.vendor !== undefined && text.includes(how.vendor)) || text.includes(how.parameter);
  if (!mayName) return [];

  const elements = Array.from(text.matchAll(ELEMENTS), ([element]) => readElement(element, how));
  const wanted = elements.filter(({ quality }) => quality > 0);
  const isChoice = wanted.some(({ version }) => version === undefined);
  // The sort is stable: what is equally welcome stays in the order of the client.
  const versions = wanted
    .toSorted((one, other) => other.quality - one.quality)
    .flatMap(({ version }) => (version === undefined ? [] : [version]));
  return [...new Set(versions)].filter((version) => !isChoice || how.isVersion(version));
}

function readElement(element: string, { vendor, parameter, isVersion }: MediaTypeVersions): Element {
  const [type = '', ...parameters] = (element.match(PARTS) ?? []).map((part) => part.trim());
  let version: string | undefined;
  let quality = 1;

  if (vendor !== undefined && type.startsWith(`${vendor}.`)) {
    const [end = ''] = type.slice(vendor.length + 1).split('+');
    if (isVersion(end)) version = end;
  }
  for (const each of parameters) {
    const at = each.indexOf('=');
    if (at === -1) continue;
    const name = each.slice(0, at).trim();
    const value = unquoted(each.slice(at + 1).trim());
    if (name === 'q') quality = qualityOf(value);
    else if (name === parameter && value !== '') version ??= value;
  }
  return { version, quality };
}

function unquoted(value: string): string {
  return value.startsWith('"')
    ? value.slice(1, value.endsWith('"') ? -1 : undefined).replaceAll('\\', '')
    : value;
}

/** What is no quality at all does not count against what it stands at. */
function qualityOf(value: string): number {
  const quality = Number(value);
  return Number.isFinite(quality) ? quality : 1;
}
