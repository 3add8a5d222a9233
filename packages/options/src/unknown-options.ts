/**
 * Refuses what is not an option: a misspelt `slowMS` would otherwise mean the default, in silence.
 *
 * @throws {TypeError} such as `serve: "prot" is not an option; did you mean "port"?`
 */
export function refuseUnknownOptions(owner: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new TypeError(`${owner}: "${name}" is not an option; ${suggestion(name, known)}`);
  }
}

/** `did you mean "search"?` where one of `known` is close, else the list of them, as for what is no string. */
export function suggestion(name: unknown, known: readonly string[]): string {
  const likely =
    typeof name === 'string' ? known.find((candidate) => isNear(plain(name), plain(candidate))) : undefined;
  return likely === undefined ? `there are ${known.join(', ')}` : `did you mean "${likely}"?`;
}

/** `TIMEOUT_MS`, `timeout-ms` and `timeoutMs` are the same slip. */
function plain(name: string): string {
  return name.replace(/[-_]/g, '').toLowerCase();
}

/** One begins with the other (a unit left out), or they are a slip or two apart. */
function isNear(name: string, candidate: string): boolean {
  const shorter = Math.min(name.length, candidate.length);
  if (shorter >= 4 && (name.startsWith(candidate) || candidate.startsWith(name))) return true;
  // In a short word two slips make another word.
  return editDistance(name, candidate) <= (shorter < 6 ? 1 : 2);
}

/** Letters to add, drop, change or swap with their neighbour (the optimal string alignment distance). */
function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= to.length; column += 1) {
      const changed = at(row - 1, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = isSwapped ? at(row - 2, column - 2) + 1 : Infinity;
      current.push(Math.min(changed, swapped, at(row - 1, column) + 1, at(row, column - 1) + 1));
    }
  }
  return at(from.length, to.length);
}
