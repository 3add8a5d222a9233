import { fileURLToPath, pathToFileURL } from 'node:url';
import { listen } from '@signalbox/testing';
import type { Express } from 'express';
import { describe, expect, it } from 'vitest';
import { doctor } from '../src/index.js';
import { codesOf, copyOf, type Seed, seeds } from './support.js';

const named = (kind: Seed['kind']): [string, Seed][] =>
  seeds.filter((seed) => seed.kind === kind).map((seed) => [seed.name, seed]);

it('there are more than forty mistakes to find', () => {
  expect(seeds.length).toBeGreaterThan(100);
});

describe('a mistake in settings, sources and files of the deployment', () => {
  it.each(named('files'))('is named, and nothing else is: %s', async (_name, seed) => {
    const report = await doctor(copyOf(seed), { env: {}, redis: false });
    expect(codesOf(report)).toEqual([seed.code]);
    const finding = report.findings.find(({ code }) => code === seed.code);
    expect(finding?.where).not.toBe('');
    expect(finding?.reason).toMatch(/\S.{20,}/);
    expect(finding?.fix).toMatch(/\S.{5,}/);
  });
});

describe('a mistake that answers show', () => {
  it.each(named('app'))('is named, and nothing else is: %s', async (_name, seed) => {
    const { app } = (await import(pathToFileURL(`${seed.folder}/app.mjs`).href)) as { app: Express };
    const report = await doctor(await listen(app));
    expect(codesOf(report)).toEqual([seed.code]);
  });
});

it('an app without a mistake is found sound', async () => {
  const path = new URL('seeded/sound-app.mjs', import.meta.url).href;
  const { soundApp } = (await import(path)) as { soundApp: () => Express };
  expect(await doctor(await listen(soundApp()))).toMatchObject({ ok: true, findings: [] });
});

it('the orchestrator, as it is shipped, gives no cause for alarm', async () => {
  const report = await doctor(fileURLToPath(new URL('../../../examples/orchestrator', import.meta.url)), {
    env: { NODE_ENV: 'production' },
    start: false,
  });
  const alarms = report.findings.filter(
    ({ severity, where }) => severity !== 'note' && where !== 'Node that runs this',
  );
  expect(alarms).toEqual([]);
  expect(report.examined).toContain('package.json');
});
