import { signals } from '@signalbox/signals';
import { methodLabel } from '../http-metrics.js';
import type { Instruments } from '../instruments.js';
import type { Hear } from './hear.js';

/** What happens to a request on its way: limits, cache, shedding, screening, versions. */
export function requestFeatures(define: Instruments, hear: Hear): void {
  const decisions = define.counter(
    'signalbox_rate_limit_decisions_total',
    'Answers of rate limits. `store` is `local` where this process counted alone.',
    ['zone', 'outcome', 'store'],
  );
  hear(signals.rateLimitDecision, ({ zone, outcome, local }) => {
    decisions.of(zone, outcome, local ? 'local' : 'shared').value += 1;
  });

  const lookups = define.counter('signalbox_cache_lookups_total', 'Answers of caches.', ['cache', 'outcome']);
  hear(signals.cacheLookup, ({ cache, outcome }) => {
    lookups.of(cache, outcome).value += 1;
  });

  const shed = define.counter('signalbox_requests_shed_total', 'Requests turned away under load.', [
    'priority',
    'reason',
  ]);
  hear(signals.requestShed, ({ priority, reason }) => {
    shed.of(priority, reason).value += 1;
  });

  const slow = define.counter(
    'signalbox_slow_requests_total',
    'Requests that took longer than they should.',
    ['method', 'route'],
  );
  hear(signals.slowRequest, ({ method, route }) => {
    slow.of(methodLabel(method), route ?? 'unmatched').value += 1;
  });

  const findings = define.counter(
    'signalbox_security_findings_total',
    'Requests that a security rule objected to.',
    ['kind', 'rule', 'enforced'],
  );
  hear(signals.securityFinding, ({ kind, rule, enforced }) => {
    findings.of(kind, rule, String(enforced)).value += 1;
  });

  const deprecated = define.counter('signalbox_deprecated_calls_total', 'Calls of deprecated versions.', [
    'version',
    'route',
  ]);
  // Who called is not a label: a metric names nobody.
  hear(signals.deprecatedCall, ({ version, route }) => {
    deprecated.of(version, route ?? 'unmatched').value += 1;
  });
}
