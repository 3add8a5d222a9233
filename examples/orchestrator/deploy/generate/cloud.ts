import type { Files } from './content.js';
import { APP, ENVIRONMENT, RESOURCES, SCALE, SECRET_NAMES, STOP_SECONDS } from './figures.js';

/** Each cloud takes images from its own registry without further ado, and some from no other. */
const imageIn = (registry: string): string => `${registry}/${APP.name}:${APP.version}`;
const settingsWith = (own: Readonly<Record<string, string>>): { name: string; value: string }[] =>
  Object.entries({ ...ENVIRONMENT, ...own }).map(([name, value]) => ({ name, value }));
const SETTINGS = settingsWith({});
const MEGABYTES = Number.parseInt(RESOURCES.memoryLimit, 10);
const GIGABYTES = MEGABYTES / 1_024;

/** Without curl, which the image does not have. */
const HEALTH_COMMAND = [
  'node',
  '-e',
  `fetch('http://127.0.0.1:${APP.port}${APP.probes.live}').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`,
];

const AWS = {
  region: 'eu-central-1',
  account: '111122223333',
  /** Secrets Manager adds six characters to the name; where a key of a secret is asked for, they have to be there. */
  secret: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:signalbox/orchestrator-AbCdEf',
  log: `/ecs/${APP.name}`,
} as const;

/** `aws ecs register-task-definition --cli-input-json file://task-definition.json`. */
const TASK = {
  family: APP.name,
  requiresCompatibilities: ['FARGATE'],
  networkMode: 'awsvpc',
  // Fargate has memory in whole gigabytes for half a processor.
  cpu: '512',
  memory: '1024',
  runtimePlatform: { cpuArchitecture: 'X86_64', operatingSystemFamily: 'LINUX' },
  // Reads the secrets and writes the log; the app itself needs nothing of AWS.
  executionRoleArn: `arn:aws:iam::${AWS.account}:role/${APP.name}-execution`,
  containerDefinitions: [
    {
      name: 'app',
      image: imageIn(`${AWS.account}.dkr.ecr.${AWS.region}.amazonaws.com`),
      essential: true,
      user: String(APP.user),
      readonlyRootFilesystem: true,
      linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
      portMappings: [{ name: 'http', containerPort: APP.port, protocol: 'tcp', appProtocol: 'http' }],
      environment: SETTINGS,
      secrets: SECRET_NAMES.map((name) => ({
        name,
        valueFrom: `${AWS.secret}:${name}::`,
      })),
      healthCheck: {
        command: ['CMD', ...HEALTH_COMMAND],
        interval: 10,
        timeout: 3,
        retries: 3,
        startPeriod: 60,
      },
      stopTimeout: STOP_SECONDS,
      logConfiguration: {
        logDriver: 'awslogs',
        options: {
          'awslogs-group': AWS.log,
          'awslogs-region': AWS.region,
          'awslogs-stream-prefix': 'app',
          // The process does not wait for the log: lines are dropped where CloudWatch is slow.
          mode: 'non-blocking',
          'max-buffer-size': '8m',
        },
      },
    },
  ],
};

/** `aws iam create-role --assume-role-policy-document file://execution-trust.json`: ECS itself, and nobody else. */
const EXECUTION_TRUST = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' },
  ],
};

