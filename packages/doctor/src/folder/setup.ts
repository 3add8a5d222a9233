/** The variables that one process of the app, or of something beside it, starts with. */
export interface Setup {
  /** `the environment`, `.env`, `compose.yaml: app`. */
  readonly where: string;
  readonly values: ReadonlyMap<string, string>;
  /** Whether all variables are known, so that one that is missing is not set. */
  readonly complete: boolean;
  /** Whether it is a file of the deployment, in which no secret may stand. */
  readonly published: boolean;
  /** Whether the process has a network of its own, in which loopback is reached by nobody. */
  readonly contained: boolean;
  /** How many of them run side by side, beyond what the variables say. */
  readonly replicas: number;
  /** Variables whose values stand in another file, which is looked at for itself. */
  readonly elsewhere?: ReadonlySet<string> | undefined;
  readonly memoryBytes?: number | undefined;
}

/** How many processes run the app. */
export function processesOf({ values, replicas }: Setup): number {
  const said = ['WORKERS', 'SIGNALBOX_WORKERS', 'WEB_CONCURRENCY']
    .map((name) => Number(values.get(name) ?? 1))
    .filter((number) => Number.isSafeInteger(number) && number > 0);
  return Math.max(1, ...said) * Math.max(1, replicas);
}
