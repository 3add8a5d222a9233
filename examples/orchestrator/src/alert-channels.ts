import { email, pagerDuty, slack, webhook, type AlertChannel } from '@signalbox/alerts';
import type { Logger } from '@signalbox/logging';
import { derivedSecret } from './derived-secrets.js';
import type { Settings } from './settings.js';

/** The log, and wherever the settings say. */
export function alertChannels(settings: Settings, logger: Logger): AlertChannel[] {
  const {
    ALERT_SLACK_URL,
    ALERT_SMTP_URL,
    SMTP_URL,
    ALERT_EMAIL_TO,
    ALERT_PAGERDUTY_KEY,
    ALERT_WEBHOOK_URL,
  } = settings;
  const channels = [logged(logger)];
  if (ALERT_SLACK_URL !== undefined) channels.push(slack({ url: ALERT_SLACK_URL }));
  if (ALERT_EMAIL_TO.length > 0) {
    channels.push(email({ url: ALERT_SMTP_URL ?? SMTP_URL, to: ALERT_EMAIL_TO, from: settings.MAIL_FROM }));
  }
  if (ALERT_PAGERDUTY_KEY !== undefined) channels.push(pagerDuty({ routingKey: ALERT_PAGERDUTY_KEY }));
  if (ALERT_WEBHOOK_URL !== undefined) {
    channels.push(webhook({ url: ALERT_WEBHOOK_URL, secret: webhookSecret(settings) }));
  }
  return channels;
}

/** What the receiver of ALERT_WEBHOOK_URL checks signatures with. */
function webhookSecret(settings: Settings): string {
  return settings.ALERT_WEBHOOK_SECRET ?? derivedSecret(settings, 'alerts:webhook').toString('base64url');
}

/** Where the pages are that say what to do. */
export function runbooksOf({ PUBLIC_URL }: Settings): string | undefined {
  return PUBLIC_URL && `${PUBLIC_URL}/docs/guide/runbooks`;
}

function logged(logger: Logger): AlertChannel {
  return {
    name: 'log',
    severity: 'info',
    isGrouped: false,
    wantsRepeats: false,
    async send({ notices }) {
      for (const { kind, rule, subject, severity, title, details } of notices) {
        const level = kind === 'over' || kind === 'test' || severity === 'info' ? 'info' : 'warn';
        logger[level]({ alert: kind, rule, subject, severity, details }, `alert ${kind}: ${title}`);
      }
    },
  };
}
