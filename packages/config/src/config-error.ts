/** One thing that is wrong with the settings. */
export interface ConfigProblem {
  /** The variable, option or file that it is about. */
  name: string;
  /** What is wrong and what to do, in a sentence. Holds no secret. */
  message: string;
  /** Where the wrong value came from: `argv`, `env`, `file:<path>`, `default`; `undefined` for a missing one. */
  source: string | undefined;
}

/** Everything that is wrong with the settings, at once. The program should not start. */
export class ConfigError extends Error {
  readonly code = 'invalid_config';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const heading = problems.length === 1 ? 'A setting is wrong:' : `${problems.length} settings are wrong:`;
    super([heading, ...problems.map(({ message }) => `  ${message}`)].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
