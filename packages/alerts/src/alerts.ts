import { createHash } from 'node:crypto';
import { signals } from '@signalbox/signals';
import { emptyBoard, outboxOf, type Board } from './board.js';
import { DeliveryError } from './channel.js';
import { nameOfError } from './clean.js';
import { conditions } from './conditions.js';
import { coordination, noCoordination, type Coordination, type Turn } from './coordination.js';
import { deliveryOf, within } from './delivery.js';
import { judgeOf, OWN_FEATURE } from './judge.js';
import { machineVoice } from './machine-voice.js';
import { testMessage } from './message.js';
import { resolveOptions, type AlertsOptions, type AlertsSettings } from './options.js';
import { redisStore } from './redis-store.js';
import { reportOf, type AlertsReport } from './report.js';
import { watching } from './watching.js';

/** How a test message fared. */
export interface TestOutcome {
  readonly channel: string;
  readonly outcome: 'sent' | 'failed';
  /** Why it failed, without addresses. */
  readonly error: string | undefined;
}

/** The watch over rules, and what tells people of it. */
export interface Alerts {
  /** What is wrong in all processes, and how the channels fare, as of the last turn. */
  report(): AlertsReport;
  /**
   * Sends a test message to all channels, or to one, at once. Never rejects because of a channel.
   *
   * @throws {TypeError} when there is no such channel
   */
  test(channel?: string): Promise<TestOutcome[]>;
  /** Takes a turn now, which else is taken every `everyMs`: looks, and sends what is due. */
  look(): Promise<void>;
  /** Stops to look, tries once more to send what waits, and lets another process lead. Idempotent. */
  close(): Promise<void>;
}

/** After so many failures in a row a channel counts as gone. */
const FAILURES_TO_SAY = 3;

/**
 * Tells people what is wrong with a service, once, and when it is over.
 *
 * Rules listen to signals and read figures; what holds for long enough is an incident. Channels are told when it begins,
 * when it gets worse, now and then while it lasts, and when it is over. Make it before what it watches: signals tell of changes.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const watcher = alerts({
 *   service: 'search',
 *   redis,
 *   channels: [slack({ url: settings.slackUrl }), pagerDuty({ routingKey: settings.pagerDutyKey })],
 * });
 */
export function alerts(options: AlertsOptions): Alerts {
  const settings = resolveOptions(options);
  const { channels, rules, registry, now, everyMs, deadlineMs } = settings;
  const scope = JSON.stringify([settings.service, settings.environment]);
  const seen = conditions(now);
  const watch = watching({ rules, conditions: seen, registry, now, deadlineMs });
  const judge = judgeOf({
    ...settings,
    scope,
    onDropped: ({ incident }, { name }) =>
      signals.alertSent.publish({ rule: incident.rule, channel: name, outcome: 'suppressed' }),
  });
  const delivery = deliveryOf({ ...settings, judge });
  const place = createHash('sha256')
    .update(settings.prefix + scope)
    .digest('hex')
    .slice(0, 24);
  const others = coordinationOf(settings, place);
  const voice = machineVoice(`signalbox-alerts-${place}`);
  const state = channelState();
  let last: Turn = {
    role: 'follow',
    isTogether: false,
    reports: [],
    board: undefined,
    view: emptyBoard(),
  };
  let running: Promise<void> | undefined;
  let closed: Promise<void> | undefined;

  async function takeTurn(isLast = false): Promise<void> {
    await watch.look();
    last = await others.turn(seen.reports());
    const { role, isTogether, board, reports } = last;
    // While Redis is gone, one process of the machine tells what all of them see alike.
    const speaks = isTogether || (await voice.isMine());
    if (isTogether) voice.release();
    if (board !== undefined) {
      judge.judge(board, reports, now(), speaks);
      // What nobody can take over goes out now, whether more of it may come or not.
      const isUrgent = isLast && (role === 'alone' || settings.link === undefined);
      await Promise.all(channels.map((channel) => delivery.deliver(board, channel, isUrgent)));
      await others.save();
    }
    state.show(channels.filter(({ name }) => isGone(board, name)).map(({ name }) => name));
  }

  function look(): Promise<void> {
    running ??= takeTurn().finally(() => (running = undefined));
    return running;
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    await running;
    await takeTurn(true);
    watch.close();
    voice.release();
    await others.leave();
    state.show([]);
    for (const channel of channels) channel.close?.();
  }

  const timer = setInterval(() => {
    look().catch((error: unknown) => {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    });
  }, everyMs).unref();

  return {
    look: () => (closed === undefined ? look() : closed),
    report: () => reportOf(settings, last, watch.problems(), judge),
    close: () => (closed ??= close()),
    async test(name) {
      const chosen = channels.filter((channel) => name === undefined || channel.name === name);
      if (chosen.length === 0) {
        const names = channels.map((channel) => channel.name).join(', ');
        throw new TypeError(`alerts.test: there is no channel "${name}"; there are ${names}`);
      }
      return await Promise.all(
        chosen.map(async (channel): Promise<TestOutcome> => {
          const error = await failureOf(within(deadlineMs, channel, testMessage(settings, now())));
          const outcome = error === undefined ? 'sent' : 'failed';
          signals.alertSent.publish({ rule: 'test', channel: channel.name, outcome });
          return { channel: channel.name, outcome, error };
        }),
      );
    },
  };
}

function coordinationOf({ link, prefix, leaseMs }: AlertsSettings, place: string): Coordination {
  if (link === undefined) return noCoordination();
  // One hash tag: a script of Redis Cluster's may use the keys of one alone.
  return coordination(redisStore(link, `${prefix}{${place}}:`, leaseMs));
}

function isGone(board: Board | undefined, channel: string): boolean {
  return board !== undefined && outboxOf(board, channel).failures >= FAILURES_TO_SAY;
}

/** Says, when that changes, which channels cannot be reached. */
function channelState(): { show(names: readonly string[]): void } {
  let shown = '';
  return {
    show(names) {
      const list = names.join(', ');
      if (list === shown) return;
      shown = list;
      const reason = list === '' ? 'All channels can be reached again' : `Nothing gets through to ${list}`;
      signals.featureState.publish({
        feature: OWN_FEATURE,
        degraded: list !== '',
        policy: 'unavailable',
        reason,
      });
    },
  };
}

async function failureOf(delivery: Promise<void>): Promise<string | undefined> {
  try {
    await delivery;
    return undefined;
  } catch (error) {
    return error instanceof DeliveryError ? error.message : (nameOfError(error) ?? 'it failed');
  }
}
