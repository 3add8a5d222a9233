// The page of all settings, in docs/guide/configuration.md.
import { describeConfig, type SettingDescription } from '@signalbox/config';
import { SETTINGS } from '../../src/settings.js';
import { BACKUP_SETTINGS } from '../backup/src/settings.js';
import { defaultInWords } from '../machine.js';

/** What belongs together, in the order in which somebody sets it. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Where it listens': [
    'HOST',
    'PORT',
    'SOCKET',
    'NODE_ENV',
    'PUBLIC_URL',
    'TRUST_PROXY',
    'KEEP_ALIVE',
    'WORKERS',
  ],
  Secrets: ['SECRET_KEYS', 'JWT_PRIVATE_KEYS', 'METRICS_TOKEN'],
  'What it stands on': [
    'REDIS_URL',
    'CACHE_REDIS_URL',
    'REDIS_DEADLINE',
    'DATABASE_URL',
    'DATABASE_POOL',
    'SEARXNG_URLS',
    'EMBEDDED_FALLBACK',
  ],
  'Who may do what': ['ADMIN_ALLOW', 'ADMIN_EMAIL', 'ADMIN_PASSWORD', 'CORS_ORIGINS', 'SCREENING'],
  'Limits and cache': ['RATE_API', 'RATE_SEARCH', 'RATE_LOGIN', 'CACHE_TTL'],
  'Letters and alerts': [
    'SMTP_URL',
    'MAIL_FROM',
    'ALERT_SLACK_URL',
    'ALERT_EMAIL_TO',
    'ALERT_SMTP_URL',
    'ALERT_PAGERDUTY_KEY',
    'ALERT_WEBHOOK_URL',
    'ALERT_WEBHOOK_SECRET',
    'BACKUP_SUCCESS_FILE',
  ],
  Log: ['LOG_LEVEL', 'LOG_FILE', 'PRIVACY'],
};

/** `docs/guide/configuration.md`. */
export function configurationPage(): string {
  const settings = new Map(describeConfig(SETTINGS).map((setting) => [setting.name, setting]));
  const groups = Object.entries(GROUPS).map(([title, names]) => {
    const rows = names.map((name) => {
      const setting = settings.get(name);
      if (setting === undefined) throw new Error(`There is no setting ${name}`);
      settings.delete(name);
      return setting;
    });
    return `## ${title}\n\n${tableOf(rows)}`;
  });
  if (settings.size > 0) throw new Error(`In no group: ${[...settings.keys()].join(', ')}`);
  return `# Configuration

Every setting of the orchestrator, made from the schema that reads them
([\`settings.ts\`](../../examples/orchestrator/src/settings.ts)). None has to be set to try it; \`NODE_ENV=production\` wants
\`SECRET_KEYS\`, and [a deployment](deployment.md) wants more.

Where a value comes from, the first that has it: an argument (\`npm start -- --log-level debug\`), the environment
(\`LOG_LEVEL=debug\`), a \`.env\` in the working directory, the default. \`NAME_FILE\` reads the value of \`NAME\` from a file, which is
the better place for a secret. A wrong value, and an argument that is none, stop the start with exit code 78 and every problem at once.

\`\`\`sh
npm start -- --print-config    # what holds, and where it comes from, without secrets
npm start -- --help
\`\`\`

${groups.join('\n\n')}

## Other programs

- The process manager, which \`WORKERS\` starts, takes the options of \`signalbox start\` from \`signalbox.config.js\` and
  \`SIGNALBOX_…\`: [cluster](../../packages/cluster/README.md).
- The [worker](../../examples/worker/README.md) takes \`REDIS_URL\` only.
- [Backups](backup.md) are a program of their own, with settings of its own:

${tableOf(describeConfig(BACKUP_SETTINGS))}
`;
}

function tableOf(settings: readonly SettingDescription[]): string {
  const rows = settings.map((setting) => {
    const { name, wanted, description = '', required } = setting;
    const value = defaultInWords(setting);
    const holds = required ? value || 'must be set' : value && `\`${value}\``;
    return `| ${[`\`${name}\``, description, wanted, holds].join(' | ')} |`;
  });
  return `| name | what it is | how it is written | default |\n|---|---|---|---|\n${rows.join('\n')}`;
}
