import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect, it } from 'vitest';
import { accountOf, adminOf, ADMIN_SETTINGS } from '../support/identity.js';
import { startOrchestrator } from '../support/orchestrator.js';
import { startPostgres } from '../support/postgres.js';
import { startProgram } from '../support/program.js';

const MIGRATE = fileURLToPath(new URL('../../examples/orchestrator/dist/migrate.js', import.meta.url));

it('tables are made by one role, and used by another that may not change them', {
  timeout: 60_000,
}, async () => {
  const postgres = await startPostgres();
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query('CREATE ROLE app LOGIN');
  const migrate = await startProgram(process.execPath, [MIGRATE], {
    env: { ...ADMIN_SETTINGS, DATABASE_URL: postgres.url },
  });
  expect(await migrate.exited).toMatchObject({ code: 0 });
  await client.query(`
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app`);
  await client.end();

  const running = await startOrchestrator({
    ...ADMIN_SETTINGS,
    DATABASE_URL: postgres.url.replace('postgres@', 'app@'),
  });
  expect((await fetch(`${running.url}/readyz`)).status).toBe(200);
  await accountOf(running.url);
  await adminOf(running.url);
  await running.program.stop();
  await postgres.stop();
});

it('where they cannot be made, the program that makes them says so and exits with 1', async () => {
  const program = await startProgram(process.execPath, [MIGRATE], {
    env: { DATABASE_URL: 'postgres://app@127.0.0.1:1/app' },
  });
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(program.output()).toContain('the tables could not be made');
});
