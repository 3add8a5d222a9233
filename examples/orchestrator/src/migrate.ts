// node dist/migrate.js: makes the tables and the admin account, and ends. Each process does so at its start; this is for who
// wants it done, by another role perhaps, before a new version takes requests.
import { passwords } from '@signalbox/auth';
import { createLogger } from '@signalbox/logging';
import { connectPostgres } from '@signalbox/postgres';
import { audit } from './accounts/audit.js';
import { ensureAdmin } from './accounts/ensure-admin.js';
import { MIGRATIONS } from './accounts/schema.js';
import { users } from './accounts/users.js';
import { readSettings } from './settings.js';

const settings = readSettings();
const logger = createLogger({ level: settings.LOG_LEVEL, name: 'migrate' });

if (settings.DATABASE_URL === undefined) {
  process.stderr.write('DATABASE_URL must be set: an embedded database is made anew each time\n');
  process.exitCode = 78;
} else {
  const database = connectPostgres(settings.DATABASE_URL, { log: logger });
  try {
    const { applied, unknown } = await database.migrate(MIGRATIONS);
    await ensureAdmin(settings, { users: users(database), audit: audit(database), passwords: passwords() });
    logger.info({ applied, unknown }, 'the tables are as this version wants them');
  } catch (error) {
    logger.error({ err: error }, 'the tables could not be made');
    process.exitCode = 1;
  }
  await database.close();
}
