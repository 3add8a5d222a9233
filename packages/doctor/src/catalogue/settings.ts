/** What is wrong with environment and settings. */
export const settings = {
  SBX101: {
    severity: 'warning',
    title: 'NODE_ENV is not production',
    reason:
      'Express shows stack traces to visitors and does not keep its views; cookies and secrets are not as strict.',
    fix: 'Set NODE_ENV=production where the app runs for users.',
  },
  SBX102: {
    severity: 'note',
    title: 'nothing sets NODE_ENV',
    reason: 'Without it Express and most libraries take themselves to be in development.',
    fix: 'Set NODE_ENV=production in the image, the unit or the environment of the app.',
  },
  SBX103: {
    severity: 'error',
    title: 'a secret is too short',
    reason:
      'Whoever has one signed cookie or token can try all short secrets at home, and then sign their own.',
    fix: 'Make one of 32 random bytes: openssl rand -base64 32. A password takes 12 characters at least.',
  },
  SBX104: {
    severity: 'error',
    title: 'a secret is a default or an example',
    reason: 'Such values stand in tutorials and in the lists that attackers try first.',
    fix: 'Make a random one: openssl rand -base64 32.',
  },
  SBX105: {
    severity: 'error',
    title: 'a secret is easy to guess',
    reason: 'It is long, but made of words, repetitions or runs, so that few guesses find it.',
    fix: 'Make a random one: openssl rand -base64 32.',
  },
  SBX106: {
    severity: 'error',
    title: 'a list of secrets holds the same one twice',
    reason: 'The list is there for rotation: a secret that stays in it has not been replaced.',
    fix: 'Put a new random secret in front, and take the old one out once what it signed has expired.',
  },
  SBX107: {
    severity: 'error',
    title: 'one secret serves two purposes',
    reason: 'Who learns it in one place, such as a token of a partner, has the other, too.',
    fix: 'Give each purpose a random secret of its own.',
  },
  SBX108: {
    severity: 'error',
    title: 'a secret is set both directly and by its file',
    reason: 'Which of them holds depends on the program; after a rotation it may be the old one.',
    fix: 'Keep one of the two.',
  },
  SBX109: {
    severity: 'error',
    title: 'a setting is refused by the schema of the app',
    reason: 'The app does not start with it.',
    fix: 'Correct the setting as the sentence says.',
  },
  SBX110: {
    severity: 'error',
    title: 'the public address is plain http',
    reason:
      'Passwords, cookies and tokens cross the network readable, and browsers do not keep Secure cookies.',
    fix: 'Serve the site by TLS, and set the https address.',
  },
  SBX111: {
    severity: 'warning',
    title: 'the public address is https, and no proxy is trusted',
    reason:
      'Behind a proxy that ends TLS the app takes every request for http: Secure cookies are not set, limits by address hit all visitors as one.',
    fix: 'Set TRUST_PROXY to the address of the proxy, such as loopback or 10.0.0.0/8.',
  },
  SBX112: {
    severity: 'error',
    title: 'every proxy is trusted',
    reason:
      'Any visitor then names the own address in X-Forwarded-For, passes every limit and allow-list, and stands in the log as someone else.',
    fix: 'Trust the addresses of your proxies, such as loopback or 10.0.0.0/8, or their number.',
  },
  SBX113: {
    severity: 'error',
    title: 'CORS lets in everybody',
    reason: 'Any site that a visitor opens may call the API, and read the answers.',
    fix: 'List the origins that use the API, each with its scheme: https://app.example.com.',
  },
  SBX114: {
    severity: 'error',
    title: 'CORS allows an origin of plain http',
    reason: 'Anybody between the visitor and that site can put a script into it and use the API.',
    fix: 'Allow the https origin instead.',
  },
  SBX115: {
    severity: 'error',
    title: 'the administrative endpoints are open to every address',
    reason: 'Metrics and details of health tell an attacker what runs where, and where it is weak.',
    fix: 'List the networks of the operators, such as 127.0.0.0/8 and 10.8.0.0/16.',
  },
  SBX116: {
    severity: 'error',
    title: 'several processes run on memory stores',
    reason:
      'Each process has sessions, limits and caches of its own: visitors are signed out at random, limits are multiplied, logouts do not last.',
    fix: 'Set REDIS_URL, or run one process.',
  },
  SBX117: {
    severity: 'error',
    title: 'a password crosses a public network without encryption',
    reason: 'Whoever listens on the way has the database.',
    fix: 'Use rediss://, or sslmode=verify-full in the address of Postgres.',
  },
  SBX118: {
    severity: 'error',
    title: 'TLS certificates are not verified',
    reason:
      'With NODE_TLS_REJECT_UNAUTHORIZED=0 every TLS connection of the process accepts anybody as its partner.',
    fix: 'Remove it; name a private authority in NODE_EXTRA_CA_CERTS.',
  },
  SBX119: {
    severity: 'error',
    title: 'the debugger is open',
    reason: 'Whoever reaches the port of the inspector runs what they like in the process.',
    fix: 'Remove --inspect from NODE_OPTIONS and the start command.',
  },
  SBX120: {
    severity: 'warning',
    title: 'debug output is on',
    reason: 'It slows the process, fills the disk, and prints what should stay private.',
    fix: 'Set LOG_LEVEL=info, and leave DEBUG empty.',
  },
  SBX121: {
    severity: 'error',
    title: 'the heap may grow beyond the memory limit',
    reason:
      'The kernel kills the process before V8 collects its garbage: requests are lost without a line in the log.',
    fix: 'Set --max-old-space-size to about three quarters of the limit.',
  },
  SBX122: {
    severity: 'error',
    title: 'the app listens on loopback inside a container',
    reason: 'Nobody outside the container reaches it: connections are refused, probes fail.',
    fix: 'Set HOST=0.0.0.0 there.',
  },
  SBX123: {
    severity: 'warning',
    title: 'sign-in may be tried very often',
    reason: 'Passwords from leaked lists are tried by the thousand.',
    fix: 'Allow some five failures in a quarter of an hour, such as RATE_LOGIN=5/15m.',
  },
  SBX124: {
    severity: 'warning',
    title: 'a file with secrets is in the repository',
    reason:
      'Whoever can read the repository, or an old copy of it, has the secrets. Removing the file leaves them in its history.',
    fix: 'Take it out (git rm --cached), list it in .gitignore, and replace every secret in it.',
  },
  SBX125: {
    severity: 'note',
    title: 'a template of secrets has to be filled in',
    reason:
      'As it stands there the app does not start in production, which takes secrets that nobody can guess.',
    fix: 'Put the values in where it is deployed, and never into the repository.',
  },
} as const;
