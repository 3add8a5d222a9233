import { createRequire } from 'node:module';
import type * as PinoPretty from 'pino-pretty';
import type { TextSink } from './sink.js';

/** Lines for people: one line each, coloured where the terminal allows it, errors with their stack. */
export function prettySink(sink: TextSink, colorize: boolean): TextSink {
  // Loaded here, since it takes longer to load than all the rest and production never needs it.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty;
  // As a function, not as its stream: streams lose their last lines when the process exits.
  const prettify = prettyFactory({
    colorize,
    ignore: 'pid',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });

  return {
    write(text) {
      for (const line of text.split('\n')) {
        if (line !== '') sink.write(prettify(line));
      }
    },
    reopen: () => sink.reopen(),
    close: () => sink.close(),
  };
}
