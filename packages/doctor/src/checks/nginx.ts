import { found, type Finding } from '../finding.js';
import { readBytes, readMs } from '../folder/duration.js';
import { type Directive, readNginx } from '../folder/nginx-conf.js';
import type { TextFile } from '../folder/read-folder.js';

/** Whether the file is one of nginx: others end in .conf, too. */
export function isNginx({ path, text }: TextFile): boolean {
  return (
    /\.(?:conf|template|nginx)$|(?:^|\/)nginx/.test(path) &&
    /^\s*(?:server|http|upstream|location)\b[^;]*\{/m.test(text)
  );
}

/** A directive with all that stands around it, the innermost last. */
interface Context {
  readonly location: Directive;
  readonly around: readonly Directive[];
}

export function checkNginx({ path, text }: TextFile): Finding[] {
  const top = readNginx(text);
  const where = ({ line }: Directive): string => `${path}:${line}`;
  const root: Directive = { name: '', args: [], line: 1, block: top };
  // What stands in files that are included is not known.
  const included = everywhere(root).filter(
    ({ name, args }) => name === 'include' && !/mime\.types/.test(args[0] ?? ''),
  );
  return [
    ...proxied(root, []).flatMap((context) => checkProxy(context, root, where, included.length > 0)),
    ...everywhere(root).flatMap((directive) => checkAlone(directive, where)),
    ...everywhere(root).flatMap((directive) =>
      directive.name === 'server' ? checkServer(directive, where) : [],
    ),
  ];
}

function everywhere(directive: Directive): Directive[] {
  return directive.block.flatMap((each) => [each, ...everywhere(each)]);
}

function proxied(directive: Directive, around: readonly Directive[]): Context[] {
  const inside = [...around, directive];
  const here = directive.block.some(({ name }) => name === 'proxy_pass')
    ? [{ location: directive, around: inside }]
    : [];
  return [...here, ...directive.block.flatMap((each) => proxied(each, inside))];
}

/** nginx takes all of a kind from the innermost block that has any. */
function inherited(around: readonly Directive[], kind: string): Directive[] {
  const block = around.findLast((each) => each.block.some(({ name }) => name === kind));
  return block?.block.filter(({ name }) => name === kind) ?? [];
}

function checkProxy(
  { location, around }: Context,
  root: Directive,
  where: (directive: Directive) => string,
  hasIncludes: boolean,
): Finding[] {
  const findings: Finding[] = [];
  const headers = new Map(
    inherited(around, 'proxy_set_header').map((each) => [(each.args[0] ?? '').toLowerCase(), each] as const),
  );
  const valueOf = (name: string): string | undefined => headers.get(name)?.args[1];
  const missing = ['X-Forwarded-For', 'X-Forwarded-Proto'].filter((name) => !headers.has(name.toLowerCase()));
  if (missing.length > 0 && !hasIncludes)
    findings.push(found('SBX461', where(location), `missing: ${missing.join(', ')}`));
  if (valueOf('x-forwarded-for') === '$http_x_forwarded_for') findings.push(found('SBX462', where(location)));
  if (/\$http_x_forwarded_host/.test(valueOf('x-forwarded-host') ?? ''))
    findings.push(found('SBX470', where(location)));
  const version = inherited(around, 'proxy_http_version')[0]?.args[0];
  const isSocket = /socket\.io|\bws\b|websocket/.test(location.args.join(' '));
  if (
    isSocket &&
    !hasIncludes &&
    (version !== '1.1' || !/upgrade/i.test(valueOf('upgrade') ?? '') || !headers.has('connection'))
  ) {
    findings.push(found('SBX463', where(location)));
  }
  const target = location.block.find(({ name }) => name === 'proxy_pass')?.args[0] ?? '';
  const host = /^https?:\/\/([^/:$]+)/.exec(target)?.[1];
  const upstream = everywhere(root).find(({ name, args }) => name === 'upstream' && args[0] === host);
  const keeps = upstream?.block.some(({ name }) => name === 'keepalive') === true;
  if (keeps && !hasIncludes && (version !== '1.1' || !headers.has('connection')))
    findings.push(found('SBX467', where(location)));
  const idle =
    readMs(upstream?.block.find(({ name }) => name === 'keepalive_timeout')?.args[0] ?? '') ?? 60_000;
  // serve() keeps 75 s behind a proxy, and most others 5 s.
  if (keeps && upstream !== undefined && idle >= 75_000)
    findings.push(found('SBX466', where(upstream), `${idle / 1_000} s`));
  return findings;
}

function checkAlone(directive: Directive, where: (directive: Directive) => string): Finding[] {
  const { name, args } = directive;
  if (name === 'ssl_protocols' && args.some((version) => /^(?:SSLv[23]|TLSv1(?:\.[01])?)$/.test(version))) {
    return [found('SBX464', where(directive), args.join(' '))];
  }
  const size = readBytes(args[0] ?? '');
  if (name === 'client_max_body_size' && size !== undefined && (size === 0 || size >= 200 * 1024 ** 2)) {
    return [found('SBX465', where(directive), args[0])];
  }
  return [];
}

function checkServer(server: Directive, where: (directive: Directive) => string): Finding[] {
  const findings: Finding[] = [];
  const ports = server.block.filter(({ name }) => name === 'listen').map(({ args }) => args);
  const isPlain =
    ports.length > 0 && ports.every((args) => /(?:^|:)80$/.test(args[0] ?? '') && !args.includes('ssl'));
  const redirects = server.block.some(
    ({ name, args }) => name === 'return' && /^30[1278]$/.test(args[0] ?? ''),
  );
  if (isPlain && !redirects && proxied(server, []).length > 0) {
    const isWhole = proxied(server, []).some(
      ({ location }) => !/acme|well-known/.test(location.args.join(' ')),
    );
    if (isWhole) findings.push(found('SBX468', where(server)));
  }
  const own = server.block
    .filter(({ name }) => name === 'add_header')
    .map(({ args }) => (args[0] ?? '').toLowerCase());
  const security = own.filter((name) =>
    /^(?:strict-transport-security|x-content-type-options|x-frame-options|content-security-policy)$/.test(
      name,
    ),
  );
  if (security.length === 0) return findings;
  for (const location of everywhere(server).filter(({ name }) => name === 'location')) {
    const added = location.block
      .filter(({ name }) => name === 'add_header')
      .map(({ args }) => (args[0] ?? '').toLowerCase());
    const isIncluding = location.block.some(({ name }) => name === 'include');
    const lost = security.filter((name) => !added.includes(name));
    if (added.length > 0 && lost.length > 0 && !isIncluding) {
      findings.push(found('SBX469', where(location), `lost: ${lost.join(', ')}`));
    }
  }
  return findings;
}
