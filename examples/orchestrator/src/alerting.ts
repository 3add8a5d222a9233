import {
  alerts,
  backupAge,
  certificate,
  standardRules,
  sunset,
  type AlertRule,
  type Alerts,
} from '@signalbox/alerts';
import type { Logger } from '@signalbox/logging';
import type { Metrics } from '@signalbox/metrics';
import type { RedisLink } from '@signalbox/redis';
import { alertChannels, runbooksOf } from './alert-channels.js';
import { API_SUNSETS } from './api-versions.js';
import type { Settings } from './settings.js';

interface Parts {
  registry: Metrics['registry'];
  redis: RedisLink | undefined;
  logger: Logger;
}

/** Tells operators what is wrong: in the log always, and wherever the settings say. */
export function alerting(settings: Settings, { registry, redis, logger }: Parts): Alerts {
  return alerts({
    service: 'orchestrator',
    environment: settings.NODE_ENV,
    channels: alertChannels(settings, logger),
    rules: rulesOf(settings),
    registry,
    redis,
    runbooks: runbooksOf(settings),
  });
}

function rulesOf({ PUBLIC_URL, BACKUP_SUCCESS_FILE }: Settings): AlertRule[] {
  const rules = [...standardRules(), sunset({ versions: API_SUNSETS })];
  if (BACKUP_SUCCESS_FILE !== undefined) rules.push(backupAge({ file: BACKUP_SUCCESS_FILE }));
  if (PUBLIC_URL?.startsWith('https:')) {
    const { hostname, port } = new URL(PUBLIC_URL);
    rules.push(certificate({ host: hostname, port: Number(port || 443) }));
  }
  return rules;
}
