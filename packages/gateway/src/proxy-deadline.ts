import type { ServerResponse } from 'node:http';
import { DeadlineExceededError, facts } from '@signalbox/context';
import type { Request } from 'express';
import type { ProxyRequest } from './proxy-request-headers.js';

/** By what the deadline of a request says, not by the clock: it may be for the head alone. */
export function hasTimedOut(req: ProxyRequest): boolean {
  const express = req as Request;
  return express.deadline !== undefined && facts(express).timedOut === true;
}

/** How long a request might take that has timed out, as far as its deadline says so. */
export function deadlineMsOf(req: ProxyRequest): number {
  const reason: unknown = (req as Request).signal.reason;
  return reason instanceof DeadlineExceededError ? reason.details.deadlineMs : Infinity;
}

/** By somebody else, such as the error handler of a deadline. What saves a session first may hold that back. */
export function isAnswered(req: ProxyRequest, res: ServerResponse): boolean {
  return res.headersSent || res.writableEnded || hasTimedOut(req);
}
