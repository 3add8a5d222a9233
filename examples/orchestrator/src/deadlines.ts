/** How long a stopped process takes at most to answer, close and leave. Whoever stops it has to wait longer. */
export const DRAIN_TOTAL_MS = 30_000;

/** How long whoever balances the load is given to see that this process is not ready any more. */
export const READINESS_DELAY_MS = 2_000;

/** How long searches under way are waited for, before another process is to go on with them. */
export const JOBS_MS = 5_000;

/** How long a process that starts waits for what it stands on; later it serves what it can without. */
export const START_MS = 2_000;

/** How long an answer may take. */
export const ANSWER_DEADLINE_MS = 30_000;
