export { CATALOGUE } from './catalogue.js';
export { doctor } from './doctor.js';
export { DoctorError } from './doctor-error.js';

export type { Code, Diagnosis, Finding, Severity } from './finding.js';
export type { DoctorOptions } from './options.js';
export type { DoctorReport } from './report.js';
