import express, { Router, type Express } from 'express';
import { onTestFinished } from 'vitest';
import { modules, type Load, type ModuleSpec, type Modules, type ModulesOptions } from '@signalbox/compose';
import { requestContext } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { listen } from '@signalbox/testing';

const SOON = { retryMinMs: 5, retryMaxMs: 20 };

/** A router with one route, `GET /hello`. */
export function hello(text: string): Router {
  return Router().get('/hello', (_req, res) => void res.send(text));
}

/** Fails the first times. */
export function failing(times: number, then: Load): Load {
  let left = times;
  return (context) => {
    if (left-- > 0) throw new Error('no database');
    return then(context);
  };
}

export interface Mounted extends Modules {
  app: Express;
  url: string;
}

/** An app of these modules, with what comes before and after them. */
export async function mount(specs: ModuleSpec[], options: ModulesOptions = {}): Promise<Mounted> {
  const app = express();
  app.use(requestContext(), (req, _res, next) => {
    Object.assign(req, { log: { error: () => undefined } });
    next();
  });
  const handle = modules(app, specs, { log: silent, ...SOON, ...options });
  onTestFinished(() => handle.close());
  app.use(notFound(), errorHandler());
  return { ...handle, app, url: await listen(app) };
}

export const silent = { info: () => undefined, error: () => undefined };

export async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

export function stateOf({ states }: Modules, name: string): string | undefined {
  return states().find((report) => report.name === name)?.state;
}
