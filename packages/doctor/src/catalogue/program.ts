/** What is wrong in the program: package.json and sources. */
export const program = {
  SBX301: {
    severity: 'warning',
    title: 'the line of Node gets no security fixes',
    reason: 'Holes that become known stay open.',
    fix: 'Run a current long-term line: 22 or 24.',
  },
  SBX302: {
    severity: 'warning',
    title: 'an odd line of Node',
    reason: 'Odd lines are supported for half a year, and never for the long term.',
    fix: 'Run an even line: 22 or 24.',
  },
  SBX303: {
    severity: 'warning',
    title: 'the start script is one for development',
    reason:
      'Watchers and compilers at start cost memory and time, restart at the touch of a file, and swallow signals.',
    fix: 'Compile first, and start with node dist/main.js.',
  },
  SBX304: {
    severity: 'warning',
    title: 'there is no lock file',
    reason: 'Each installation may get other versions than those that were tested.',
    fix: 'Commit package-lock.json, pnpm-lock.yaml or yarn.lock.',
  },
  SBX305: {
    severity: 'warning',
    title: 'a dependency takes any version',
    reason: 'A new major version, or a hostile one, arrives with the next installation.',
    fix: 'Name a range such as ^5.0.0.',
  },
  SBX306: {
    severity: 'note',
    title: 'a dependency is given up by its authors',
    reason: 'Nobody mends what is found in it.',
    fix: 'Replace it by one that is kept.',
  },
  SBX311: {
    severity: 'error',
    title: 'the program trusts every proxy',
    reason:
      'Any visitor then names the own address in X-Forwarded-For, passes every limit and allow-list, and stands in the log as someone else.',
    fix: "Trust addresses: app.set('trust proxy', 'loopback'), or trustProxy() of @signalbox/security.",
  },
  SBX312: {
    severity: 'error',
    title: 'a secret stands in the source',
    reason: 'Whoever can read the repository can sign cookies and tokens.',
    fix: 'Read it from the environment or a file, and replace it.',
  },
  SBX313: {
    severity: 'error',
    title: 'a cookie is not protected',
    reason:
      'Scripts can read it, or it crosses the network in the clear; browsers drop SameSite=None without Secure.',
    fix: "Use httpOnly: true, secure: true and sameSite: 'lax'.",
  },
  SBX314: {
    severity: 'error',
    title: 'CORS allows every origin with credentials',
    reason: 'Any site that a signed-in visitor opens acts in the name of that visitor.',
    fix: 'List the origins that may.',
  },
  SBX315: {
    severity: 'warning',
    title: 'sessions are kept in memory',
    reason:
      'The memory store of express-session leaks, forgets all at a restart and is not shared by processes.',
    fix: 'Give session() a store, such as that of @signalbox/sessions or connect-redis.',
  },
  SBX316: {
    severity: 'warning',
    title: 'nothing drains on SIGTERM',
    reason: 'Each deployment cuts off the requests that are under way.',
    fix: 'Use serve() of @signalbox/server, or close the server on SIGTERM and wait.',
  },
  SBX317: {
    severity: 'error',
    title: 'an uncaught exception does not end the process',
    reason: 'After one the state is unknown: locks held, transactions open, answers mixed up.',
    fix: 'Log it, drain and exit with 1; crashHandlers() of @signalbox/server does.',
  },
  SBX318: {
    severity: 'error',
    title: 'tokens are verified without naming the algorithm',
    reason:
      'A token may then choose it; "none", or HMAC with the public key, pass with some versions and keys.',
    fix: "Name them: jwt.verify(token, key, { algorithms: ['ES256'] }).",
  },
  SBX319: {
    severity: 'warning',
    title: 'bodies may be very large',
    reason: 'A few requests at once fill the memory.',
    fix: 'Set the limit to what the route needs; stream uploads.',
  },
  SBX320: {
    severity: 'error',
    title: 'a TLS partner is not verified',
    reason: 'rejectUnauthorized: false accepts anybody as the partner of that connection.',
    fix: 'Give the authority as ca instead.',
  },
  SBX321: {
    severity: 'warning',
    title: 'KEYS is asked of Redis',
    reason: 'It looks at every key while everybody else waits.',
    fix: 'Use SCAN.',
  },
  SBX322: {
    severity: 'warning',
    title: 'middleware stands in the wrong order',
    reason: 'What is mounted later does not see, or does not protect, what came before.',
    fix: 'Security headers and limits before the routes, the error handler behind them.',
  },
} as const;
