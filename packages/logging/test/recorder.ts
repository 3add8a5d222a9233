import type { LogDestination } from '../src/index.js';

/** One line of the log, parsed. */
export type Line = Record<string, unknown>;

/** A destination that keeps what is written to it. */
export interface Recorder extends LogDestination {
  readonly lines: readonly Line[];
  /** All that was written, as it was written. */
  readonly text: string;
  /** The first line that fits, now or as soon as it is written. */
  line(fits?: (line: Line) => boolean): Promise<Line>;
}

export function recorder(): Recorder {
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  let text = '';

  return {
    lines,
    get text() {
      return text;
    },
    write(written) {
      text += written;
      lines.push(JSON.parse(written) as Line);
      for (const look of waiting) look();
    },
    line(fits = () => true) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`no such line was written, but these:\n${text}`));
        }, 5_000);
        const look = (): void => {
          const found = lines.find(fits);
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
  };
}

/** The line of a finished request. */
export function isRequestLine(line: Line): boolean {
  return 'outcome' in line;
}
