import { createRequire } from 'node:module';
import type * as PinoPretty from 'pino-pretty';
import type { TextSink } from './sink.js';

/**
 * Makes a line for people of a line of JSON: coloured where the terminal allows it, errors with their
 * stack.
 */
export function prettifier(colorize: boolean): (line: string) => string {
  // Loaded here, since it takes longer to load than all the rest and production never needs it.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty;
  // As a function, not as its stream: streams lose their last lines when the process exits.
  return prettyFactory({ colorize, ignore: 'pid', singleLine: true, translateTime: 'SYS:HH:MM:ss.l' });
}

/** Writes each line as `change` makes it. */
export function changedLines(sink: TextSink, change: (line: string) => string): TextSink {
  return {
    write(text) {
      for (const line of text.split('\n')) {
        if (line !== '') sink.write(change(line));
      }
    },
    reopen: () => sink.reopen(),
    close: () => sink.close(),
  };
}
