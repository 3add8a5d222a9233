import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { secrets, port } from '@signalbox/config';
import { freePort, listen } from '@signalbox/testing';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { selfSigned } from '../../../test/support/self-signed.js';
import { readMs } from '../src/folder/duration.js';
import { readNginx } from '../src/folder/nginx-conf.js';
import { CATALOGUE, doctor, type DoctorOptions, DoctorError } from '../src/index.js';
import { codesOf, newFolder } from './support.js';

const SECRET = 'mF3v8Qe1ZrT6yLw0KpXcB5nUa9JhGdS2';

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = newFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

describe('doctor', () => {
  it.each<[DoctorOptions, string]>([
    [
      { url: 'example.com' },
      'doctor: "url" must be an address that begins with http:// or https://, got "example.com"',
    ],
    [{ timeoutMs: 0 }, 'doctor: "timeoutMs" must be an integer from 1 to 2147483647, got 0'],
    [{ drainMs: -1 }, 'doctor: "drainMs" must be an integer'],
    [{ start: 1 as never }, 'doctor: "start" must be'],
    [{ settings: {} as never }, 'doctor: "settings" must be a z.object() of settings, got an object'],
    [{ ignore: 'SBX101' as never }, 'doctor: "ignore" must be a list of codes, got "SBX101"'],
    [{ ignore: ['SBX999'] }, 'doctor: "ignore" must hold codes; SBX999 is none'],
    [{ ulr: 'x' } as never, 'doctor: "ulr" is not an option; did you mean "url"?'],
  ])('refuses %o', async (options, message) => {
    await expect(doctor('.', options)).rejects.toThrow(message);
  });

  it("reads compose's own tags, and warns of nothing itself", async () => {
    const warned = vi.spyOn(process, 'emitWarning');
    onTestFinished(() => warned.mockRestore());
    const folder = folderWith({
      'compose.yaml': 'services:\n  app: { image: "app:1", ports: ["3000:3000"], restart: always }\n',
      'compose.override.yaml':
        'services:\n  app:\n    ports: !reset []\n    command: !override [node, app.js]\n',
    });
    const { examined } = await doctor(folder, { env: {} });
    expect(examined).toContain('compose.override.yaml');
    expect(warned).not.toHaveBeenCalled();
  });

  it('judges an override of compose together with what it is put on, and tells of it what it adds', async () => {
    const folder = folderWith({
      'deploy/compose.yaml': `services:
        app: { build: ., restart: always, init: true, stop_grace_period: 40s, user: node, environment: { A: b } }
        postgres: { image: 'postgres:17', volumes: [data:/data] }\n`,
      'deploy/compose.override.yaml': `services:
        app: { scale: 2, environment: [B=c] }
        postgres: { restart: always, ports: ['5432:5432'] }\n`,
    });
    const { findings, examined } = await doctor(folder, { env: {}, drainMs: 35_000 });
    const about = findings.filter(({ where }) => where.startsWith('deploy/'));
    expect(about.map(({ code, where }) => `${code} ${where}`).toSorted()).toEqual([
      'SBX116 deploy/compose.override.yaml: app',
      'SBX421 deploy/compose.override.yaml: postgres',
      'SBX422 deploy/compose.yaml: postgres',
    ]);
    expect(examined).toContain('deploy/compose.override.yaml');
  });

  it('says when there is no such folder or program', async () => {
    await expect(doctor('/nowhere/app.js')).rejects.toThrow(DoctorError);
    await expect(doctor('')).rejects.toThrow('there is no folder or program ""');
  });

  it('says what was not looked at, and what it would take', async () => {
    const { examined, skipped, ok } = await doctor(newFolder(), { env: {} });
    expect({ examined, skipped, ok }).toEqual({
      ok: true,
      examined: ['settings'],
      skipped: ['Redis: REDIS_URL is not set', 'the running app: give its program, or its address as url'],
    });
  });

  it('names an address where nobody answers', async () => {
    const report = await doctor(`http://127.0.0.1:${await freePort()}`);
    expect(codesOf(report)).toEqual(['SBX501']);
    expect(report.ok).toBe(false);
  });

  it('looks over TLS at the certificate, at HSTS, and whether cookies are Secure', async () => {
    const server = createServer(selfSigned(), (req, res) => {
      res.setHeader('X-Content-Type-Options', 'nosniff').setHeader('RateLimit-Policy', '"default";q=9;w=1');
      res.setHeader('Cache-Control', 'no-store').setHeader('Set-Cookie', 'sid=1; HttpOnly; SameSite=Lax');
      res.setHeader('Content-Type', 'application/json').statusCode = req.url === '/livez' ? 200 : 404;
      res.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const report = await doctor(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(codesOf(report)).toEqual(['SBX509', 'SBX517', 'SBX518']);
    expect(report.findings.find(({ code }) => code === 'SBX518')?.detail).toMatch(/SELF_SIGNED|self.signed/i);
  });

  it('names it where a running app has its settings against it', async () => {
    const folder = folderWith({ '.env': 'PUBLIC_URL=https://app.example.com\nTRUST_PROXY=loopback' });
    const server = createPlainServer((_req, res) => {
      res.setHeader('X-Content-Type-Options', 'nosniff').setHeader('RateLimit-Policy', '"default";q=9;w=1');
      res.setHeader('Cache-Control', 'no-store').setHeader('Set-Cookie', 'sid=1; HttpOnly; SameSite=Lax');
      res.setHeader('Content-Type', 'application/json').end('{}');
    });
    const report = await doctor(folder, { env: {}, url: await listen(server) });
    expect(report.findings.filter(({ code }) => code === 'SBX509').map(({ detail }) => detail)).toEqual([
      'without Secure',
    ]);
  });

  it('shows no secret', async () => {
    const folder = folderWith({
      '.env': `SESSION_SECRET=hunter2hunter2\nDATABASE_URL=postgres://app:hunter3@db.example.com/app?sslmode=disable`,
    });
    const report = await doctor(folder, { env: { JWT_SECRET: 'hunter4' }, redis: false });
    expect(codesOf(report)).toEqual(['SBX103', 'SBX117']);
    expect(JSON.stringify(report)).not.toMatch(/hunter/);
  });

  it('leaves out what somebody has decided to live with', async () => {
    const folder = folderWith({ '.env': 'LOG_LEVEL=debug\nNODE_TLS_REJECT_UNAUTHORIZED=0' });
    const report = await doctor(folder, { env: {}, ignore: ['SBX118'] });
    expect(report).toMatchObject({ ok: true, counts: { error: 0, warning: 1, note: 0 } });
  });

  it('takes the environment before the file', async () => {
    const folder = folderWith({ '.env': 'NODE_ENV=development' });
    expect(codesOf(await doctor(folder, { env: { NODE_ENV: 'production' } }))).toEqual([]);
  });

  it('reports what the schema of the app says of its settings in production', async () => {
    const settings = z.object({ PORT: port().default(3000), SECRET_KEYS: secrets({ generate: true }) });
    const { findings } = await doctor(newFolder(), { env: { PORT: 'x' }, settings });
    expect(findings.map(({ code, where }) => [code, where])).toEqual([
      ['SBX109', 'PORT'],
      ['SBX109', 'SECRET_KEYS'],
    ]);
    expect(codesOf(await doctor(newFolder(), { env: { SECRET_KEYS: SECRET }, settings }))).toEqual([]);
  });

  it('names a file of secrets that is in the repository', async () => {
    const folder = folderWith({ '.env': `SECRET_KEYS=${SECRET}` });
    const git = (...args: string[]): unknown => execFileSync('git', args, { cwd: folder, stdio: 'ignore' });
    git('init');
    expect(codesOf(await doctor(folder, { env: {} }))).toEqual([]);
    git('add', '-f', '.env');
    expect(codesOf(await doctor(folder, { env: {} }))).toEqual(['SBX124']);
  });

  it('holds a longer drain, and that of a manager, against the grace period', async () => {
    const compose = (workers: number): string =>
      `services:\n  app:\n    build: .\n    restart: always\n    stop_grace_period: 32s\n    environment: { WORKERS: ${workers}, REDIS_URL: redis://redis }\n`;
    const one = folderWith({ 'compose.yaml': compose(1) });
    expect(codesOf(await doctor(one, { env: {} }))).toEqual([]);
    expect(codesOf(await doctor(one, { env: {}, drainMs: 30_000 }))).toEqual([]);
    expect(codesOf(await doctor(one, { env: {}, drainMs: 60_000 }))).toEqual(['SBX420']);
    const four = folderWith({ 'compose.yaml': compose(4) });
    expect(codesOf(await doctor(four, { env: {}, drainMs: 30_000 }))).toEqual(['SBX420']);
  });

  it('looks at what files take from each other, and names it once', async () => {
    const folder = folderWith({
      'app.env': `SECRET_KEYS=${SECRET}\nWORKERS=4\nREDIS_URL=redis://redis`,
      'compose.yaml':
        'services: { app: { build: ., restart: always, env_file: app.env, stop_grace_period: 32s } }\n',
    });
    expect(codesOf(await doctor(folder, { env: {}, drainMs: 25_000 }))).toEqual([]);
    const { findings } = await doctor(folder, { env: {}, drainMs: 30_000 });
    expect(findings.map(({ code, where, detail }) => [code, where, detail])).toEqual([
      ['SBX420', 'compose.yaml: app', '32 s, and the app drains for 35 s'],
    ]);
  });
});

describe('the catalogue', () => {
  it('has a code for what is looked for, and nothing else', () => {
    const source = (folder: string): string =>
      readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('catalogue'))
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
        .join('\n');
    const used = new Set(source(fileURLToPath(new URL('../src', import.meta.url))).match(/SBX\d{3}/g));
    expect([...used].toSorted()).toEqual(Object.keys(CATALOGUE).toSorted());
  });

  it('says what, why and what to do, each in sentences', () => {
    for (const { title, reason, fix } of Object.values(CATALOGUE)) {
      expect(title).toMatch(/^\S.*[^.]$/);
      expect(reason).toMatch(/^\S.*\.$/s);
      expect(fix).toMatch(/^\S.{5,}/s);
    }
  });
});

describe('files that are something else', () => {
  it('never keep the others from being looked at', async () => {
    const folder = folderWith({
      'nginx.conf': 'server { location / { proxy_pass http://app; } }}}} "',
      Dockerfile: 'FROM\nRUN \\\n',
      'values.yaml': 'image: {{ .Values.image }}\nkind: x\napiVersion: v1',
      'package.json': '[1',
      'compose.yaml': 'services: [1, 2]\n',
      'app.service': '=\n[Service\nExecStart=',
      '.env': 'SESSION_SECRET=x7Kq2Lm9',
    });
    expect(codesOf(await doctor(folder, { env: {} }))).toEqual(['SBX103', 'SBX461']);
  });

  it('of any text are read without a fault', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', ';', '"', "'", '\\', '#', '\n', ' ', 'a', '$') }),
        (text) => {
          readNginx(text);
          readMs(text);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('lengths of time', () => {
  it.each([
    ['90', 90_000],
    ['45s', 45_000],
    ['1m30s', 90_000],
    ['1min 30s', 90_000],
    ['1600ms', 1_600],
    ['infinity', Number.POSITIVE_INFINITY],
    ['soon', undefined],
    ['5 parsecs', undefined],
  ])('%s', (text, ms) => {
    expect(readMs(text)).toBe(ms);
  });
});
