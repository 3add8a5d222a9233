/** What the command exits with. */
export const EXIT = { sound: 0, found: 1, usage: 2, failed: 3 } as const;

export const USAGE = `Usage: signalbox doctor [target] [options]

target   a folder (by default the one where you are), a program such as dist/main.js, which
         is started on loopback and asked, or the address of a running app

  --url <address>       the running app, where the target is a folder or a program
  --no-start            do not start the program
  --no-redis            do not ask the Redis of REDIS_URL
  --settings <module>   a module that exports the schema of the settings: dist/settings.js#SETTINGS
  --drain <time>        how long the app drains at most: 30s
  --timeout <time>      how long an answer may take: 5s
  --ignore <codes>      codes to leave out: SBX102,SBX447
  --strict              warnings, too, end with 1
  --json                the report as JSON
  --explain <code>      one code: what, why, and the fix
  --codes               every code
  --help, --version

Exit codes:
  0   no error
  1   errors; with --strict also warnings
  2   the command line is wrong, or there is no such target
  3   the examination itself failed
`;
