/** Throws for a misspelt option, which would otherwise turn into the default in silence. */
export function requireKnownOptions(caller: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new TypeError(`${caller}: there is no option "${unknown}"; there are ${known.join(', ')}`);
}
