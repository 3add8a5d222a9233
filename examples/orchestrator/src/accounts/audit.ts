import type { Database, Transaction } from '@signalbox/postgres';

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

export interface Audit {
  /** Writes one line; inside a transaction where the event is part of one. */
  record(event: AuditEvent, userId: string | undefined, options?: AuditOptions): Promise<void>;
}

export interface AuditOptions {
  /** No addresses, no secrets, nothing that was searched for. */
  details?: Readonly<Record<string, string | number>> | undefined;
  within?: Transaction | undefined;
}

export function audit(database: Database): Audit {
  return {
    async record(event, userId, { details = {}, within = database } = {}) {
      await within.query('insert into audit_log (event, user_id, details) values ($1, $2, $3)', [
        event,
        userId ?? null,
        JSON.stringify(details),
      ]);
    },
  };
}
