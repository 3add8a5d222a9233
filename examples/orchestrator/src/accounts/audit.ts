import { runInContext } from '@signalbox/context';
import type { Database, Transaction } from '@signalbox/postgres';
import type { Background } from '../background.js';

/** What an account's owner may ask about later. */
export type AuditEvent =
  | 'registered'
  | 'signed_in'
  | 'sign_in_failed'
  | 'signed_out'
  | 'signed_out_everywhere'
  | 'session_ended'
  | 'password_reset_asked'
  | 'password_changed'
  | 'second_factor_added'
  | 'second_factor_removed'
  | 'recovery_code_used'
  | 'key_created'
  | 'key_revoked'
  | 'token_reused'
  | 'history_deleted'
  | 'cache_invalidated'
  | 'workers_reloaded';

/** No addresses, no secrets, nothing that was searched for. */
type Details = Readonly<Record<string, string | number>>;

/** Writes one line of what has happened. A database that does not take it does not make it undone. */
export type Note = (event: AuditEvent, userId: string | undefined, details?: Details) => void;

export interface Audit {
  /** Writes one line; inside a transaction where the event is part of one. */
  record(event: AuditEvent, userId: string | undefined, options?: AuditOptions): Promise<void>;
  /** For what nobody waits for. */
  noteIn(background: Background): Note;
}

export interface AuditOptions {
  details?: Details | undefined;
  within?: Transaction | undefined;
}

export function audit(database: Database): Audit {
  const record: Audit['record'] = async (event, userId, { details = {}, within = database } = {}) => {
    await within.query('insert into audit_log (event, user_id, details) values ($1, $2, $3)', [
      event,
      userId ?? null,
      JSON.stringify(details),
    ]);
  };
  return {
    record,
    noteIn: (background) => (event, userId, details) =>
      // Also where the client has left, or is too late.
      background.run(
        'the audit log',
        runInContext({}, () => record(event, userId, { details })),
      ),
  };
}
