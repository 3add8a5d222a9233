/** The text by that name in what JSON held. */
export function textAt(value: unknown, name: string): string | undefined {
  const found: unknown = at(value, name);
  return typeof found === 'string' ? found : undefined;
}

export function numberAt(value: unknown, name: string): number | undefined {
  const found: unknown = at(value, name);
  return typeof found === 'number' ? found : undefined;
}

/** The list by that name; of anything else, none. */
export function listAt(value: unknown, name: string): readonly unknown[] {
  const found: unknown = at(value, name);
  return Array.isArray(found) ? found : [];
}

export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** What JSON makes of the text; `undefined` of what is no JSON. */
export function fromJson(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function at(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
