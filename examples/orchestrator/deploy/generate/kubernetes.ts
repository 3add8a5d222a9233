import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js';
import type { Namespace, Service, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { Ingress, NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { yaml, type Files } from './content.js';
import { APP, ENVIRONMENT, NOTICE, SCALE, SCRAPE, SECRETS, STOP_SECONDS } from './figures.js';
import { DEPLOYMENT, LABELS, SELECTOR } from './workload.js';

const NAMESPACE = 'signalbox';
const metadata = { name: APP.name, labels: LABELS };

const namespace: Namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: NAMESPACE,
    labels: {
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    },
  },
};

const serviceAccount: ServiceAccount = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata,
  automountServiceAccountToken: false,
};

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec: { selector: SELECTOR, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
};

/** For ingress-nginx. Its annotations are text. */
export const INGRESS_ANNOTATIONS = {
  'cert-manager.io/cluster-issuer': 'letsencrypt',
  // A Socket.IO client that polls has to come back to the process that knows it.
  'nginx.ingress.kubernetes.io/affinity': 'cookie',
  'nginx.ingress.kubernetes.io/affinity-mode': 'balanced',
  'nginx.ingress.kubernetes.io/session-cookie-name': 'signalbox-node',
  'nginx.ingress.kubernetes.io/session-cookie-samesite': 'Lax',
  'nginx.ingress.kubernetes.io/session-cookie-secure': 'true',
  'nginx.ingress.kubernetes.io/session-cookie-change-on-failure': 'true',
  'nginx.ingress.kubernetes.io/force-ssl-redirect': 'true',
  // Longer than the app may take to answer, and than Socket.IO is silent for.
  'nginx.ingress.kubernetes.io/proxy-read-timeout': String(2 * APP.answerSeconds),
  'nginx.ingress.kubernetes.io/proxy-send-timeout': String(2 * APP.answerSeconds),
  'nginx.ingress.kubernetes.io/proxy-body-size': '10m',
};

const host = new URL(ENVIRONMENT.PUBLIC_URL).host;

const ingress: Ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { ...metadata, annotations: INGRESS_ANNOTATIONS },
  spec: {
    ingressClassName: 'nginx',
    tls: [{ hosts: [host], secretName: `${APP.name}-tls` }],
    rules: [ruleFor(host)],
  },
};

function ruleFor(name: string): NonNullable<NonNullable<Ingress['spec']>['rules']>[number] {
  const backend = { service: { name: APP.name, port: { name: 'http' } } };
  return { host: name, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } };
}

const autoscaler: HorizontalPodAutoscaler = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata,
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: APP.name },
    minReplicas: SCALE.min,
    maxReplicas: SCALE.max,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: SCALE.cpuPercent } },
      },
    ],
    // Up at once; down one by one, each with the time to drain.
    behavior: {
      scaleUp: { policies: [{ type: 'Percent', value: 100, periodSeconds: 30 }] },
      scaleDown: {
        stabilizationWindowSeconds: 300,
        policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
      },
    },
  },
};

/** For where prometheus-adapter is: an autoscaler that cannot get one of its figures takes no pod away any more. */
const byRequests = {
  type: 'Pods',
  pods: {
    metric: { name: 'http_requests_per_second' },
    target: { type: 'AverageValue', averageValue: String(SCALE.requestsPerSecond) },
  },
};

const disruptionBudget: PodDisruptionBudget = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata,
  spec: { minAvailable: SCALE.min - 1, selector: { matchLabels: SELECTOR } },
};

export const PRIVATE_RANGES = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];
/** Postgres, Redis, SearXNG. */
export const PRIVATE_PORTS = [5432, 6379, 8080];
/** HTTPS and letters. */
export const PUBLIC_PORTS = [443, 465, 587];

const fromNamespace = (name: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
});
const tcp = (...ports: (number | string)[]) => ports.map((port) => ({ protocol: 'TCP', port }));

const networkPolicy: NetworkPolicy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata,
  spec: {
    podSelector: { matchLabels: SELECTOR },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [fromNamespace('ingress-nginx'), fromNamespace('monitoring')], ports: tcp('http') }],
    egress: [
      {
        to: [fromNamespace('kube-system')],
        ports: [{ protocol: 'UDP', port: 53 }, ...tcp(53)],
      },
      // What it stands on, wherever in the private network that is.
      {
        to: PRIVATE_RANGES.map((cidr) => ({ ipBlock: { cidr } })),
        ports: tcp(...PRIVATE_PORTS),
      },
      { to: [{ ipBlock: { cidr: '0.0.0.0/0' } }], ports: tcp(...PUBLIC_PORTS) },
    ],
  },
};

/** A kind of the Prometheus operator's. */
const serviceMonitor = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'ServiceMonitor',
  metadata,
  spec: {
    selector: { matchLabels: SELECTOR },
    endpoints: [
      {
        port: 'http',
        path: APP.probes.metrics,
        interval: SCRAPE.interval,
        authorization: { credentials: { name: APP.name, key: 'METRICS_TOKEN' } },
        relabelings: [{ targetLabel: 'job', replacement: SCRAPE.job }],
      },
    ],
  },
};

