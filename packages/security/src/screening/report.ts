import { routeTemplate } from '@signalbox/context';
import type { Request, Response } from 'express';
import type { ScreeningKind } from './kinds.js';
import type { ScreenedPart } from './screened-error.js';
import type { RuleId } from './tally.js';
import type { Verdict } from './verdict.js';

/** One finding, without a word of what was sent. */
export interface ScreeningSample {
  /** When, in ISO 8601. */
  readonly at: string;
  readonly method: string;
  /** The template of the route that matched, such as `/users/:id`; undefined where none did or it was refused before. */
  readonly route: string | undefined;
  readonly part: ScreenedPart;
  /** Of the field; undefined where its name or its number was what counted. */
  readonly kind: ScreeningKind | undefined;
  readonly rules: readonly RuleId[];
  readonly refused: boolean;
}

/** What screening found since the program started. */
export interface ScreeningReport {
  readonly mode: 'off' | 'report' | 'enforce';
  /** Requests that were looked at. */
  readonly requests: number;
  readonly refused: number;
  /** Let pass in `report`, that `enforce` would have refused. */
  readonly wouldRefuse: number;
  readonly rules: Readonly<Partial<Record<RuleId, number>>>;
  readonly parts: Readonly<Partial<Record<ScreenedPart, number>>>;
  readonly kinds: Readonly<Partial<Record<ScreeningKind, number>>>;
  /** The newest last. */
  readonly samples: readonly ScreeningSample[];
}

export interface Recorder {
  looked(): void;
  found(req: Request, res: Response, verdict: Verdict): void;
  report(): ScreeningReport;
}

/** Counts findings, and keeps the last `maxSamples` of them. */
export function recorder(mode: ScreeningReport['mode'], maxSamples: number): Recorder {
  const refuses = mode === 'enforce';
  const rules = new Map<RuleId, number>();
  const parts = new Map<ScreenedPart, number>();
  const kinds = new Map<ScreeningKind, number>();
  const samples: { -readonly [key in keyof ScreeningSample]: ScreeningSample[key] }[] = [];
  let requests = 0;
  let findings = 0;

  return {
    looked() {
      requests += 1;
    },
    found(req, res, { part, kind, rules: found }) {
      findings += 1;
      for (const rule of found) count(rules, rule);
      count(parts, part);
      if (kind !== undefined) count(kinds, kind);
      if (maxSamples === 0) return;
      const at = new Date().toISOString();
      const sample = {
        at,
        method: req.method,
        route: routeTemplate(req),
        part,
        kind,
        rules: found,
        refused: refuses,
      };
      samples.push(sample);
      if (samples.length > maxSamples) samples.shift();
      // Which route it was is known once it has been found; a refused request never gets there.
      if (!refuses && sample.route === undefined) {
        res.once('close', () => {
          sample.route = routeTemplate(req);
        });
      }
    },
    report() {
      return {
        mode,
        requests,
        refused: refuses ? findings : 0,
        wouldRefuse: refuses ? 0 : findings,
        rules: Object.fromEntries(rules),
        parts: Object.fromEntries(parts),
        kinds: Object.fromEntries(kinds),
        samples: samples.map((sample) => ({ ...sample })),
      };
    },
  };
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
