/** A time a quarter shorter or longer, so that many processes do not do the same thing in step. */
export function jittered(ms: number): number {
  return Math.round(ms * (0.75 + Math.random() / 2));
}
