/** What is wrong with Redis itself, as it says of itself. */
export const redis = {
  SBX201: {
    severity: 'error',
    title: 'Redis does not answer',
    reason: 'Sessions, limits and revocation rest on it; the app runs degraded from its start.',
    fix: 'Check address, password and network; redis-cli -u "$REDIS_URL" ping must say PONG.',
  },
  SBX202: {
    severity: 'error',
    title: 'Redis is too old',
    reason:
      'Sessions read and refresh in one command, GETEX, which came with 6.2; older lines get no security fixes.',
    fix: 'Run Redis 7.2 or later, or Valkey 7.2 or later.',
  },
  SBX203: {
    severity: 'error',
    title: 'Redis evicts what must stay',
    reason:
      'When memory is full it throws away sessions, limits and revocations: users are signed out, revoked tokens live again.',
    fix: 'Set maxmemory-policy noeviction, and keep caches in a Redis of their own.',
  },
  SBX204: {
    severity: 'warning',
    title: 'Redis has no memory limit',
    reason: 'It grows until the kernel kills it, or something else on the machine.',
    fix: 'Set maxmemory to what the machine can spare, with room for a snapshot.',
  },
  SBX205: {
    severity: 'warning',
    title: 'Redis keeps nothing on disk',
    reason: 'After its restart all users are signed out, and what was revoked is valid until it expires.',
    fix: 'Set appendonly yes, or snapshots with save.',
  },
  SBX206: {
    severity: 'error',
    title: 'the address leads to a replica',
    reason: 'It refuses to write: no session is saved, no limit is counted.',
    fix: 'Use the address of the primary, or Sentinel: redis+sentinel://h1,h2/name.',
  },
  SBX207: {
    severity: 'error',
    title: 'Redis is open to everybody who reaches it',
    reason:
      'Without a password, and listening beyond loopback without protected mode, it is taken over within hours.',
    fix: 'Set requirepass or ACL users, and bind it to the private network.',
  },
  SBX208: {
    severity: 'error',
    title: 'Redis cannot write its snapshots',
    reason: 'It then refuses all writes (stop-writes-on-bgsave-error), and the data on disk grows old.',
    fix: 'Look at disk space and permissions of its folder; its log says why.',
  },
} as const;