const kustomization = (kind: 'Kustomization' | 'Component', rest: object): object => ({
  apiVersion: kind === 'Component' ? 'kustomize.config.k8s.io/v1alpha1' : 'kustomize.config.k8s.io/v1beta1',
  kind,
  ...rest,
});

const lines = (values: Readonly<Record<string, string>>): string =>
  `# ${NOTICE}\n${Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')}`;

const RESOURCES = {
  'namespace.yaml': namespace,
  'service-account.yaml': serviceAccount,
  'deployment.yaml': DEPLOYMENT,
  'service.yaml': service,
  'ingress.yaml': ingress,
  'autoscaler.yaml': autoscaler,
  'disruption-budget.yaml': disruptionBudget,
  'network-policy.yaml': networkPolicy,
};

const BASE = kustomization('Kustomization', {
  namespace: NAMESPACE,
  resources: Object.keys(RESOURCES),
  // Their names end in a hash, so that a change of a setting rolls the pods.
  configMapGenerator: [{ name: APP.name, envs: ['settings.env'] }],
  secretGenerator: [{ name: APP.name, envs: ['secrets.env'] }],
});

interface Overlay {
  namespace: string;
  publicUrl: string;
  components: readonly string[];
  settings?: Readonly<Record<string, string>>;
  patches?: readonly { target: { kind: string }; patch: string }[];
}

function overlay({ namespace, publicUrl, components, settings = {}, patches = [] }: Overlay): object {
  const name = new URL(publicUrl).host;
  return kustomization('Kustomization', {
    resources: ['../../base'],
    components: components.map((component) => `../../components/${component}`),
    // Of the component's parts too.
    namespace,
    images: [{ name: APP.image, newTag: APP.version }],
    configMapGenerator: [
      {
        name: APP.name,
        behavior: 'merge',
        literals: Object.entries({ PUBLIC_URL: publicUrl, ...settings }).map((pair) => pair.join('=')),
      },
    ],
    patches: [
      {
        target: { kind: 'Ingress' },
        patch: yaml([
          { op: 'replace', path: '/spec/tls/0/hosts', value: [name] },
          { op: 'replace', path: '/spec/rules/0/host', value: name },
        ]),
      },
      ...patches,
    ],
  });
}

const STAGING = overlay({
  namespace: `${NAMESPACE}-staging`,
  publicUrl: 'https://staging.search.example.org',
  components: ['monitoring'],
  settings: { LOG_LEVEL: 'debug' },
  patches: [
    {
      target: { kind: 'HorizontalPodAutoscaler' },
      patch: yaml([
        { op: 'replace', path: '/spec/minReplicas', value: 1 },
        { op: 'replace', path: '/spec/maxReplicas', value: 2 },
      ]),
    },
    // One of one may go: a node could not be emptied otherwise.
    {
      target: { kind: 'PodDisruptionBudget' },
      patch: yaml([{ op: 'replace', path: '/spec/minAvailable', value: 0 }]),
    },
    {
      target: { kind: 'Ingress' },
      patch: yaml([
        {
          op: 'replace',
          path: '/metadata/annotations/cert-manager.io~1cluster-issuer',
          value: 'letsencrypt-staging',
        },
      ]),
    },
  ],
});

const PRODUCTION = overlay({
  namespace: NAMESPACE,
  publicUrl: ENVIRONMENT.PUBLIC_URL,
  components: ['monitoring', 'requests'],
  patches: [
    // With three and more there is always another node to go to.
    {
      target: { kind: 'Deployment' },
      patch: yaml([
        {
          op: 'replace',
          path: '/spec/template/spec/topologySpreadConstraints/1/whenUnsatisfiable',
          value: 'DoNotSchedule',
        },
        { op: 'add', path: '/spec/progressDeadlineSeconds', value: 10 * STOP_SECONDS },
      ]),
    },
  ],
});

export function kubernetesFiles(): Files {
  const base = Object.entries(RESOURCES).map(([name, resource]) => [`kubernetes/base/${name}`, resource]);
  return {
    ...Object.fromEntries(base),
    'kubernetes/base/kustomization.yaml': BASE,
    'kubernetes/base/settings.env': lines(ENVIRONMENT),
    'kubernetes/base/secrets.env': lines(SECRETS),
    'kubernetes/components/monitoring/service-monitor.yaml': serviceMonitor,
    'kubernetes/components/monitoring/kustomization.yaml': kustomization('Component', {
      resources: ['service-monitor.yaml', 'rules.yaml'],
      configurations: ['names.yaml'],
    }),
    'kubernetes/components/requests/kustomization.yaml': kustomization('Component', {
      patches: [
        {
          target: { kind: 'HorizontalPodAutoscaler' },
          patch: yaml([{ op: 'add', path: '/spec/metrics/-', value: byRequests }]),
        },
      ],
    }),
    // The name of the secret ends in a hash there too.
    'kubernetes/components/monitoring/names.yaml': {
      nameReference: [
        {
          kind: 'Secret',
          version: 'v1',
          fieldSpecs: [{ kind: 'ServiceMonitor', path: 'spec/endpoints/authorization/credentials/name' }],
        },
      ],
    },
    'kubernetes/overlays/staging/kustomization.yaml': STAGING,
    'kubernetes/overlays/production/kustomization.yaml': PRODUCTION,
  };
}
