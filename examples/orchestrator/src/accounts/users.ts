import { randomUUID } from 'node:crypto';
import { ConflictError } from '@signalbox/errors';
import type { Database, Transaction } from '@signalbox/postgres';
import type { Role } from '../roles.js';

/** Somebody with an account, as the rest of the app sees them. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly roles: readonly Role[];
  /** Whether their searches are kept for them. */
  readonly keepsHistory: boolean;
  readonly createdAt: Date;
}

/** What signing in needs besides. */
export interface UserWithPassword extends User {
  readonly passwordHash: string;
}

export interface Users {
  byId(id: string): Promise<User | undefined>;
  byEmail(email: string): Promise<UserWithPassword | undefined>;
  passwordHash(id: string): Promise<string | undefined>;
  /** @throws {ConflictError} `email_taken` */
  create(account: { email: string; passwordHash: string; roles?: readonly Role[] }): Promise<User>;
  /** Where it is `from` still: one that was changed meanwhile stays. Says whether it was. */
  setPassword(id: string, from: string, to: string, within?: Transaction): Promise<boolean>;
  setKeepsHistory(id: string, keeps: boolean): Promise<void>;
}

interface UserRow {
  id: string;
  email: string;
  password_hash: string;
  roles: Role[];
  keeps_history: boolean;
  created_at: Date;
}

const UNIQUE_VIOLATION = '23505';

export function users(database: Database): Users {
  const one = async (text: string, values: unknown[]): Promise<UserWithPassword | undefined> => {
    const { rows } = await database.query<UserRow>(text, values);
    return rows[0] && userOf(rows[0]);
  };

  return {
    byId: (id) => one('select * from users where id = $1', [id]),
    byEmail: (email) => one('select * from users where email = $1', [email]),

    async passwordHash(id) {
      const { rows } = await database.query<UserRow>('select password_hash from users where id = $1', [id]);
      return rows[0]?.password_hash;
    },

    async create({ email, passwordHash, roles = ['user'] }) {
      try {
        const user = await one(
          'insert into users (id, email, password_hash, roles) values ($1, $2, $3, $4) returning *',
          [`u_${randomUUID()}`, email, passwordHash, roles],
        );
        if (user === undefined) throw new Error('An insert returned nothing');
        return user;
      } catch (error) {
        if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
        throw new ConflictError('There is an account with this address', {
          code: 'email_taken',
          details: [{ in: 'body', pointer: '/email', message: 'is taken' }],
        });
      }
    },

    async setPassword(id, from, to, within = database) {
      const { rowCount } = await within.query(
        'update users set password_hash = $3 where id = $1 and password_hash = $2',
        [id, from, to],
      );
      return rowCount === 1;
    },

    async setKeepsHistory(id, keeps) {
      await database.query('update users set keeps_history = $2 where id = $1', [id, keeps]);
    },
  };
}

function userOf(row: UserRow): UserWithPassword {
  return {
    id: row.id,
    email: row.email,
    roles: row.roles,
    keepsHistory: row.keeps_history,
    createdAt: row.created_at,
    passwordHash: row.password_hash,
  };
}
