import type { Migration } from '@signalbox/postgres';

/** The tables, in the order in which they came. An applied migration is never changed: another one follows. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-accounts',
    up: `
      create table users (
        id text primary key,
        -- As it was given, without spaces and in lower case.
        email text not null unique,
        password_hash text not null,
        roles text[] not null default '{user}',
        keeps_history boolean not null default false,
        created_at timestamptz not null default now()
      );
      create table password_resets (
        token_hash bytea primary key,
        user_id text not null references users on delete cascade,
        expires_at timestamptz not null
      );
      create index on password_resets (user_id);
      create table second_factors (
        user_id text primary key references users on delete cascade,
        -- Encrypted: whoever reads the table cannot make codes.
        secret bytea not null,
        -- Null until a first code has shown that the app has it.
        confirmed_at timestamptz,
        -- The last time step whose code was used: a code is good once (RFC 6238 section 5.2).
        last_step bigint not null default 0
      );
      create table recovery_codes (
        user_id text not null references users on delete cascade,
        code_hash text not null,
        primary key (user_id, code_hash)
      );
      create table api_keys (
        id text primary key,
        hash text not null,
        user_id text not null references users on delete cascade,
        name text not null,
        scopes text[] not null,
        roles text[] not null,
        plan text,
        created_at timestamptz not null,
        expires_at timestamptz,
        last_used_at timestamptz
      );
      create index on api_keys (user_id, created_at);
      create table searches (
        id bigint generated always as identity primary key,
        user_id text not null references users on delete cascade,
        query text not null,
        searched_at timestamptz not null default now()
      );
      create index on searches (user_id, id desc);
      create table audit_log (
        id bigint generated always as identity primary key,
        at timestamptz not null default now(),
        event text not null,
        -- No reference: the log outlives the account.
        user_id text,
        details jsonb not null default '{}'
      );
      create index on audit_log (user_id, id desc);
    `,
  },
];
