import {
  cidrs,
  configOrExit,
  flag,
  list,
  origins,
  port,
  profile,
  secret,
  secrets,
  text,
  url,
  type Config,
} from '@signalbox/config';
import express from 'express';
import { z } from 'zod';

function isWebAddress(address: string): boolean {
  return /^https?:\/\//.test(address) && URL.canParse(address);
}

function isProxyTrust(value: string): boolean {
  try {
    express().set('trust proxy', proxyTrust(value));
    return true;
  } catch {
    return false;
  }
}

/** `TRUST_PROXY` as Express' "trust proxy" takes it. */
export function proxyTrust(value: string): boolean | number | string[] {
  if (value === 'off') return false;
  if (/^\d{1,2}$/.test(value)) return Number(value);
  return value.split(',').map((part) => part.trim());
}

/** Everything that can be set, by the name of its environment variable. */
export const SETTINGS = z
  .object({
    HOST: text().default('127.0.0.1').describe('Address to listen on'),
    PORT: port().default(8889).describe('Port to listen on; 0 picks a free one'),
    SOCKET: text().optional().describe('Unix socket to listen on, instead of a port'),
    NODE_ENV: profile().describe('development, test or production'),
    PUBLIC_URL: url({ protocols: ['http', 'https'] })
      .optional()
      .describe('The origin that visitors use; by default http://HOST:PORT'),
    SECRET_KEYS: secrets({ generate: true }).describe('Secrets, newest first; each use derives its own key'),
    SEARXNG_URLS: list()
      .refine((urls) => urls.every(isWebAddress), 'must be URLs that begin with http:// or https://')
      .default([])
      .describe('SearXNG instances in order of preference; none: the embedded engine'),
    EMBEDDED_FALLBACK: flag().default(true).describe('Whether the embedded engine is the last of the chain'),
    CORS_ORIGINS: origins().default([]).describe('Origins of other sites that may use the API'),
    TRUST_PROXY: text()
      .refine(
        isProxyTrust,
        'must be off, a number of hops, loopback, linklocal, uniquelocal, or addresses and ranges',
      )
      .default('off')
      .describe('Proxies in front: off, a number of hops, addresses and ranges, or loopback'),
    ADMIN_ALLOW: cidrs()
      .default(['127.0.0.0/8', '::1'])
      .describe('Who may read /health/detailed, /metrics and /admin'),
    METRICS_TOKEN: secret().optional().describe('Bearer token that also opens /metrics'),
    LOG_LEVEL: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('How much is logged'),
    LOG_FILE: text().optional().describe('File to log to, instead of stdout; rotated at 10 MB'),
    PRIVACY: flag().default(true).describe('No query, address or user agent in logs and metrics'),
  })
  .refine(({ SEARXNG_URLS, EMBEDDED_FALLBACK }) => EMBEDDED_FALLBACK || SEARXNG_URLS.length > 0, {
    path: ['EMBEDDED_FALLBACK'],
    message: 'must be on where SEARXNG_URLS names no instance: there would be nothing to search',
  });

export type Settings = Config<typeof SETTINGS>;

/** The settings of this process; a wrong one ends it with every problem listed. */
export function readSettings(): Settings {
  return configOrExit(SETTINGS, {
    argv: process.argv.slice(2),
    files: [{ path: '.env', optional: true }],
    warn: (message) => process.stderr.write(`${message}\n`),
  });
}
