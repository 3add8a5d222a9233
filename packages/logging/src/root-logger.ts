import type { Logger } from 'pino';

let root: Logger | undefined;

/** The logger for what happens outside of requests, if there is one. */
export function rootLogger(): Logger | undefined {
  return root;
}

export function setRootLogger(logger: Logger): void {
  root = logger;
}

export function forgetRootLogger(logger: Logger): void {
  if (root === logger) root = undefined;
}
