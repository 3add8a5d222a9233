/** A module without which the app is nothing did not load. The cause says why. */
export class CriticalModuleError extends Error {
  readonly code = 'critical_module_failed';
  /** Name of the module. */
  readonly module: string;

  constructor(module: string, cause: unknown) {
    super(`The critical module "${module}" failed to load`, { cause });
    this.name = 'CriticalModuleError';
    this.module = module;
  }
}
