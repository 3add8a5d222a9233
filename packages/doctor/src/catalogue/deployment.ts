/** What is wrong in Dockerfiles, compose files and Kubernetes manifests. */
export const deployment = {
  SBX401: {
    severity: 'error',
    title: 'a shell is process 1',
    reason: 'It does not pass SIGTERM on: the app is killed after the grace period, with requests under way.',
    fix: 'Write the exec form: CMD ["node", "dist/main.js"].',
  },
  SBX402: {
    severity: 'warning',
    title: 'npm is process 1',
    reason: 'It starts the app through a shell, passes signals on late or not at all, and costs memory.',
    fix: 'Start node itself: CMD ["node", "dist/main.js"].',
  },
  SBX403: {
    severity: 'warning',
    title: 'the container runs as root',
    reason: 'Who breaks out of the app is root in the container, and one hole away from the host.',
    fix: 'Add USER node, or another user that owns nothing.',
  },
  SBX404: {
    severity: 'warning',
    title: 'an image without a fixed version',
    reason: 'The next build or restart may run something else, and nobody can tell what ran before.',
    fix: 'Name a version, or better a digest.',
  },
  SBX405: {
    severity: 'error',
    title: 'a secret stands in a file of the deployment',
    reason: 'It is in the repository and in every layer or manifest made of it.',
    fix: 'Hand it in at run time: a secret of the platform, or a file that NAME_FILE points to.',
  },
  SBX406: {
    severity: 'warning',
    title: 'the image takes in everything beside the Dockerfile',
    reason:
      'Without .dockerignore, COPY . brings .env, .git and node_modules of the build machine into the image.',
    fix: 'Add a .dockerignore with node_modules, .git and .env*.',
  },
  SBX407: {
    severity: 'warning',
    title: 'the image has development dependencies',
    reason: 'They make it large, and bring holes that nobody needs; npm install may also change versions.',
    fix: 'Use npm ci --omit=dev in the last stage.',
  },
  SBX408: {
    severity: 'error',
    title: 'the stop signal cannot be heard',
    reason: 'SIGKILL ends the process at once, with requests under way.',
    fix: 'Leave STOPSIGNAL at SIGTERM.',
  },
  SBX420: {
    severity: 'error',
    title: 'the grace period is shorter than the drain',
    reason:
      'The process is killed while it still answers: requests, jobs and the last lines of the log are lost.',
    fix: 'Allow for the drain, the delay before it, and some seconds more.',
  },
  SBX421: {
    severity: 'error',
    title: 'a database is published to every network',
    reason: 'Docker opens the port past the rules of the firewall; such ports are found within hours.',
    fix: 'Publish nothing, or 127.0.0.1:6379:6379.',
  },
  SBX422: {
    severity: 'warning',
    title: 'a service is not started again',
    reason: 'After a crash or a restart of the machine it stays down.',
    fix: 'Set restart: unless-stopped.',
  },
  SBX423: {
    severity: 'error',
    title: 'the Redis of sessions is told to evict',
    reason: 'When memory is full it throws away sessions, limits and revocations.',
    fix: 'Use --maxmemory-policy noeviction, and another Redis for caches.',
  },
  SBX424: {
    severity: 'warning',
    title: 'a database keeps its data in the container',
    reason: 'A new container begins empty.',
    fix: 'Give it a volume.',
  },
  SBX425: {
    severity: 'error',
    title: 'a container is as strong as the host',
    reason: 'With privileged: true or the socket of Docker, who takes over the app has the machine.',
    fix: 'Remove it; grant the one capability that is needed.',
  },
  SBX426: {
    severity: 'error',
    title: 'the port that is published is not the one the app listens on',
    reason: 'Nobody listens there: connections are refused.',
    fix: 'Use the same number in PORT and behind the colon.',
  },
  SBX440: {
    severity: 'warning',
    title: 'no readiness probe',
    reason: 'Requests are sent to a pod that is still starting, or already draining.',
    fix: 'Add a readinessProbe on /readyz.',
  },
  SBX441: {
    severity: 'error',
    title: 'the liveness probe asks for dependencies',
    reason:
      'One blip of Redis or Postgres restarts every pod at once, and makes a fault of seconds an outage of minutes.',
    fix: 'Ask /livez, which touches none; readiness may ask /readyz.',
  },
  SBX442: {
    severity: 'warning',
    title: 'a container has no limit of memory',
    reason: 'A leak takes the node down with it.',
    fix: 'Set resources.requests and resources.limits.memory.',
  },
  SBX443: {
    severity: 'error',
    title: 'a probe or service asks a port that is not open',
    reason: 'It fails for ever: the pod is restarted, or gets no request.',
    fix: 'Use the containerPort, or its name.',
  },
  SBX444: {
    severity: 'error',
    title: 'a disruption budget that never allows one',
    reason: 'Nodes cannot be drained: every upgrade of the cluster hangs there.',
    fix: 'Set maxUnavailable: 1, or minAvailable below the replicas.',
  },
  SBX445: {
    severity: 'warning',
    title: 'all replicas may stop at once',
    reason: 'With strategy Recreate, or maxUnavailable 100%, every deployment is an outage.',
    fix: 'Use RollingUpdate with maxUnavailable 0 and maxSurge 1.',
  },
  SBX446: {
    severity: 'error',
    title: 'the selector of a service or deployment fits no pod',
    reason: 'The service has no endpoints, and every request is refused.',
    fix: 'Use the labels of the pod template.',
  },
  SBX447: {
    severity: 'note',
    title: 'one replica',
    reason: 'While its node is drained nobody answers.',
    fix: 'Run two or more, with a disruption budget.',
  },
  SBX448: {
    severity: 'error',
    title: 'a file cannot be read as what it is',
    reason: 'The deployment stops there, or uses an older state.',
    fix: 'Mend the syntax.',
  },
} as const;
