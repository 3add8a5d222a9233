import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { config } from '@signalbox/config';
import { DCLinter } from 'dclint';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { MACHINE } from '../../examples/orchestrator/deploy/machine.js';
import { SETTINGS } from '../../examples/orchestrator/src/settings.js';
import { temporaryFolder } from '../support/keeper.js';
import { inNamespaces } from '../support/namespace.js';
import { checkNginx, startNginx } from '../support/nginx.js';
import { freePort } from '../support/ports.js';

const folder = fileURLToPath(new URL('../../examples/orchestrator/deploy/compose/', import.meta.url));
const text = readFileSync(join(folder, 'compose.yaml'), 'utf8');

interface Service {
  image: string;
  read_only: boolean;
  cap_drop: string[];
  security_opt: string[];
  restart: string;
  mem_limit: string;
  profiles?: string[];
  environment?: Record<string, string>;
  secrets?: (string | { source: string })[];
  volumes?: string[];
  ports?: string[];
  networks: string[];
  command?: string[];
  tmpfs?: string[];
  stop_grace_period?: string;
}

const { services, secrets, networks } = parse(text, { merge: true }) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  networks: Record<string, { internal?: boolean; enable_ipv6?: boolean } | null>;
};
const all = Object.entries(services);

/** Its own types name files without their endings, which the compiler does not follow. */
interface Linted {
  messages: { line: number; rule: string; message: string }[];
}

/** What the linter finds, but for the order of keys, and for what is meant: an image that is built has a name. */
function findings(path: string): string[] {
  const meant = ['no-build-and-image', 'no-unbound-port-interfaces'];
  const orders = ['service-keys-order', 'services-alphabetical-order', 'top-level-properties-order'];
  const off = Object.fromEntries([...meant, ...orders].map((rule) => [rule, 0]));
  // As the formatter of this repository has them.
  const rules = { ...off, 'require-quotes-in-ports': [1, { quoteType: 'double' }] };
  const linter = new DCLinter({ rules, quiet: false, debug: false, exclude: [] });
  const files: Linted[] = linter.lintFiles([join(path, 'compose.yaml')], false);
  return files
    .flatMap(({ messages }) => messages)
    .map(({ line, rule, message }) => `${line} ${rule}: ${message}`);
}

describe('compose.yaml', () => {
  it('is what the schema takes', () => {
    const { path } = temporaryFolder('compose');
    writeFileSync(join(path, 'compose.yaml'), text);
    expect(findings(path)).toEqual([]);
    // It would say so.
    writeFileSync(join(path, 'compose.yaml'), text.replace('mem_limit:', 'memlimit:'));
    expect(findings(path)).toEqual([expect.stringContaining('invalid-schema')]);
  });

  it.each(all)('%s starts again, has bounds and no privileges', (name, service) => {
    expect(service).toMatchObject({
      restart: 'unless-stopped',
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      mem_limit: expect.stringMatching(/^\d+[mg]$/) as string,
    });
    const writes = ['elasticsearch', 'logstash', 'kibana'];
    expect(service.read_only).toBe(!writes.includes(name));
    expect(service.image).toMatch(/:[\w.${}:-]+$/);
  });

  it('publishes nginx alone; what is for operators on this machine only', () => {
    const published = all.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
    expect(published.filter((port) => !port.includes(' 127.0.0.1:'))).toEqual([
      'nginx 80:80',
      'nginx 443:443',
    ]);
    expect(networks['inside']).toEqual({ internal: true });
    // Or nginx sees all who come by IPv6 under one address, that of the bridge.
    expect(networks['edge']).toEqual({ enable_ipv6: true });
    for (const name of ['postgres', 'redis', 'redis-cache'])
      expect(services[name]?.networks).toEqual(['inside']);
  });

  it('starts by default what serves, and the rest by profile', () => {
    const byDefault = all.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    expect(byDefault).toEqual(['app', 'postgres', 'redis', 'redis-cache', 'searxng', 'nginx']);
    const profiles = new Set(all.flatMap(([, service]) => service.profiles ?? []));
    expect(profiles).toEqual(new Set(['prometheus', 'grafana', 'loki', 'elk']));
  });

  it('lets who is not root write where nothing is kept', () => {
    // A folder of the image passes its mode on, and root owns it. nginx and Alloy run as root.
    const folders = all
      .filter(([name]) => !['nginx', 'alloy'].includes(name))
      .flatMap(([name, { tmpfs = [] }]) => tmpfs.map((folder) => `${name} ${folder}`));
    const others = folders.filter((folder) => !folder.endsWith(' /tmp'));
    expect(others.filter((folder) => !folder.endsWith('mode=1777'))).toEqual([]);
    expect(others.length).toBeGreaterThan(2);
  });

  it('gives a /tmp to each whose image nobody writes to', () => {
    const without = all.filter(
      ([, { read_only, tmpfs = [] }]) => read_only && !tmpfs.some((one) => one.startsWith('/tmp')),
    );
    // They write to their data alone, or nothing.
    const keeping = ['redis', 'redis-cache', 'prometheus', 'alertmanager'];
    expect(without.map(([name]) => name)).toEqual([...keeping, 'blackbox-exporter', 'node-exporter']);
  });

  it('waits for the drain of the app, and tells it what it takes', () => {
    const { app, redis, 'redis-cache': cache } = services;
    expect(app?.stop_grace_period).toBe(`${MACHINE.containerStopSeconds}s`);
    expect(redis?.command).toEqual(expect.arrayContaining(['--maxmemory-policy', 'noeviction']));
    expect(cache?.command).toEqual(expect.arrayContaining(['--maxmemory-policy', 'allkeys-lru']));
    const { path } = temporaryFolder('secrets');
    const values = Object.entries(app?.environment ?? {}).map(([name, value]) => [
      name,
      value.replace(/\$\{\w+:-(.*?)\}/, '$1').replace('/run/secrets', path),
    ]);
    makeSecrets(path);
    const env = { ...(Object.fromEntries(values) as Record<string, string>), NODE_ENV: 'production' };
    expect(config(SETTINGS, { env }).DATABASE_URL).toBe('postgres://u:p@postgres/d');
  });

  it('names only files that are there, or that secrets.sh makes', () => {
    const sources = all.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(':')[0] ?? ''),
    );
    const missing = sources.filter((source) => /^\.\.?\//.test(source) && !existsSync(join(folder, source)));
    // The certificate is the operator's.
    expect(missing).toEqual(['./tls']);
    const used = all.flatMap(([, service]) => service.secrets ?? []);
    const names = used.map((secret) => (typeof secret === 'string' ? secret : secret.source));
    expect([...new Set(names)].toSorted()).toEqual(Object.keys(secrets).toSorted());
  });

  it('names upstreams that nginx takes', async () => {
    const upstreams = readFileSync(join(folder, 'upstreams.conf'), 'utf8');
    expect(upstreams).toContain(`server app:${MACHINE.port} max_fails=3 fail_timeout=30s;`);
    // Names are looked up at once, and only in a network of containers are these known.
    await checkNginx(upstreams.replaceAll(/server [a-z]+:/g, 'server 127.0.0.1:'));
  });
});