/** `aws iam put-role-policy --policy-document file://execution-policy.json`: this image, this secret, this log. */
const EXECUTION_POLICY = {
  Version: '2012-10-17',
  Statement: [
    // A login is for the whole registry; there is no smaller one.
    { Sid: 'Login', Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    {
      Sid: 'Image',
      Effect: 'Allow',
      Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      Resource: `arn:aws:ecr:${AWS.region}:${AWS.account}:repository/${APP.name}`,
    },
    { Sid: 'Secret', Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: AWS.secret },
    {
      Sid: 'Log',
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: `arn:aws:logs:${AWS.region}:${AWS.account}:log-group:${AWS.log}:*`,
    },
  ],
};

/** `aws ecs create-service --cli-input-json file://service.json`. */
const SERVICE = {
  serviceName: APP.name,
  cluster: 'signalbox',
  taskDefinition: APP.name,
  launchType: 'FARGATE',
  desiredCount: SCALE.replicas,
  availabilityZoneRebalancing: 'ENABLED',
  deploymentConfiguration: {
    minimumHealthyPercent: 100,
    maximumPercent: 200,
    deploymentCircuitBreaker: { enable: true, rollback: true },
  },
  healthCheckGracePeriodSeconds: 60,
  loadBalancers: [
    {
      targetGroupArn: `arn:aws:elasticloadbalancing:${AWS.region}:${AWS.account}:targetgroup/signalbox/0123456789abcdef`,
      containerName: 'app',
      containerPort: APP.port,
    },
  ],
  networkConfiguration: {
    awsvpcConfiguration: {
      assignPublicIp: 'DISABLED',
      subnets: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
      securityGroups: ['sg-0123456789abcdef0'],
    },
  },
};

/** `aws elbv2 create-target-group --cli-input-json file://target-group.json`. */
const TARGET_GROUP = {
  Name: 'signalbox',
  Protocol: 'HTTP',
  Port: APP.port,
  TargetType: 'ip',
  VpcId: 'vpc-0123456789abcdef0',
  HealthCheckPath: APP.probes.ready,
  HealthCheckIntervalSeconds: 5,
  HealthCheckTimeoutSeconds: 2,
  HealthyThresholdCount: 2,
  UnhealthyThresholdCount: 2,
  Matcher: { HttpCode: '200' },
};

/** A Socket.IO client that polls comes back to the task that knows it; a task that goes is given the time to drain. */
const TARGET_GROUP_ATTRIBUTES = [
  { Key: 'stickiness.enabled', Value: 'true' },
  { Key: 'stickiness.type', Value: 'lb_cookie' },
  { Key: 'stickiness.lb_cookie.duration_seconds', Value: '86400' },
  { Key: 'deregistration_delay.timeout_seconds', Value: String(APP.drainSeconds) },
];

/** Longer than anything may take, and shorter than the app keeps an idle connection. */
const LOAD_BALANCER_ATTRIBUTES = [
  { Key: 'idle_timeout.timeout_seconds', Value: String(2 * APP.answerSeconds) },
];

const googleProbe = (path: string, periodSeconds: number, failureThreshold: number): object => ({
  httpGet: { path, port: APP.port },
  periodSeconds,
  timeoutSeconds: 2,
  failureThreshold,
});

/**
 * Cloud Run gives the port by itself, and lets nobody set it. Between it and a visitor are its own proxy and the load
 * balancer, whose addresses nobody knows beforehand; the ingress lets nobody else in.
 */
const googleSettings = settingsWith({ TRUST_PROXY: '2' }).filter(({ name }) => name !== 'PORT');

/** `gcloud run services replace service.yaml`. */
const CLOUD_RUN = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: {
    name: APP.name,
    annotations: {
      'run.googleapis.com/ingress': 'internal-and-cloud-load-balancing',
      // Visitors have no account at Google; who may do what is for the app to say.
      'run.googleapis.com/invoker-iam-disabled': 'true',
    },
  },
  spec: {
    template: {
      metadata: {
        annotations: {
          'autoscaling.knative.dev/minScale': String(SCALE.min),
          'autoscaling.knative.dev/maxScale': String(SCALE.max),
          // What goes on after an answer, such as jobs and pings, needs the processor then, too.
          'run.googleapis.com/cpu-throttling': 'false',
          'run.googleapis.com/startup-cpu-boost': 'true',
          'run.googleapis.com/sessionAffinity': 'true',
          'run.googleapis.com/execution-environment': 'gen2',
          // Redis and Postgres have addresses of a private network; everything else goes out as before.
          'run.googleapis.com/network-interfaces': '[{"network":"signalbox","subnetwork":"signalbox"}]',
          'run.googleapis.com/vpc-access-egress': 'private-ranges-only',
        },
      },
      spec: {
        containerConcurrency: 250,
        // A WebSocket is a request that lasts; the app has a deadline of its own for all others.
        timeoutSeconds: 3_600,
        serviceAccountName: `${APP.name}@PROJECT.iam.gserviceaccount.com`,
        containers: [
          {
            name: 'app',
            image: imageIn('europe-west1-docker.pkg.dev/PROJECT/signalbox'),
            ports: [{ name: 'http1', containerPort: APP.port }],
            env: [
              ...googleSettings,
              ...SECRET_NAMES.map((name) => ({
                name,
                valueFrom: {
                  secretKeyRef: {
                    name: `signalbox-${name.toLowerCase().replaceAll('_', '-')}`,
                    key: 'latest',
                  },
                },
              })),
            ],
            resources: { limits: { cpu: '1', memory: '1Gi' } },
            startupProbe: googleProbe(APP.probes.live, 2, 30),
            livenessProbe: googleProbe(APP.probes.live, 10, 3),
          },
        ],
      },
    },
  },
};

const azureProbe = (type: string, path: string, periodSeconds: number, failureThreshold: number): object => ({
  type,
  httpGet: { path, port: APP.port },
  periodSeconds,
  timeoutSeconds: 2,
  failureThreshold,
});

const AZURE = {
  group: '/subscriptions/SUBSCRIPTION/resourceGroups/signalbox/providers',
  registry: 'signalbox.azurecr.io',
} as const;

/** Made before the app: one that comes with the app has no right to the secrets yet when the app first asks for them. */
const AZURE_IDENTITY = `${AZURE.group}/Microsoft.ManagedIdentity/userAssignedIdentities/${APP.name}`;

