import { SCRAPE } from './figures.js';

/** How values are shown, in Grafana's words. */
export type Unit = 's' | 'bytes' | 'reqps' | 'ops' | 'percentunit' | 'short' | 'dateTimeAsIso';

export interface Query {
  expr: string;
  /** With labels in double braces. */
  legend: string;
}

export interface PanelOptions {
  title: string;
  unit: Unit;
  queries: readonly Query[];
  description?: string;
  type?: 'timeseries' | 'stat';
  /** From these values on it is yellow, and red. */
  thresholds?: readonly [warn: number, bad: number];
  /** Whether less is worse. */
  isFloor?: boolean;
  max?: number;
}

export interface Row {
  title: string;
  panels: readonly PanelOptions[];
  collapsed?: boolean;
}

const DATASOURCE = { type: 'prometheus', uid: 'prometheus' };
const COLUMNS = 24;

/** A dashboard of rows; as many panels stand side by side as fit. */
export function dashboard(uid: string, title: string, rows: readonly Row[]): object {
  let id = 0;
  let y = 0;
  const panels: object[] = [];
  for (const row of rows) {
    const header = { id: ++id, type: 'row', title: row.title, collapsed: row.collapsed ?? false };
    const gridPos = { x: 0, y: y++, w: COLUMNS, h: 1 };
    const placed = row.panels.map((panel, index) => {
      const { x, line, w, h } = placeOf(row.panels, index);
      return panelOf(++id, panel, { x, y: y + line * h, w, h });
    });
    y += Math.max(0, ...row.panels.map((_, index) => (placeOf(row.panels, index).line + 1) * heightOf(row)));
    // Panels of a row that is closed stand in it, those of an open one behind it.
    panels.push(
      { ...header, gridPos, panels: row.collapsed ? placed : [] },
      ...(row.collapsed ? [] : placed),
    );
  }
  return {
    uid,
    title,
    tags: ['signalbox'],
    schemaVersion: 39,
    timezone: 'browser',
    editable: false,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        {
          name: 'instance',
          type: 'query',
          datasource: DATASOURCE,
          query: `label_values(up{job="${SCRAPE.job}"}, instance)`,
          includeAll: true,
          allValue: '.*',
          multi: true,
          refresh: 2,
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels,
  };
}

interface Place {
  x: number;
  line: number;
  w: number;
  h: number;
}

function heightOf({ panels }: Row): number {
  return panels.every(({ type }) => type === 'stat') ? 4 : 8;
}

function placeOf(panels: readonly PanelOptions[], index: number): Place {
  const perLine = panels.every(({ type }) => type === 'stat') ? 6 : 3;
  const w = COLUMNS / perLine;
  return {
    x: (index % perLine) * w,
    line: Math.floor(index / perLine),
    w,
    h: heightOf({ title: '', panels }),
  };
}

function panelOf(id: number, panel: PanelOptions, gridPos: object): object {
  const { title, unit, queries, description, type = 'timeseries', thresholds, isFloor = false, max } = panel;
  const [warn, bad] = thresholds ?? [];
  const colours = isFloor ? ['red', 'yellow', 'green'] : ['green', 'yellow', 'red'];
  const bounds = isFloor ? [null, bad, warn] : [null, warn, bad];
  return {
    id,
    type,
    title,
    ...(description === undefined ? {} : { description }),
    datasource: DATASOURCE,
    gridPos,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
    })),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max === undefined ? {} : { max }),
        ...(thresholds === undefined
          ? {}
          : {
              thresholds: {
                mode: 'absolute',
                steps: bounds.map((value, index) => ({ value, color: colours[index] })),
              },
            }),
      },
      overrides: [],
    },
    options: type === 'stat' ? { reduceOptions: { calcs: ['lastNotNull'] } } : { tooltip: { mode: 'multi' } },
  };
}
