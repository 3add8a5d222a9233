/** What is wrong with nginx, systemd, pm2 and the like, which stand in front of or above the app. */
export const supervisors = {
  SBX461: {
    severity: 'error',
    title: 'the proxy does not say who asks, and how',
    reason:
      'The app sees the address of the proxy and plain http: limits hit all visitors as one, Secure cookies are not set.',
    fix: 'Set X-Forwarded-For $proxy_add_x_forwarded_for and X-Forwarded-Proto $scheme.',
  },
  SBX462: {
    severity: 'error',
    title: 'the proxy passes on forged addresses',
    reason: 'X-Forwarded-For as the visitor sent it is what the visitor likes.',
    fix: 'Use $proxy_add_x_forwarded_for, or $remote_addr.',
  },
  SBX463: {
    severity: 'error',
    title: 'WebSockets do not get through',
    reason: 'Without HTTP/1.1, Upgrade and Connection, Socket.IO falls back to polling, or fails.',
    fix: 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade.',
  },
  SBX464: {
    severity: 'error',
    title: 'old versions of TLS are allowed',
    reason: 'TLS 1.0, 1.1 and SSL 3 are broken, and refused by browsers and audits.',
    fix: 'ssl_protocols TLSv1.2 TLSv1.3;',
  },
  SBX465: {
    severity: 'warning',
    title: 'bodies of any size pass the proxy',
    reason: 'client_max_body_size 0, or hundreds of megabytes, hand every flood on to the app.',
    fix: 'Set it to what the app takes, such as 10m.',
  },
  SBX466: {
    severity: 'error',
    title: 'the proxy keeps connections longer than the app',
    reason:
      'It sends a request into a connection that the app is just closing: now and then a 502 that nobody can explain.',
    fix: 'The app must keep them longer: serve(app, { behindProxy: true }) keeps 75 s.',
  },
  SBX467: {
    severity: 'warning',
    title: 'kept connections to the app are not used',
    reason:
      'With upstream keepalive, nginx below 1.29.7 still closes each connection unless HTTP/1.1 and an empty Connection are set.',
    fix: 'proxy_http_version 1.1; proxy_set_header Connection "";',
  },
  SBX468: {
    severity: 'warning',
    title: 'the site is also served without encryption',
    reason: 'Who types the address without https sends passwords in the clear.',
    fix: 'Answer on port 80 with return 308 https://$host$request_uri; only.',
  },
  SBX469: {
    severity: 'warning',
    title: 'a location drops the headers of its server',
    reason: 'add_header in a location replaces all that were set above, security headers too.',
    fix: 'Repeat them there, or include one file in both.',
  },
  SBX470: {
    severity: 'warning',
    title: 'the proxy passes on the host that the visitor names',
    reason:
      'Links in mails and redirects then lead where the visitor likes: X-Forwarded-Host as it was sent.',
    fix: 'Set X-Forwarded-Host $host, or to the empty text.',
  },
  SBX482: {
    severity: 'warning',
    title: 'the unit is not started again',
    reason: 'After a crash the app stays down.',
    fix: 'Restart=on-failure, or always.',
  },
  SBX483: {
    severity: 'warning',
    title: 'the unit runs as root',
    reason: 'Who breaks into the app has the machine.',
    fix: 'User= of its own, or DynamicUser=yes.',
  },
  SBX484: {
    severity: 'warning',
    title: 'the unit starts a shell or npm',
    reason: 'Signals and the state of the service are those of the shell, not of the app.',
    fix: 'ExecStart=/usr/bin/node dist/main.js',
  },
  SBX485: {
    severity: 'error',
    title: 'systemd does not hear that the app is ready',
    reason:
      'A Node process says so through systemd-notify, a child: with NotifyAccess=main the start times out.',
    fix: 'NotifyAccess=all.',
  },
  SBX486: {
    severity: 'error',
    title: 'the unit is not ended in order',
    reason: 'KillSignal=SIGKILL drops requests; KillMode=process or none leaves processes behind.',
    fix: 'Leave KillSignal at SIGTERM and KillMode at mixed or control-group.',
  },
  SBX487: {
    severity: 'warning',
    title: 'few open files are allowed',
    reason: 'Each connection is one: beyond the limit new visitors are refused.',
    fix: 'LimitNOFILE=65536',
  },
  SBX491: {
    severity: 'warning',
    title: 'the start command is npm',
    reason: 'It starts a shell, which may keep the signals of the platform to itself.',
    fix: 'web: node dist/main.js',
  },
  SBX492: {
    severity: 'note',
    title: 'pm2 watches files in production',
    reason: 'A log or an upload restarts the app.',
    fix: 'watch: false',
  },
} as const;
