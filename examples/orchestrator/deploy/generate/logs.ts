import type { Files } from './content.js';
import { NOTICE, SCRAPE, SLO } from './figures.js';

/** Fields of the app's log lines, by the name that Elastic's common schema has for them, and what it keeps them as. */
export const LOG_FIELDS = {
  level: ['log.level', 'keyword'],
  msg: ['message', 'match_only_text'],
  pid: ['process.pid', 'long'],
  reqId: ['http.request.id', 'keyword'],
  traceId: ['trace.id', 'keyword'],
  method: ['http.request.method', 'keyword'],
  route: ['signalbox.route', 'keyword'],
  status: ['http.response.status_code', 'short'],
  bytes: ['http.response.bytes', 'long'],
  durationMs: ['signalbox.duration_ms', 'float'],
  outcome: ['signalbox.outcome', 'keyword'],
  code: ['signalbox.code', 'keyword'],
  visitor: ['signalbox.visitor', 'keyword'],
} as const;

/** What Loki finds lines by without reading them; few values, or it has a stream for each. */
const LABELS = ['level'];
/** Kept beside the line. */
const BESIDE = ['reqId', 'traceId', 'route', 'status', 'outcome'];
/** What queries find lines by. */
export const LOKI_NAMES: readonly string[] = ['job', ...LABELS, ...BESIDE];
const RETENTION_DAYS = SLO.days;
const COMPOSE_SERVICE = 'app';

/** Docker gives each 16 KiB of a line a time of its own, which would stand within the text. */
const SPLIT = String.raw`(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z )`;

const entries = (names: readonly string[]): string => names.map((name) => `${name} = ""`).join(', ');

const ALLOY = `// ${NOTICE}

discovery.docker "app" {
  host = "unix:///var/run/docker.sock"

  filter {
    name   = "label"
    values = ["com.docker.compose.service=${COMPOSE_SERVICE}"]
  }
}

discovery.relabel "app" {
  targets = discovery.docker.app.targets

  rule {
    source_labels = ["__meta_docker_container_name"]
    regex         = "/(.*)"
    target_label  = "instance"
  }
}

loki.source.docker "app" {
  host       = "unix:///var/run/docker.sock"
  targets    = discovery.relabel.app.output
  labels     = { job = "${SCRAPE.job}" }
  forward_to = [loki.process.app.receiver]
}

loki.process "app" {
  stage.replace {
    expression = \`${SPLIT}\`
    replace    = ""
  }

  stage.json {
    expressions = { time = "", ${entries([...LABELS, ...BESIDE])} }
  }

  stage.timestamp {
    source = "time"
    format = "RFC3339Nano"
    // What is no JSON, such as the last words of a crash, has the time at which Docker got it.
    action_on_failure = "skip"
  }

  stage.labels {
    values = { ${entries(LABELS)} }
  }

  stage.structured_metadata {
    values = { ${entries(BESIDE)} }
  }

  forward_to = [loki.write.loki.receiver]
}

loki.write "loki" {
  endpoint {
    url = "http://loki:3100/loki/api/v1/push"
  }
}
`;

/** One process, its chunks in a folder: enough for some gigabytes a day. */
const LOKI = {
  auth_enabled: false,
  server: { http_listen_port: 3100 },
  common: {
    path_prefix: '/loki',
    replication_factor: 1,
    ring: { instance_addr: '127.0.0.1', kvstore: { store: 'inmemory' } },
    storage: { filesystem: { chunks_directory: '/loki/chunks', rules_directory: '/loki/rules' } },
  },
  schema_config: {
    configs: [
      {
        from: '2024-01-01',
        store: 'tsdb',
        object_store: 'filesystem',
        schema: 'v13',
        index: { prefix: 'index_', period: '24h' },
      },
    ],
  },
  limits_config: { retention_period: `${RETENTION_DAYS * 24}h`, allow_structured_metadata: true },
  compactor: {
    working_directory: '/loki/compactor',
    retention_enabled: true,
    delete_request_store: 'filesystem',
  },
  analytics: { reporting_enabled: false },
};

const FILEBEAT = {
  'filebeat.autodiscover': {
    providers: [
      {
        type: 'docker',
        'labels.dedot': true,
        templates: [
          {
            condition: { equals: { 'docker.container.labels.com_docker_compose_service': COMPOSE_SERVICE } },
            config: [
              {
                type: 'container',
                paths: ['/var/lib/docker/containers/${data.docker.container.id}/*.log'],
                fields: { service: SCRAPE.job },
                fields_under_root: false,
              },
            ],
          },
        ],
      },
    ],
  },
  'output.logstash': { hosts: ['logstash:5044'] },
  'logging.level': 'warning',
};

const nested = (name: string): string => name.replaceAll(/[^.]+/g, '[$&]').replaceAll('.', '');

const LOGSTASH = `# ${NOTICE}

input {
  beats {
    port => 5044
  }
}

filter {
  # What is no JSON, such as the last words of a crash, stays as it is.
  json {
    source => "message"
    target => "line"
    skip_on_invalid_json => true
  }

  if [line][level] {
    date {
      match => ["[line][time]", "ISO8601"]
    }
    mutate {
      remove_field => ["message"]
    }
    mutate {
      rename => {
${Object.entries(LOG_FIELDS)
  .map(([field, [name]]) => `        "[line][${field}]" => "${nested(name)}"`)
  .join('\n')}
      }
      remove_field => ["[line][time]"]
    }
    # What is left are fields of single messages; one field for all of them keeps the index small.
    mutate {
      rename => { "[line]" => "[signalbox][more]" }
    }
  }

  mutate {
    # A number is JSON, too, and no line of the app's. What came in is not kept a second time.
    remove_field => ["line", "[event][original]"]
    add_field => {
      "[data_stream][type]" => "logs"
      "[data_stream][dataset]" => "signalbox.${SCRAPE.job}"
      "[data_stream][namespace]" => "default"
      "[service][name]" => "${SCRAPE.job}"
    }
  }
}

output {
  elasticsearch {
    hosts => ["http://elasticsearch:9200"]
    data_stream => true
  }
}
`;

const INDEX_TEMPLATE = {
  index_patterns: ['logs-signalbox.*'],
  data_stream: {},
  priority: 200,
  template: {
    lifecycle: { data_retention: `${RETENTION_DAYS}d` },
    mappings: {
      dynamic: false,
      properties: {
        '@timestamp': { type: 'date' },
        ...Object.fromEntries(Object.values(LOG_FIELDS).map(([name, type]) => [name, { type }])),
        'service.name': { type: 'keyword' },
        // In characters; Lucene takes 32 766 bytes, and Elasticsearch refuses the whole line for one more.
        'signalbox.more': { type: 'flattened', ignore_above: 8_191 },
      },
    },
  },
};

/** Pipelines for the lines that the app writes to stdout. */
export function logFiles(): Files {
  return {
    'monitoring/loki/config.alloy': ALLOY,
    'monitoring/loki/loki.yml': LOKI,
    'monitoring/elk/filebeat.yml': FILEBEAT,
    'monitoring/elk/logstash.conf': LOGSTASH,
    'monitoring/elk/index-template.json': INDEX_TEMPLATE,
  };
}
