import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MACHINE } from '../../examples/orchestrator/deploy/machine.js';
import { SETTINGS } from '../../examples/orchestrator/src/settings.js';
import { temporaryFolder } from '../support/keeper.js';
import { environmentOf, lastOf, readUnit, SYSTEMD, systemdAnalyze } from './deploy-unit.js';

const app = readUnit('signalbox.service');
const withSocket = readUnit('signalbox.service.d/socket.conf');

describe('the units', () => {
  it('are what systemd takes, to the last line', async () => {
    const { path: folder } = temporaryFolder('units');
    cpSync(SYSTEMD, folder, { recursive: true });
    for (const name of ['signalbox.service', 'signalbox.service.d/socket.conf']) {
      const text = readFileSync(join(folder, name), 'utf8');
      // Where Node is, and the project, is another matter; that it is a program is not.
      writeFileSync(join(folder, name), text.replaceAll('/usr/bin/node', process.execPath));
    }
    const files = readdirSync(folder).filter((name) => /\.(?:service|socket)$/.test(name));
    const { code, output } = await systemdAnalyze(
      'verify',
      '--man=no',
      ...files.map((file) => join(folder, file)),
    );
    expect([code, output]).toEqual([0, '']);
  });

  it('expose the service by 2.0 at most', async () => {
    // The threshold is given in tenths.
    const unit = `${SYSTEMD}signalbox.service`;
    const { code, output } = await systemdAnalyze('security', '--offline=true', '--threshold=20', unit);
    const [, exposure] = /Overall exposure level for \S+ (\d+\.\d)/.exec(output) ?? [];
    expect(code).toBe(0);
    expect(Number(exposure)).toBeLessThanOrEqual(2);
  });

  it('have the manager tell systemd that it is ready and alive, and wait for a drain', () => {
    expect(['Type', 'NotifyAccess', 'KillMode'].map((name) => lastOf(app, name))).toEqual([
      'notify',
      'all',
      'mixed',
    ]);
    expect(lastOf(app, 'WatchdogSec')).toBe('30s');
    expect(lastOf(app, 'TimeoutStopSec')).toBe(`${MACHINE.managerStopSeconds}s`);
    // For a reload, too: eight workers one after the other, and the drain of those before them.
    const longest = 8 * MACHINE.managerStartSeconds + MACHINE.managerStopSeconds;
    const [, minutes] = /^(\d+)min$/.exec(lastOf(app, 'TimeoutStartSec')) ?? [];
    expect(Number(minutes) * 60).toBeGreaterThanOrEqual(longest);
  });

  it('are never given up', () => {
    expect(lastOf(app, 'StartLimitIntervalSec')).toBe('0');
    expect(lastOf(app, 'Restart')).toBe('on-failure');
  });

  it('name the program by its whole path, so that a reload follows a link to another release', () => {
    for (const unit of [app, withSocket]) {
      expect(lastOf(unit, 'ExecStart')).toContain(` start ${lastOf(app, 'WorkingDirectory')}/dist/main.js `);
    }
  });

  it('lose no line of the log', () => {
    expect(lastOf(app, 'LogRateLimitIntervalSec')).toBe('0');
  });

  it('listen where the app does', () => {
    expect(environmentOf(app)['PORT']).toBe(String(MACHINE.port));
    expect(lastOf(readUnit('signalbox.socket'), 'ListenStream')).toBe(`127.0.0.1:${MACHINE.port}`);
    expect(lastOf(withSocket, 'Sockets')).toBe('signalbox.socket');
    // The first that systemd hands over (sd_listen_fds(3)).
    expect(lastOf(withSocket, 'ExecStart')).toMatch(/ --bind fd:3$/);
  });

  it('set what the app knows', () => {
    const names = Object.keys(environmentOf(app))
      .filter((name) => !name.startsWith('SIGNALBOX_'))
      .map((name) => name.replace(/_FILE$/, ''));
    const known = Object.keys(SETTINGS.shape);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });
});
