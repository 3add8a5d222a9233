/** How a client program is told where Postgres is. */
export interface PostgresTarget {
  /** The URL without the password, which may stand among arguments. */
  readonly url: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The name of the database. */
  readonly database: string;
}

export function postgresTarget(url: string): PostgresTarget {
  const parsed = new URL(url);
  const password = decodeURIComponent(parsed.password);
  parsed.password = '';
  return {
    url: parsed.href,
    env: password === '' ? {} : { PGPASSWORD: password },
    database: decodeURIComponent(parsed.pathname.slice(1)) || decodeURIComponent(parsed.username),
  };
}

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${encodeURIComponent(database)}`;
  return parsed.href;
}
