import { duration } from './api.js';
import { badge, rowOf } from './elements.js';
import { figuresOf, readMetrics } from './figures.js';
import { onSubmit } from './forms.js';
import { ask, askText } from './identity.js';
import { plots } from './plots.js';

const $ = (id) => document.getElementById(id);

const EVERY_MS = 2_000;
/** What changes slowly is asked for once in so many times. */
const SLOWLY = 5;
const FEW_CALLS = 20;

const dates = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const whole = new Intl.NumberFormat('en');
const counted = (count, one, many = `${one}s`) => `${whole.format(count)} ${count === 1 ? one : many}`;
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });

/**
 * How the server stands, for who runs it; made anew every few seconds while it is shown.
 *
 * @param onRefused told when it is not shown to who is here
 */
export function operationsView(onRefused) {
  let timer;
  let turn = 0;
  let isComplaint = false;
  let isAsking = false;
  /** The last reading of the metrics, and when it was. */
  let last;
  const drawn = plots($('plots'));

  function say(words) {
    setText($('operations-said'), words);
  }

  async function refresh() {
    // One that takes longer than the pause is not asked again meanwhile.
    if (document.hidden || isAsking) return;
    isAsking = true;
    try {
      await Promise.all([showNow(), turn++ % SLOWLY === 0 && showSlow()]);
      if (isComplaint) say('');
      isComplaint = false;
    } catch (error) {
      isComplaint = true;
      last = undefined;
      $('verdict').dataset.state = 'bad';
      setText($('verdict'), 'It cannot be seen how it stands');
      say(
        error.type === 'address_not_allowed'
          ? 'Operations are shown to addresses on the allow-list only, and yours is not.'
          : error.message,
      );
      if (error.status === 401 || error.type === 'insufficient_role') onRefused();
    } finally {
      isAsking = false;
    }
  }

  async function showNow() {
    const [overview, alerts, status, metrics] = await Promise.all([
      ask('GET', '/admin/overview'),
      ask('GET', '/admin/alerts'),
      ask('GET', '/status'),
      askText('/admin/metrics'),
    ]);
    showVerdict(status, alerts, drawPlots(readMetrics(metrics)));
    $('alerts').replaceChildren(...alertRows(alerts));
    showCache(overview.cache);
    $('upstreams').replaceChildren(...upstreamRows(overview.upstreams));
    $('parts').replaceChildren(...partRows(overview));
    $('sockets').replaceChildren(...socketRows(overview.sockets));
    $('limits').replaceChildren(...overview.limits.map(limitRow));
  }

  async function showSlow() {
    const [{ rows, complete }, workers] = await Promise.all([
      ask('GET', '/admin/deprecations'),
      ask('GET', '/admin/workers'),
    ]);
    $('workers').replaceChildren(...workerRows(workers));
    $('reload').hidden = !workers.managed;
    $('deprecations').replaceChildren(...callRows(rows, complete));
  }

  /** Everything, now. */
  function refreshAll() {
    turn = 0;
    return refresh();
  }

  /** Draws what happened since the last reading, and gives what is not well. */
  function drawPlots(metrics) {
    const before = last;
    last = { metrics, at: performance.now() };
    // Of the time before the first reading nothing is known but how much it was.
    if (before === undefined || last.at - before.at > 10 * EVERY_MS) return [];
    return drawn.add(figuresOf(before.metrics, metrics, (last.at - before.at) / 1_000));
  }

  $('alerts-test').addEventListener('click', async () => {
    try {
      const { channels } = await ask('POST', '/admin/alerts/test');
      say(
        channels
          .map(({ channel, outcome, error }) => `${channel}: ${outcome}${error ? ` (${error})` : ''}`)
          .join(', '),
      );
    } catch (error) {
      say(error.message);
    }
  });

  onSubmit($('forget'), async ({ by, what }) => {
    await ask('POST', '/admin/cache/invalidate', { [by]: what.trim() });
    $('forget-what').value = '';
    say(`What was kept by the ${by} ${what.trim()} is forgotten.`);
    await refreshAll();
  });

  $('reload').addEventListener('click', async () => {
    $('reload').disabled = true;
    say('The workers are being replaced, one after the other…');
    try {
      const { outcome, reason, readyMs } = await ask('POST', '/admin/workers/reload');
      if (outcome === 'done') {
        say(
          `New workers serve since ${(readyMs / 1_000).toFixed(1)} seconds after the click; the old ones finish.`,
        );
      } else if (outcome === 'under_way') say('The new workers are still starting: the list shows them.');
      else say(`The workers from before go on: ${reason ?? outcome}`);
    } catch (error) {
      say(error.message);
    }
    $('reload').disabled = false;
    await refreshAll();
  });

  return {
    title: 'Operations',
    async show() {
      $('operations').hidden = false;
      say('');
      clearInterval(timer);
      timer = setInterval(refresh, EVERY_MS);
      await refreshAll();
    },
    hide() {
      clearInterval(timer);
      $('operations').hidden = true;
    },
  };
}

