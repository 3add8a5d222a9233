import type { Slot } from './slot.js';

const known = new WeakMap<object, readonly Slot[]>();

/** Keeps which modules an app or router has. */
export function rememberModules(app: object, slots: readonly Slot[]): void {
  known.set(app, [...modulesOf(app), ...slots]);
}

/** All modules that were mounted on an app or router, in their order. */
export function modulesOf(app: object): readonly Slot[] {
  return known.get(app) ?? [];
}
