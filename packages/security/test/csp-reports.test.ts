import { errorHandler } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heard } from '../../../test/support/heard.js';
import { cspReports, type CspReport, type CspReportsOptions } from '../src/index.js';

function appWith(options?: CspReportsOptions, parser?: express.RequestHandler): Express {
  const app = express();
  if (parser) app.use(parser);
  app.post('/csp-reports', cspReports(options));
  app.use(errorHandler());
  return app;
}

async function report(url: string, body: unknown, type = 'application/csp-report'): Promise<number> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { 'Content-Type': type };
  return (await fetch(`${url}/csp-reports`, { method: 'POST', headers, body: text })).status;
}

const OLD = {
  'csp-report': {
    'document-uri': 'https://app.example/search?q=secret',
    'effective-directive': 'script-src-elem',
    'blocked-uri': 'https://evil.example/x.js?token=secret',
    disposition: 'enforce',
    'source-file': 'https://app.example/app.js',
    'line-number': 3,
    'column-number': 7,
  },
};
const NEW = {
  type: 'csp-violation',
  body: {
    documentURL: 'https://app.example/#secret',
    effectiveDirective: 'style-src-attr',
    blockedURL: 'inline',
    disposition: 'report',
    sample: 'color: red',
  },
};

describe('cspReports', () => {
  it('takes what older browsers send', async () => {
    const findings = heard(signals.securityFinding);
    const reports: CspReport[] = [];
    const url = await listen(appWith({ onReport: (each) => reports.push(each) }));

    expect(await report(url, OLD)).toBe(204);
    expect(findings).toEqual([{ kind: 'csp_report', rule: 'script-src-elem', enforced: true }]);
    expect(reports).toEqual([
      {
        directive: 'script-src-elem',
        enforced: true,
        page: 'https://app.example/search',
        blocked: 'https://evil.example/x.js',
        source: { file: 'https://app.example/app.js', line: 3, column: 7 },
        sample: undefined,
      },
    ]);
  });

  it('takes what the Reporting API sends, several at once', async () => {
    const findings = heard(signals.securityFinding);
    const reports: CspReport[] = [];
    const url = await listen(appWith({ onReport: (each) => reports.push(each) }));
    const body = [NEW, { type: 'deprecation', body: {} }, NEW];

    expect(await report(url, body, 'application/reports+json')).toBe(204);
    expect(findings).toEqual(
      Array.from({ length: 2 }, () => ({ kind: 'csp_report', rule: 'style-src-attr', enforced: false })),
    );
    expect(reports[0]).toMatchObject({
      page: 'https://app.example/',
      blocked: 'inline',
      sample: 'color: red',
    });
  });

  it.each([
    ['express.json', express.json({ type: '*/*' })],
    ['express.text', express.text({ type: '*/*' })],
    ['express.raw', express.raw({ type: '*/*' })],
  ])('takes what %s has parsed', async (_name, parser) => {
    const findings = heard(signals.securityFinding);

    expect(await report(await listen(appWith({}, parser)), OLD)).toBe(204);
    expect(findings).toHaveLength(1);
  });

  it('takes directives with their sources, and keeps words that it does not know to itself', async () => {
    const findings = heard(signals.securityFinding);
    const url = await listen(appWith());
    await report(url, { 'csp-report': { 'violated-directive': "script-src 'self' https://a" } });
    await report(url, { 'csp-report': { 'effective-directive': 'made-up\nlabel' } });
    await report(url, { 'csp-report': { 'effective-directive': 'constructor' } });

    expect(findings.map(({ rule }) => rule)).toEqual(['script-src', 'unknown', 'unknown']);
  });

  it('answers 204 to whatever comes, and 500 to nothing', async () => {
    const url = await listen(appWith({ onReport: () => undefined }));
    const nonsense = fc.oneof(fc.string(), fc.json(), fc.constant('{"csp-report":'), fc.constant(''));

    await fc.assert(
      fc.asyncProperty(
        nonsense,
        fc.constantFrom('application/csp-report', 'text/plain', 'x'),
        async (body, type) => {
          expect(await report(url, body, type)).toBe(204);
        },
      ),
      { numRuns: 50 },
    );
    for (const body of [null, [], [null], [[]], { 'csp-report': null }, [{ type: 'csp-violation' }], 7]) {
      expect(await report(url, body)).toBe(204);
    }
  });

  it('does not read what is too long, whether it says so or not', async () => {
    const findings = heard(signals.securityFinding);
    const url = await listen(appWith({ maxBytes: 1_000 }));
    const long = JSON.stringify({ ...OLD, padding: 'x'.repeat(100_000) });
    const streamed = await fetch(`${url}/csp-reports`, {
      method: 'POST',
      body: new Blob([long]).stream(),
      duplex: 'half',
    } as RequestInit);

    expect(await report(url, long)).toBe(204);
    expect(streamed.status).toBe(204);
    expect(findings).toEqual([]);
    expect(await report(url, OLD)).toBe(204);
    expect(findings).toHaveLength(1);
  });

  it('takes so many in a minute, and so many in a request', async () => {
    const findings = heard(signals.securityFinding);
    const few = await listen(appWith({ maxPerMinute: 3 }));
    for (let times = 0; times < 6; times += 1) expect(await report(few, OLD)).toBe(204);
    expect(findings).toHaveLength(3);

    await report(
      await listen(appWith()),
      Array.from({ length: 100 }, () => NEW),
    );
    expect(findings).toHaveLength(23);
  });

  it.each<[string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('the listener failed');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('the listener failed'))],
  ])('goes on where a listener %s', async (_how, onReport) => {
    const findings = heard(signals.securityFinding);
    const warned = new Promise((resolve) => process.once('warning', resolve));
    const url = await listen(appWith({ onReport }));

    expect(await report(url, OLD)).toBe(204);
    expect(findings).toHaveLength(1);
    expect(await warned).toMatchObject({ message: 'the listener failed' });
  });

  it.each([
    [{ maxBytes: 0 }, '"maxBytes" must be an integer of at least 1, got 0'],
    [{ maxPerMinute: 1.5 }, '"maxPerMinute" must be an integer of at least 1, got 1.5'],
    [{ onReport: true }, '"onReport" must be a function, got true'],
    [{ onreport: () => undefined }, '"onreport" is not an option; did you mean "onReport"?'],
  ])('refuses %j', (options, message) => {
    expect(() => cspReports(options as CspReportsOptions)).toThrow(new TypeError(`cspReports: ${message}`));
  });
});