describe('the upstreams of compose', () => {
  it('bring a visitor to one of the instances that share a name, and others to others', async () => {
    const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
    const port = await freePort();
    for (const address of addresses) {
      const server = createServer((_req, res) => res.end(address)).listen(port, address);
      await once(server, 'listening');
      onTestFinished(() => void server.close());
    }
    const ask = await nginxBefore(addresses, port);

    const visitors = Array.from({ length: 20 }, (_, i) => `192.0.2.${i + 1}`);
    const answers = await Promise.all(
      visitors.map((visitor) => Promise.all([1, 2, 3, 4].map(() => ask(visitor)))),
    );

    expect(answers.filter((each) => new Set(each).size > 1)).toEqual([]);
    expect(new Set(answers.flat())).toEqual(new Set(addresses));
  });
});

/** nginx with the upstreams as they are, where `app` has several addresses. Asks it as a visitor of some address. */
async function nginxBefore(
  addresses: readonly string[],
  port: number,
): Promise<(visitor: string) => Promise<string>> {
  const { path } = temporaryFolder('upstreams');
  writeFileSync(join(path, 'hosts'), addresses.map((address) => `${address} app\n`).join(''));
  const namespace = await inNamespaces('--mount');
  const bind = `mount --bind ${join(path, 'hosts')} /etc/hosts && exec "$@"`;
  const wrapper = namespace.length > 0 ? [...namespace, 'sh', '-c', bind, 'sh'] : [];
  const upstreams = readFileSync(join(folder, 'upstreams.conf'), 'utf8')
    .replace('searxng:8080', '127.0.0.1:8080')
    .replace(`app:${MACHINE.port}`, `app:${port}`);
  // Without a namespace nobody knows the name, and each address has to be one of its own.
  const written = upstreams.replace(/^ *server app:.*$/m, (line) =>
    wrapper.length > 0 ? line : addresses.map((address) => line.replace('app', address)).join('\n'),
  );
  const nginx = await startNginx(
    (place) => `${written}
      server {
        listen 127.0.0.1:${place.port};
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Visitor;
        location / { proxy_pass http://app; }
      }`,
    wrapper,
  );
  onTestFinished(() => nginx.stop());
  return async (visitor) => (await fetch(nginx.url, { headers: { 'x-visitor': visitor } })).text();
}

describe('secrets.sh', () => {
  it('makes what compose.yaml names, once, for containers to read and nobody else', async () => {
    const { path } = temporaryFolder('compose');
    cpSync(join(folder, 'secrets.sh'), join(path, 'secrets.sh'));
    const run = async (): Promise<string> => (await promisify(execFile)(join(path, 'secrets.sh'))).stdout;
    expect(await run()).toContain('secrets/secret-keys made');
    const files = Object.values(secrets).map(({ file }) => join(path, file));
    const contents = files.map((file) => readFileSync(file, 'utf8'));
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual(files.map(() => 0o444));
    expect(statSync(join(path, 'secrets')).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, '.env')).mode & 0o777).toBe(0o600);

    expect(await run()).toContain('secrets/secret-keys stays');
    expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(contents);
    const read = (name: string): string => readFileSync(join(path, 'secrets', name), 'utf8');
    const env = {
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://signalbox.example',
      SECRET_KEYS: read('secret-keys'),
      METRICS_TOKEN: read('metrics-token'),
      DATABASE_URL: read('database-url'),
    };
    expect(config(SETTINGS, { env }).DATABASE_URL).toContain(read('postgres-password'));
  });
});

function makeSecrets(path: string): void {
  const random = (): string => crypto.randomUUID() + crypto.randomUUID();
  writeFileSync(join(path, 'database-url'), 'postgres://u:p@postgres/d');
  for (const name of ['secret-keys', 'metrics-token']) writeFileSync(join(path, name), random());
}
