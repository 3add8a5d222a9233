import { deployment } from './catalogue/deployment.js';
import { program } from './catalogue/program.js';
import { redis } from './catalogue/redis.js';
import { running } from './catalogue/running.js';
import { settings } from './catalogue/settings.js';
import { supervisors } from './catalogue/supervisors.js';
import type { Diagnosis } from './finding.js';

/** The stable name of a mistake, such as `SBX104`. */
export type Code =
  | keyof typeof settings
  | keyof typeof redis
  | keyof typeof program
  | keyof typeof deployment
  | keyof typeof supervisors
  | keyof typeof running;

/** Every mistake that is looked for, by its code. A code keeps its meaning, and is not used again. */
export const CATALOGUE: Readonly<Record<Code, Diagnosis>> = {
  ...settings,
  ...redis,
  ...program,
  ...deployment,
  ...supervisors,
  ...running,
};
