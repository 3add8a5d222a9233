/**
 * A map that forgets what has not been used for long: at most `capacity` entries, in two halves. When the young
 * half is full it becomes the old one, and what was in the old one is gone. Nothing is ever searched or sorted.
 */
export class Generations<Value extends object | string | number> {
  private young: Map<string, Value> = new Map();
  private old: Map<string, Value> = new Map();
  private readonly half: number;

  constructor(capacity: number) {
    this.half = Math.max(1, Math.floor(capacity / 2));
  }

  get(key: string): Value | undefined {
    const value = this.young.get(key);
    if (value !== undefined || this.old.size === 0) return value;
    const rescued = this.old.get(key);
    if (rescued !== undefined) this.set(key, rescued);
    return rescued;
  }

  set(key: string, value: Value): void {
    if (this.young.size >= this.half && !this.young.has(key)) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
    if (this.old.size > 0) this.old.delete(key);
  }

  delete(key: string): void {
    this.young.delete(key);
    this.old.delete(key);
  }
}
