import { found, type Finding } from '../finding.js';
import { hostOf, isNear } from '../checks/settings.js';
import { asker } from './ask.js';
import { checkCertificate } from './certificate.js';
import { judgeInside, type Surroundings } from './inside.js';
import { judge } from './judge.js';
import { forgeAddress, forgeLoopback, look } from './look.js';
import type { StartedApp } from './start-app.js';

export interface ExamineOptions extends Surroundings {
  readonly publicUrl: string | undefined;
  readonly allowedOrigin: string | undefined;
  readonly timeoutMs: number;
}

/** Asks a running app, and says what is wrong with its answers. */
export async function examine(
  url: string,
  { publicUrl, allowedOrigin, timeoutMs, ...surroundings }: ExamineOptions,
  app?: StartedApp,
): Promise<Finding[]> {
  const ask = asker(url, timeoutMs, app?.headers ?? {});
  try {
    const seen = await look(ask, allowedOrigin);
    const cameByHttps = url.startsWith('https:');
    const inside = app?.told().findLast(({ kind }) => kind === 'request');
    return [
      ...judge(seen, { cameByHttps, isHttps: cameByHttps || publicUrl?.startsWith('https:') === true }),
      ...(await forgeLoopback(ask, seen)),
      ...(inside === undefined
        ? await forgeAddress(ask, seen)
        : judgeInside(inside, 'the running app', surroundings)),
      ...(await checkCertificate(url, timeoutMs)),
      ...(!cameByHttps && !isNear(hostOf(url)) ? [found('SBX110', url)] : []),
    ];
  } catch (error) {
    return [found('SBX501', url, error instanceof Error ? error.message : String(error))];
  }
}
