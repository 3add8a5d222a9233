// A reporter for vitest that keeps a list of the test files that are being run, so that a run that hangs can say where.

import { writeFileSync } from 'node:fs';

/** vitest makes one of the file's default export. */
export default class RunningReporter {
  #running = new Set();

  onTestModuleStart(module) {
    this.#running.add(module.relativeModuleId);
    this.#write();
  }

  onTestModuleEnd(module) {
    this.#running.delete(module.relativeModuleId);
    this.#write();
  }

  #write() {
    writeFileSync(process.env.SIGNALBOX_RUNNING_FILES, [...this.#running].join('\n'));
  }
}
