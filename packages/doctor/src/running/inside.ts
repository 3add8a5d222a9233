import { found, type Finding } from '../finding.js';
import { asList, asRecord, asText } from '../folder/read-folder.js';

/** What is known of how the app is reached. */
export interface Surroundings {
  readonly processes: number;
  readonly hasProxy: boolean;
}

interface Layer {
  readonly name: string;
  readonly arity: number;
}

/** What is wrong with an app, by what it told from the inside about one request. */
export function judgeInside(
  told: Readonly<Record<string, unknown>>,
  where: string,
  { processes, hasProxy }: Surroundings,
): Finding[] {
  const findings: Finding[] = [];
  const say = (code: Finding['code'], detail?: string): void =>
    void findings.push(found(code, where, detail));
  const server = asRecord(told['server']) ?? {};
  const session = asRecord(told['session']);

  if (told['trustsAll'] === true) say('SBX502', "'trust proxy' trusts every address");
  const off = ['headersTimeout', 'requestTimeout'].filter((name) => server[name] === 0);
  // Signalbox bounds the body by itself.
  if (off.length > 0) say('SBX519', off.join(', '));
  const idle = server['keepAliveTimeout'];
  if (hasProxy && typeof idle === 'number' && idle !== 0 && idle < 60_000) say('SBX524', `${idle / 1_000} s`);
  if (session !== undefined) {
    const isMemory = session['store'] === 'MemoryStore';
    if (isMemory && processes > 1) say('SBX116', `${processes} processes, and sessions in memory`);
    else if (isMemory) say('SBX525');
    if (session['secure'] === true && told['trustsNone'] === true && server['isPlain'] === true)
      say('SBX516');
  }
  if (told['isExpress'] === true) findings.push(...judgeOrder(layersOf(told), where));
  return findings;
}

function layersOf(told: Readonly<Record<string, unknown>>): Layer[] {
  return asList(told['layers']).map((layer) => ({
    name: asText(asRecord(layer)?.['name']),
    arity: Number(asRecord(layer)?.['arity'] ?? 0),
  }));
}

function judgeOrder(layers: readonly Layer[], where: string): Finding[] {
  const first = (pattern: RegExp): number => layers.findIndex(({ name }) => pattern.test(name));
  const last = (pattern: RegExp): number => layers.findLastIndex(({ name }) => pattern.test(name));
  const isBefore = (one: number, other: number): boolean => one !== -1 && other !== -1 && one < other;
  const findings: Finding[] = [];
  const wrong = (detail: string): void => void findings.push(found('SBX523', where, detail));

  const handler = layers.findLastIndex(({ arity }) => arity === 4);
  const lastRoute = last(/^(?:route|router)$/);
  if (handler === -1 && lastRoute !== -1) findings.push(found('SBX522', where));
  if (isBefore(handler, lastRoute)) wrong('the error handler stands before routes');
  const headers = first(/^(?:helmetMiddleware|securityHeadersMiddleware)$/);
  // What answers probes may stand before everything.
  const early = layers.slice(0, Math.max(0, headers)).filter(({ name }) => /^(?:route|router)$/.test(name));
  if (early.length > 3 || early.some(({ name }) => name === 'router'))
    wrong('the security headers stand behind routes');
  if (isBefore(first(/^session$/), last(/^serveStatic$/))) wrong('the session is read for every static file');
  const limit = first(/^(?:rateLimitMiddleware|zoneMiddleware)$/);
  if (isBefore(first(/^(?:jsonParser|urlencodedParser)$/), limit)) wrong('bodies are read before the limit');
  return findings;
}
