/** What the running app shows. */
export const running = {
  SBX501: {
    severity: 'error',
    title: 'the app does not answer',
    reason: 'Either it does not run, or not there.',
    fix: 'Look at what it printed; give the address with its port.',
  },
  SBX502: {
    severity: 'error',
    title: 'a forged address is believed',
    reason: 'A visitor who sends X-Forwarded-For is who they like: limits and allow-lists do not hold.',
    fix: "Trust the addresses of your proxies only: app.set('trust proxy', 'loopback').",
  },
  SBX503: {
    severity: 'error',
    title: 'a forged host is believed',
    reason:
      'Links in mails and redirects lead where the visitor likes, with a token for a new password, for instance.',
    fix: 'Make links of a configured public address, never of a header.',
  },
  SBX504: {
    severity: 'error',
    title: 'a forged address opens what is for operators',
    reason: 'X-Forwarded-For: 127.0.0.1 passes the allow-list.',
    fix: 'Trust the addresses of your proxies only, and judge the address after them.',
  },
  SBX505: {
    severity: 'warning',
    title: 'the app says what it is made of',
    reason: 'X-Powered-By tells scanners which holes to try.',
    fix: "app.disable('x-powered-by')",
  },
  SBX506: {
    severity: 'warning',
    title: 'security headers are missing',
    reason: 'Browsers then guess types, let the page be framed, and run scripts from anywhere.',
    fix: 'Use securityHeaders() of @signalbox/security, or helmet.',
  },
  SBX507: {
    severity: 'error',
    title: 'CORS echoes any origin, with credentials',
    reason: 'Any site that a signed-in visitor opens reads and acts in the name of that visitor.',
    fix: 'List the origins that may.',
  },
  SBX508: {
    severity: 'warning',
    title: 'answers that differ by origin do not say so',
    reason:
      'Without Vary: Origin a cache gives the answer for one site to another, whose browser refuses it.',
    fix: 'Send Vary: Origin with every answer of that path.',
  },
  SBX509: {
    severity: 'error',
    title: 'a cookie is not protected',
    reason: 'Scripts can read it, or it crosses the network in the clear, or browsers drop it.',
    fix: 'Send it with HttpOnly, Secure and SameSite=Lax.',
  },
  SBX510: {
    severity: 'error',
    title: 'endpoints of operators are open to strangers',
    reason: 'They tell an attacker what runs where, and where it is weak.',
    fix: 'Allow them by address or token: allowFrom(), and access of metricsEndpoint() and health().',
  },
  SBX511: {
    severity: 'error',
    title: 'files of the program are served',
    reason: 'Secrets and sources are one request away.',
    fix: 'Serve a folder that holds nothing but public files.',
  },
  SBX512: {
    severity: 'error',
    title: 'errors show the inside',
    reason: 'Stack traces tell paths, versions and libraries.',
    fix: 'NODE_ENV=production, and errorHandler() of @signalbox/errors as the last middleware.',
  },
  SBX513: {
    severity: 'error',
    title: 'health answers tell too much',
    reason: 'Addresses, credentials and stack traces of what is behind are for operators only.',
    fix: 'Answer with a word to all, with details to an allow-list.',
  },
  SBX514: {
    severity: 'warning',
    title: 'there is no health endpoint',
    reason: 'Balancers and orchestrators cannot tell a process that works from one that hangs.',
    fix: 'Mount health() of @signalbox/health: /livez, /readyz, /health.',
  },
  SBX515: {
    severity: 'error',
    title: 'a cache may keep an answer with a cookie',
    reason: 'A shared cache gives the session of one visitor to the next.',
    fix: 'Cache-Control: private or no-store wherever Set-Cookie is sent.',
  },
  SBX516: {
    severity: 'error',
    title: 'Secure cookies cannot be set behind the proxy',
    reason:
      'The app takes requests that came by TLS to the proxy for plain http, and does not send its session: sign-in never works.',
    fix: "Set 'trust proxy' to the address of the proxy.",
  },
  SBX517: {
    severity: 'warning',
    title: 'the site has no HSTS',
    reason: 'The first request of each visit may still be made by http, and be intercepted.',
    fix: 'Strict-Transport-Security: max-age=31536000; includeSubDomains',
  },
  SBX518: {
    severity: 'error',
    title: 'the certificate ends soon, or is not valid',
    reason: 'Browsers refuse the site.',
    fix: 'Renew it, and watch its renewal: certificateCheck() of @signalbox/health.',
  },
  SBX519: {
    severity: 'error',
    title: 'a timeout of the server is off',
    reason: 'A few slow connections hold it for ever.',
    fix: 'Leave headersTimeout and requestTimeout of node:http at their defaults, or use serve().',
  },
  SBX520: {
    severity: 'error',
    title: 'the app does not stop on SIGTERM',
    reason: 'It is killed after the grace period, with everything that is under way.',
    fix: 'Close what keeps it alive; serve() of @signalbox/server drains in order, within a budget.',
  },
  SBX521: {
    severity: 'warning',
    title: 'the app is cut off by SIGTERM',
    reason: 'Nothing handles the signal: requests under way are lost with each deployment.',
    fix: 'Use serve() of @signalbox/server, or close the server on SIGTERM and wait.',
  },
  SBX522: {
    severity: 'warning',
    title: 'no error handler stands behind the routes',
    reason: 'Express answers errors by itself: HTML, and with the stack where NODE_ENV is not production.',
    fix: 'app.use(errorHandler()) as the last line.',
  },
  SBX523: {
    severity: 'warning',
    title: 'middleware stands in the wrong order',
    reason: 'What is mounted later does not see, or does not protect, what came before.',
    fix: 'Security headers first, then limits, then sessions and body parsers, then routes, the error handler last.',
  },
  SBX524: {
    severity: 'warning',
    title: 'the app keeps connections for less than its proxy',
    reason: 'The proxy sends a request into a connection that is just being closed: now and then a 502.',
    fix: 'Keep them longer than the proxy: serve(app, { behindProxy: true }) keeps 75 s.',
  },
  SBX525: {
    severity: 'note',
    title: 'a server in production keeps sessions in memory',
    reason: 'They are lost at each restart, and are not shared by a second process.',
    fix: 'Give session() a store that lasts.',
  },
  SBX526: {
    severity: 'error',
    title: 'the app does not start',
    reason: 'It ended, or did not listen in time.',
    fix: 'Read what it printed; all that its settings lack stands there.',
  },
  SBX527: {
    severity: 'error',
    title: 'a malformed request ends in 500',
    reason:
      'Anybody fills the log and the alerts with errors, and 5xx tell a balancer that the server is ill.',
    fix: 'Answer 400: errorHandler() of @signalbox/errors knows body-parser and URI errors.',
  },
  SBX528: {
    severity: 'note',
    title: 'no answer tells of a limit',
    reason: 'Without limits one visitor can use up what is there for all, and guess passwords at leisure.',
    fix: 'Limit requests by address, and sign-in by account: zones() of @signalbox/rate-limit.',
  },
} as const;