/** In one line, whether somebody has to do something. */
function showVerdict({ status, degraded }, { incidents }, figures) {
  const open = incidents.filter(({ isQuiet }) => !isQuiet);
  const states = [
    { healthy: 'good', degraded: 'warn' }[status] ?? 'bad',
    ...open.map(severityState),
    ...figures.map(({ state }) => state),
  ];
  const words = [
    ...open.map(({ title }) => title),
    ...degraded.map(({ feature }) => `${feature} is not well`),
    ...figures.map(({ text }) => text),
  ];
  const worst = ['bad', 'warn'].find((each) => states.includes(each)) ?? 'good';
  $('verdict').dataset.state = worst;
  setText($('verdict'), worst === 'good' ? 'All is well' : words.join(' · ') || status);
}

/** What is the same stays as it is: set anew it would be read out anew. */
function setText(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function severityState({ severity }) {
  return { critical: 'bad', warning: 'warn' }[severity] ?? 'good';
}

function alertRows({ incidents, channels }) {
  const rows = incidents.map((incident) => {
    const { title, details, openedAt, isQuiet } = incident;
    const row = rowOf(title, [`since ${dates.format(new Date(openedAt))}`, ...details].join(' · '));
    row.append(badge(isQuiet ? 'gone' : incident.severity, isQuiet ? 'good' : severityState(incident)));
    return row;
  });
  if (incidents.length === 0) rows.push(rowOf('Nothing', 'There is nothing that anybody has to be told'));
  rows.push(
    ...channels.map(({ channel, severity, queued, sentLastHour, error }) => {
      const words = [
        `told of ${severity === 'info' ? 'all' : `${severity}s and worse`}`,
        `${whole.format(sentLastHour)} in the last hour`,
        ...(queued > 0 ? [`${whole.format(queued)} waiting`] : []),
        ...(error === undefined ? [] : [error]),
      ];
      const row = rowOf(`To ${channel}`, words.join(' · '));
      row.append(error === undefined ? badge('well') : badge('failing', 'bad'));
      return row;
    }),
  );
  return rows;
}

function showCache({ hitRate, hit, stale, coalesced, miss, bypass, entries, bytes }) {
  const figures = {
    'Hit rate': hitRate === undefined ? '–' : percent.format(hitRate),
    Hits: whole.format(hit),
    Stale: whole.format(stale),
    'Waited for another': whole.format(coalesced),
    Misses: whole.format(miss),
    'Passed by': whole.format(bypass),
    'In memory here': whole.format(entries),
    Kilobytes: whole.format(Math.ceil(bytes / 1024)),
  };
  $('cache-figures').replaceChildren(
    ...Object.entries(figures).map(([name, value]) => {
      const group = document.createElement('div');
      const term = document.createElement('dt');
      term.textContent = name;
      const description = document.createElement('dd');
      description.textContent = value;
      group.append(term, description);
      return group;
    }),
  );
}

function upstreamRows(upstreams) {
  if (upstreams.length === 0) return [rowOf('The embedded engine', 'No instance of SearXNG is connected')];
  return upstreams.flatMap(({ upstream, servers }) =>
    servers.map(({ server, state, until, inFlight, connections, healthy, breakers }) => {
      const open = breakers.filter((breaker) => breaker.state !== 'closed');
      const words = [
        upstream,
        `${whole.format(inFlight)} under way on ${counted(connections, 'connection')}`,
        ...(healthy === false ? ['its health check fails'] : []),
        ...open.map((breaker) => `breaker of ${breaker.route} ${breaker.state}`),
        ...(until === undefined ? [] : [`tried again in ${secondsUntil(until)}`]),
      ];
      const row = rowOf(server, words.join(' · '));
      const isWell = state === 'in' && open.length === 0 && healthy !== false;
      row.append(isWell ? badge('Well') : badge(state === 'in' ? 'Failing' : state, 'bad'));
      return row;
    }),
  );
}

function secondsUntil(epochMs) {
  return duration(Math.max(1, Math.ceil((epochMs - Date.now()) / 1_000)));
}

function partRows({ database, redis, modules }) {
  const { size, idle, waiting } = database.pool;
  const parts = [
    [
      'Postgres',
      `${whole.format(size - idle)} of ${whole.format(size)} connections in use, ${whole.format(waiting)} waiting`,
      database.state,
      'ready',
    ],
    ['Redis', redis.state === 'not_used' ? 'Everything is kept by this process' : '', redis.state, 'ready'],
    ...modules.map(({ name, prefix, state }) => [name, prefix, state, 'ready']),
  ];
  return parts.map(([name, words, state, good]) => {
    const row = rowOf(name, words);
    const isFine = state === good || state === 'up' || state === 'not_used';
    row.append(badge(state.replace('_', ' '), isFine ? 'good' : 'bad'));
    return row;
  });
}

function workerRows({ managed, workers, generation, lastFailure }) {
  if (!managed) return [rowOf('One process', 'WORKERS is 1: there is no process manager')];
  const rows = workers.map(({ worker, pid, state, ageSeconds, memoryBytes, requests }) => {
    const words = [
      `process ${pid ?? '–'}`,
      `up ${duration(Math.round(ageSeconds))}`,
      `${whole.format(Math.round(memoryBytes / 1_048_576))} MB`,
      counted(requests, 'request'),
    ];
    const row = rowOf(`Worker ${worker}`, words.join(' · '));
    row.append(badge(state, state === 'ready' ? 'good' : 'warn'));
    return row;
  });
  rows.push(
    rowOf(`Generation ${generation}`, lastFailure ? `last failure: ${lastFailure.reason}` : 'no failures'),
  );
  return rows;
}

function socketRows(sockets) {
  if (!sockets) return [];
  const words = [
    counted(sockets.subjects, 'person', 'people'),
    counted(sockets.rooms, 'room'),
    sockets.adapter === 'redis' ? 'shared through Redis' : 'of this process',
  ];
  const row = rowOf(`${counted(sockets.sockets, 'socket')} of this process`, words.join(' · '));
  row.append(badge(sockets.degraded ? 'alone' : 'well', sockets.degraded ? 'bad' : 'good'));
  return [row];
}

function limitRow({ zone, policy, perSecond, allowed, refused, local, nearLimit }) {
  const words = [
    policy,
    `${perSecond.toFixed(1)} a second`,
    `${whole.format(allowed)} allowed`,
    `${whole.format(refused)} refused`,
    ...(nearLimit > 0 ? [`${counted(nearLimit, 'caller')} near the limit`] : []),
    ...(local > 0 ? [`${whole.format(local)} counted by this process alone`] : []),
  ];
  const row = rowOf(zone, words.join(' · '));
  if (refused > 0) row.append(badge(percent.format(refused / (allowed + refused)), 'warn'));
  return row;
}

function callRows(rows, complete) {
  const shown = rows.slice(0, FEW_CALLS).map(({ version, consumer, route, calls, lastSeen }) => {
    const row = rowOf(`${consumer}: ${route}`, `${version} · last ${dates.format(new Date(lastSeen))}`);
    row.append(badge(counted(calls, 'call'), 'warn'));
    return row;
  });
  if (rows.length > FEW_CALLS) shown.push(rowOf(`and ${rows.length - FEW_CALLS} more`, ''));
  if (rows.length === 0) shown.push(rowOf('Nobody', 'No call of v1 has been seen'));
  if (!complete)
    shown.push(rowOf('Not everything', 'Redis does not answer: only what this process has seen'));
  return shown;
}
