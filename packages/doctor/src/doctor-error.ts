/** Nothing could be examined: the target is not there, or no target. The message says why. */
export class DoctorError extends Error {
  readonly code = 'no_target';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DoctorError';
  }
}
