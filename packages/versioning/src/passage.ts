import { MethodNotAllowedError } from '@signalbox/errors';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { addAllowedMethods } from './allowed-methods.js';
import { answerOptions, holdAutomaticOptions } from './automatic-options.js';
import { noteInherited } from './inherited.js';

/**
 * One request's way through the routers of a version: its own, then those it inherits from, until one answers. As a
 * mounted router it leaves the request behind as it found it.
 */
export class Passage {
  private place = 0;
  private readonly params: Request['params'];
  private release: (() => void) | undefined = undefined;

  /**
   * @param ofVersion how many of the routers are of the version and those it inherits from; the rest has no version
   * @param url the request's, below the version
   * @param removed what of its path stands for the version, such as `/v1`; empty where nothing does
   * @param tried what has passed the request on before
   * @param allowed what the routers so far would have answered OPTIONS with
   */
  constructor(
    private readonly req: Request,
    private readonly res: Response,
    private readonly out: NextFunction,
    private readonly routers: readonly RequestHandler[],
    private readonly ofVersion: number,
    private readonly url: string,
    private readonly removed: string,
    private readonly tried: readonly RequestHandler[] = [],
    private allowed?: Set<string>,
    private readonly outerUrl: string = req.url,
    private readonly outerBaseUrl: string = req.baseUrl,
  ) {
    this.params = req.params;
  }

  enter(): void {
    const { req, res } = this;
    const router = this.routers[this.place];
    if (router === undefined) return this.end();

    req.url = this.url;
    req.baseUrl = this.outerBaseUrl + this.removed;
    req.params = this.params;
    if (this.place > 0) noteInherited(req, this.place < this.ofVersion);
    if (req.method === 'OPTIONS' && (this.routers.length > 1 || this.allowed !== undefined))
      this.collectAllowed();
    router(req, res, (error?: unknown) => this.pass(error));
  }

  private pass(error: unknown): void {
    this.release?.();
    if (error && this.allowed !== undefined && !this.res.headersSent) return this.answerForAll(this.allowed);
    if (error) return this.leave(this.withAllMethods(error));
    this.place += 1;
    this.enter();
  }

  private end(): void {
    const { allowed, res } = this;
    if (allowed === undefined || res.headersSent) return this.leave();
    noteInherited(this.req, false);
    answerOptions(res, allowed);
  }

  /** An older version that refuses, as its catch-all does, takes nothing from what a newer one has. */
  private answerForAll(allowed: Set<string>): void {
    for (const router of this.routers.slice(this.place)) addAllowedMethods(router, this.path(), allowed);
    this.end();
  }

  private leave(error?: unknown): void {
    const { req } = this;
    req.url = this.outerUrl;
    req.baseUrl = this.outerBaseUrl;
    req.params = this.params;
    if (this.place > 0) noteInherited(req, false);
    this.out(error);
  }

  private collectAllowed(): void {
    this.release = holdAutomaticOptions(this.res, (allow) => {
      this.allowed ??= new Set();
      for (const method of allow.split(', ')) this.allowed.add(method);
      this.pass(undefined);
    });
  }

  /** A 405 lists the methods of its router; those that were tried before may have more (RFC 9110 section 15.5.6). */
  private withAllMethods(error: unknown): unknown {
    const before = [...this.tried, ...this.routers.slice(0, this.place)];
    if (before.length === 0 || !(error instanceof MethodNotAllowedError)) return error;
    const allow = String(error.headers['Allow'] ?? '');
    const all = new Set(allow.split(', ').filter((method) => method !== ''));
    for (const router of before) addAllowedMethods(router, this.path(), all);
    const { message, code, details, payload, headers } = error;
    return new MethodNotAllowedError([...all], message, { code, details, payload, headers, cause: error });
  }

  private path(): string {
    const [path = '/'] = this.url.slice(pathStart(this.url)).split('?');
    return path;
  }
}

/**
 * Where the path begins in a request target: behind the origin where it is a whole URL (RFC 9112 section 3.2.2), -1
 * where there is none, as in `*`.
 */
export function pathStart(url: string): number {
  if (url.startsWith('/')) return 0;
  const scheme = url.indexOf('://');
  const query = url.indexOf('?');
  if (scheme === -1 || (query !== -1 && query < scheme)) return -1;
  const slash = url.indexOf('/', scheme + 3);
  return query !== -1 && query < slash ? -1 : slash;
}
