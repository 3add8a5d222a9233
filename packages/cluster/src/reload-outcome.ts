/** What became of a reload. */
export interface ReloadOutcome {
  /** `rolled_back`: the workers from before go on. `stopped`: the manager was told to stop meanwhile. */
  readonly outcome: 'done' | 'rolled_back' | 'stopped';
  /** When it began, as ISO 8601. */
  readonly at: string;
  /** Until the new workers were ready, in milliseconds; for a rollback, until it was decided. */
  readonly readyMs: number;
  /** Until the last of the old ones was gone; `undefined` while they still drain. */
  readonly durationMs: number | undefined;
  /** Why it was rolled back. */
  readonly reason: string | undefined;
}
