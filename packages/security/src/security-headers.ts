import {
  parsedUrl,
  refuseUnknownOptions,
  requireBoolean,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import type { RequestHandler } from 'express';
import helmet, { contentSecurityPolicy, type HelmetOptions } from 'helmet';
import {
  dependsOnRequest,
  directivesOf,
  REPORT_GROUP,
  type Directives,
  type PolicyParts,
} from './content-security-policy.js';
import { recordedFields, type Field } from './recorded-fields.js';

/** Options of {@link securityHeaders}. */
export interface SecurityHeadersOptions {
  /**
   * `html` for pages that load their own files, `api` for answers that are no pages.
   * @default 'html'
   */
  profile?: 'api' | 'html' | undefined;
  /**
   * Whether visitors come by https: only then are there `Strict-Transport-Security` and
   * `upgrade-insecure-requests`. `'auto'` asks `req.secure`, which knows it behind a trusted proxy.
   * @default 'auto'
   */
  https?: boolean | 'auto' | undefined;
  /** Directives of the Content-Security-Policy that differ from the profile's; `null` takes one out. */
  directives?: Directives | undefined;
  /**
   * Sends the policy as `Content-Security-Policy-Report-Only`.
   * @default false
   */
  reportOnly?: boolean | undefined;
  /** Path or URL where browsers report what the policy refused, such as that of `cspReports()`. */
  reportTo?: string | undefined;
  /** helmet's own options for the other headers, over the profile's. */
  helmet?: Omit<HelmetOptions, 'contentSecurityPolicy'> | undefined;
}

const KNOWN = ['profile', 'https', 'directives', 'reportOnly', 'reportTo', 'helmet'];

/**
 * helmet's headers, worked out once: a request costs no more than setting them.
 *
 * Inline scripts and styles are let through by `cspNonce(res)`, which a page asks for where it needs one.
 *
 * @param options a profile, or options
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use(securityHeaders('api'));
 */
export function securityHeaders(options: 'api' | 'html' | SecurityHeadersOptions = 'html'): RequestHandler {
  const resolved = resolveOptions(typeof options === 'string' ? { profile: options } : options);
  const { https, keepsPoweredBy } = resolved;
  const plain = headersOf(resolved, false);
  const secure = headersOf(resolved, true);

  return function securityHeadersMiddleware(req, res, next) {
    const isSecure = https === 'auto' ? req.secure : https;
    const { fields, policy } = isSecure ? secure : plain;
    for (const [name, value] of fields) res.setHeader(name, value);
    if (!keepsPoweredBy) res.removeHeader('X-Powered-By');
    if (policy === undefined) next();
    else policy(req, res, next);
  };
}

interface Resolved extends PolicyParts {
  https: boolean | 'auto';
  reportOnly: boolean;
  helmet: Omit<HelmetOptions, 'contentSecurityPolicy'>;
  keepsPoweredBy: boolean;
}

interface Headers {
  fields: readonly Field[];
  /** helmet's own middleware, where the policy depends on the request. */
  policy: ReturnType<typeof contentSecurityPolicy> | undefined;
}

function resolveOptions(options: SecurityHeadersOptions): Resolved {
  requireObject('securityHeaders', 'options', options);
  refuseUnknownOptions('securityHeaders', options, KNOWN);
  const {
    profile = 'html',
    https = 'auto',
    directives = {},
    reportOnly = false,
    reportTo,
    helmet = {},
  } = options;

  requireOneOf('securityHeaders', 'profile', profile, ['api', 'html']);
  if (https !== 'auto') requireBoolean('securityHeaders', 'https', https);
  requireObject('securityHeaders', 'directives', directives);
  requireBoolean('securityHeaders', 'reportOnly', reportOnly);
  requireObject('securityHeaders', 'helmet', helmet);
  if ('contentSecurityPolicy' in helmet) {
    throw new TypeError('securityHeaders: "helmet.contentSecurityPolicy" is set by "directives"');
  }
  if (reportTo !== undefined) requireReportUrl(reportTo);
  const keepsPoweredBy = (helmet.xPoweredBy ?? helmet.hidePoweredBy) === false;
  return { profile, https, directives, reportOnly, reportTo, helmet, keepsPoweredBy };
}

function requireReportUrl(value: unknown): void {
  const isUrl =
    typeof value === 'string' &&
    // Each of these would end the value in one of the two headers.
    !/[\s;,"\\]/.test(value) &&
    (/^\/(?!\/)/.test(value) || (/^https?:\/\//i.test(value) && parsedUrl(value) !== undefined));
  if (!isUrl)
    throw wrongOption('securityHeaders', 'reportTo', 'a path such as /csp-reports, or a URL', value);
}

function headersOf(resolved: Resolved, https: boolean): Headers {
  const { reportOnly, reportTo } = resolved;
  const policyOptions = {
    useDefaults: false as const,
    directives: directivesOf(resolved, https),
    reportOnly,
  };
  const isDynamic = dependsOnRequest(resolved.directives);
  try {
    const options = helmetOptions(resolved, https);
    const fields = recordedFields(
      helmet({ ...options, contentSecurityPolicy: isDynamic ? false : policyOptions }),
    );
    const reporting: Field[] =
      reportTo === undefined ? [] : [['Reporting-Endpoints', `${REPORT_GROUP}="${reportTo}"`]];
    return {
      fields: [...fields, ...reporting],
      policy: isDynamic ? contentSecurityPolicy(policyOptions) : undefined,
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TypeError(`securityHeaders: ${message}`, { cause: error });
  }
}

function helmetOptions({ profile, helmet: given }: Resolved, https: boolean): HelmetOptions {
  const options: Record<string, unknown> = { ...given };
  if (!('frameguard' in options)) options['xFrameOptions'] ??= { action: 'deny' };
  // `no-referrer`, helmet's own, makes browsers send `Origin: null` with a form's POST to its own site.
  if (profile === 'html') options['referrerPolicy'] ??= { policy: 'same-origin' };
  if (!https) {
    // RFC 6797 section 7.2: not over plain http, which could not keep the promise.
    delete options['hsts'];
    options['strictTransportSecurity'] = false;
  }
  return options;
}