const azureName = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/** `az containerapp create --yaml container-app.yaml`. */
const CONTAINER_APP = {
  type: 'Microsoft.App/containerApps',
  name: APP.name,
  location: 'westeurope',
  identity: { type: 'UserAssigned', userAssignedIdentities: { [AZURE_IDENTITY]: {} } },
  properties: {
    managedEnvironmentId: `${AZURE.group}/Microsoft.App/managedEnvironments/signalbox`,
    configuration: {
      activeRevisionsMode: 'Single',
      ingress: {
        external: true,
        targetPort: APP.port,
        transport: 'auto',
        allowInsecure: false,
        stickySessions: { affinity: 'sticky' },
      },
      secrets: SECRET_NAMES.map((name) => ({
        name: azureName(name),
        keyVaultUrl: `https://signalbox.vault.azure.net/secrets/${azureName(name)}`,
        identity: AZURE_IDENTITY,
      })),
      registries: [{ server: AZURE.registry, identity: AZURE_IDENTITY }],
    },
    template: {
      terminationGracePeriodSeconds: STOP_SECONDS,
      containers: [
        {
          name: 'app',
          image: imageIn(AZURE.registry),
          resources: { cpu: 0.5, memory: '1Gi' },
          env: [
            // Its ingress is one proxy, and the only way in.
            ...settingsWith({ TRUST_PROXY: '1' }),
            ...SECRET_NAMES.map((name) => ({ name, secretRef: azureName(name) })),
          ],
          probes: [
            // A minute, in the ten failures that are the most here.
            azureProbe('Startup', APP.probes.live, 6, 10),
            azureProbe('Readiness', APP.probes.ready, 5, 2),
            azureProbe('Liveness', APP.probes.live, 10, 3),
          ],
        },
      ],
      scale: {
        minReplicas: SCALE.min,
        maxReplicas: SCALE.max,
        rules: [
          { name: 'requests', http: { metadata: { concurrentRequests: String(SCALE.requestsPerSecond) } } },
          {
            name: 'cpu',
            custom: { type: 'cpu', metadata: { type: 'Utilization', value: String(SCALE.cpuPercent) } },
          },
        ],
      },
    },
  },
};

/** `az container create --file container-group.yaml`. One container and no balancer: for trying it. */
const CONTAINER_GROUP = {
  apiVersion: '2023-05-01',
  type: 'Microsoft.ContainerInstance/containerGroups',
  name: APP.name,
  location: 'westeurope',
  properties: {
    osType: 'Linux',
    restartPolicy: 'Always',
    subnetIds: [
      {
        id: `${AZURE.group}/Microsoft.Network/virtualNetworks/signalbox/subnets/containers`,
      },
    ],
    ipAddress: { type: 'Private', ports: [{ protocol: 'TCP', port: APP.port }] },
    diagnostics: {
      logAnalytics: { workspaceId: 'WORKSPACE', workspaceKey: 'replace-me', logType: 'ContainerInsights' },
    },
    imageRegistryCredentials: [{ server: AZURE.registry, username: 'signalbox', password: 'replace-me' }],
    containers: [
      {
        name: 'app',
        properties: {
          image: imageIn(AZURE.registry),
          ports: [{ protocol: 'TCP', port: APP.port }],
          resources: { requests: { cpu: 1, memoryInGB: Math.ceil(GIGABYTES) } },
          environmentVariables: [
            ...SETTINGS,
            // Kept from whoever reads the group; the placeholders are refused by the app.
            ...SECRET_NAMES.map((name) => ({ name, secureValue: 'replace-me' })),
          ],
          readinessProbe: azureInstanceProbe(APP.probes.ready, 5, 2),
          livenessProbe: azureInstanceProbe(APP.probes.live, 10, 3, 60),
        },
      },
    ],
  },
};

function azureInstanceProbe(
  path: string,
  periodSeconds: number,
  failureThreshold: number,
  initialDelaySeconds = 0,
): object {
  const httpGet = { path, port: APP.port, scheme: 'http' };
  return { httpGet, periodSeconds, failureThreshold, timeoutSeconds: 2, initialDelaySeconds };
}

/** For Heroku and what reads its files. PORT is given; HOST has to be set there. */
const PROCFILE = 'web: node examples/orchestrator/dist/main.js\n';

export function cloudFiles(): Files {
  return {
    'cloud/aws/task-definition.json': TASK,
    'cloud/aws/execution-trust.json': EXECUTION_TRUST,
    'cloud/aws/execution-policy.json': EXECUTION_POLICY,
    'cloud/aws/service.json': SERVICE,
    'cloud/aws/target-group.json': TARGET_GROUP,
    'cloud/aws/target-group-attributes.json': TARGET_GROUP_ATTRIBUTES,
    'cloud/aws/load-balancer-attributes.json': LOAD_BALANCER_ATTRIBUTES,
    'cloud/gcp/service.yaml': CLOUD_RUN,
    'cloud/azure/container-app.yaml': CONTAINER_APP,
    'cloud/azure/container-group.yaml': CONTAINER_GROUP,
    'cloud/Procfile': PROCFILE,
  };
}
