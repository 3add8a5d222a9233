import type { TestContext } from '@signalbox/testing';

/** In the place of a test's context, for what several tests share: it never ends, so that `stop()` has to. */
export const untilStopped: TestContext = { onTestFinished: () => undefined };
