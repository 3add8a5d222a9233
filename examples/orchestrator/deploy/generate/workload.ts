import type { Deployment, DeploymentSpec } from 'kubernetes-types/apps/v1.js';
import type { Container, PodSpec, Probe, TopologySpreadConstraint } from 'kubernetes-types/core/v1.js';
import { APP, GRACE_SECONDS, PRE_STOP_SECONDS, RESOURCES } from './figures.js';

/** What tells the pods of the app from others. */
export const SELECTOR = { 'app.kubernetes.io/name': APP.name };
export const LABELS = {
  ...SELECTOR,
  'app.kubernetes.io/version': APP.version,
  'app.kubernetes.io/part-of': 'signalbox',
};

const asks = (path: string, periodSeconds: number, failureThreshold: number): Probe => ({
  httpGet: { path, port: 'http' },
  periodSeconds,
  timeoutSeconds: 2,
  failureThreshold,
});

/** Started, ready and alive are three questions: a database that is away is no reason to start anew. */
export const PROBES: Pick<Container, 'startupProbe' | 'readinessProbe' | 'livenessProbe'> = {
  startupProbe: asks(APP.probes.live, 2, 30),
  readinessProbe: asks(APP.probes.ready, 5, 2),
  livenessProbe: asks(APP.probes.live, 10, 3),
};

export const CONTAINER_OF_APP: Container = {
  name: 'app',
  image: `${APP.image}:${APP.version}`,
  imagePullPolicy: 'IfNotPresent',
  ports: [{ name: 'http', containerPort: APP.port }],
  envFrom: [{ configMapRef: { name: APP.name } }, { secretRef: { name: APP.name } }],
  ...PROBES,
  // The kubelet waits by itself, so that no shell is needed in the image.
  lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
  resources: {
    requests: { cpu: RESOURCES.cpuRequest, memory: RESOURCES.memoryRequest },
    // No limit of CPU: throttling would show as latency that nobody can explain.
    limits: { memory: RESOURCES.memoryLimit },
  },
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
  volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
};

/** Evenly, where there is room. */
const spreadOver = (topologyKey: string): TopologySpreadConstraint => ({
  maxSkew: 1,
  topologyKey,
  whenUnsatisfiable: 'ScheduleAnyway',
  // A node that is being emptied, or takes no pods of others, would count as one with room for ever.
  nodeTaintsPolicy: 'Honor',
  labelSelector: { matchLabels: SELECTOR },
  // Without it the pods that a rollout replaces count, too, and where they went there is nobody afterwards.
  matchLabelKeys: ['pod-template-hash'],
});

export const POD_OF_APP: PodSpec = {
  serviceAccountName: APP.name,
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: GRACE_SECONDS,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: APP.user,
    runAsGroup: APP.user,
    fsGroup: APP.user,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map(spreadOver),
  containers: [CONTAINER_OF_APP],
  volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } }],
};

const SPEC: DeploymentSpec = {
  // How many there are is the autoscaler's to say: a figure here would be set back, or refused, with each update.
  revisionHistoryLimit: 5,
  // A new one is ready before an old one goes.
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  minReadySeconds: 5,
  selector: { matchLabels: SELECTOR },
  template: { metadata: { labels: LABELS }, spec: POD_OF_APP },
};

export const DEPLOYMENT: Deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: APP.name, labels: LABELS },
  spec: SPEC,
};
