import type { Files } from './content.js';
import {
  APP,
  ENVIRONMENT,
  GRACE_SECONDS,
  PRE_STOP_SECONDS,
  SCALE,
  SCRAPE,
  SECRET_NAMES,
  STOP_SECONDS,
} from './figures.js';
import { CONTAINER_OF_APP, POD_OF_APP, PROBES } from './workload.js';
import { INGRESS_ANNOTATIONS, PRIVATE_PORTS, PRIVATE_RANGES, PUBLIC_PORTS } from './kubernetes.js';

// Both have a value of their own, since other parts of the chart go by them, too.
const { PUBLIC_URL, PORT, ...settings } = ENVIRONMENT;

const VALUES = {
  image: { repository: APP.image, tag: '', pullPolicy: 'IfNotPresent' },
  imagePullSecrets: [],
  replicas: SCALE.replicas,
  publicUrl: PUBLIC_URL,
  settings,
  existingSecret: '',
  secrets: Object.fromEntries(SECRET_NAMES.map((name) => [name, ''])),
  containerPort: Number(PORT),
  probes: {
    startup: PROBES.startupProbe,
    readiness: PROBES.readinessProbe,
    liveness: PROBES.livenessProbe,
  },
  preStopSeconds: PRE_STOP_SECONDS,
  terminationGracePeriodSeconds: GRACE_SECONDS,
  resources: CONTAINER_OF_APP.resources,
  podSecurityContext: POD_OF_APP.securityContext,
  securityContext: CONTAINER_OF_APP.securityContext,
  spread: { zones: 'ScheduleAnyway', nodes: 'ScheduleAnyway' },
  nodeSelector: {},
  tolerations: [],
  service: { port: 80 },
  ingress: {
    enabled: true,
    className: 'nginx',
    annotations: INGRESS_ANNOTATIONS,
    tlsSecret: '',
  },
  autoscaling: {
    enabled: true,
    min: SCALE.min,
    max: SCALE.max,
    cpuPercent: SCALE.cpuPercent,
    // Not by requests until prometheus-adapter is there: without its figure no pod would ever be taken away.
    requestsPerSecond: 0,
  },
  disruptionBudget: { enabled: true, minAvailable: SCALE.min - 1 },
  networkPolicy: {
    enabled: true,
    fromNamespaces: ['ingress-nginx', 'monitoring'],
    privateRanges: PRIVATE_RANGES,
    privatePorts: PRIVATE_PORTS,
    publicPorts: PUBLIC_PORTS,
  },
  serviceMonitor: { enabled: false, interval: SCRAPE.interval },
};

const text = { type: 'string' };
const flag = { type: 'boolean' };
const whole = (minimum: number, maximum?: number): object => ({ type: 'integer', minimum, maximum });
const port = whole(1, 65_535);
const anything = { type: 'object' };
const closed = (properties: object): object => ({
  type: 'object',
  additionalProperties: false,
  properties,
});
const list = (items: object): object => ({ type: 'array', items });
const placement = { enum: ['ScheduleAnyway', 'DoNotSchedule'] };

/** A name that nobody knows is an error. */
const SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: APP.name,
  ...closed({
    image: closed({
      repository: { type: 'string', minLength: 1 },
      tag: text,
      pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
    }),
    imagePullSecrets: list(closed({ name: text })),
    replicas: whole(1),
    publicUrl: { type: 'string', pattern: '^https?://[^/]+$' },
    settings: {
      type: 'object',
      propertyNames: { pattern: '^[A-Z][A-Z0-9_]*$' },
      additionalProperties: text,
    },
    existingSecret: text,
    secrets: {
      type: 'object',
      propertyNames: { pattern: '^[A-Z][A-Z0-9_]*$' },
      additionalProperties: text,
    },
    containerPort: port,
    probes: closed({ startup: anything, readiness: anything, liveness: anything }),
    preStopSeconds: whole(0),
    terminationGracePeriodSeconds: whole(STOP_SECONDS),
    resources: closed({ requests: anything, limits: anything }),
    podSecurityContext: anything,
    securityContext: anything,
    spread: closed({ zones: placement, nodes: placement }),
    nodeSelector: anything,
    tolerations: list(anything),
    service: closed({ port }),
    ingress: closed({
      enabled: flag,
      className: text,
      annotations: { type: 'object', additionalProperties: text },
      tlsSecret: text,
    }),
    autoscaling: closed({
      enabled: flag,
      min: whole(1),
      max: whole(1),
      cpuPercent: whole(1, 100),
      requestsPerSecond: whole(0),
    }),
    disruptionBudget: closed({ enabled: flag, minAvailable: whole(0) }),
    networkPolicy: closed({
      enabled: flag,
      fromNamespaces: list(text),
      privateRanges: list(text),
      privatePorts: list(port),
      publicPorts: list(port),
    }),
    serviceMonitor: closed({ enabled: flag, interval: { type: 'string', pattern: '^\\d+[smh]$' } }),
    global: anything,
  }),
};

/** The templates are written by hand; what they are filled with is here. */
export function helmFiles(): Files {
  return {
    'helm/Chart.yaml': {
      apiVersion: 'v2',
      name: APP.name,
      description: 'A search gateway in front of SearXNG',
      type: 'application',
      version: APP.version,
      appVersion: APP.version,
      // What the grace must hold besides the sleep before it.
      annotations: { 'signalbox/stop-seconds': String(STOP_SECONDS) },
      // The first that lets the kubelet sleep before it stops a container.
      kubeVersion: '>=1.30.0-0',
    },
    'helm/values.yaml': VALUES,
    'helm/values.schema.json': SCHEMA,
  };
}
