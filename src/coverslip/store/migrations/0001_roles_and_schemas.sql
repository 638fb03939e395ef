-- why: the roles, schemas and the list of migrations that everything else stands on
-- beside: first migration of an empty database; nothing of an earlier release can be running
-- locks: none on existing objects
-- undo: drop the database; roles without a database are harmless

do $$
declare r text;
begin
  foreach r in array array['cs_owner','cs_migrator','cs_writer','cs_sequencer','cs_reader','cs_verifier','cs_eraser'] loop
    if not exists (select 1 from pg_roles where rolname = r) then
      execute format('create role %I nologin', r);
    end if;
    -- JIT turned a 29 us read into 55 ms (SPIKE 2).
    execute format('alter role %I set jit = off', r);
  end loop;
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect, temporary on database %I to cs_migrator, cs_writer, cs_sequencer, cs_reader, cs_verifier, cs_eraser',
                 current_database());
end $$;

grant cs_owner to cs_migrator;
alter role cs_writer set lock_timeout = '5s';
alter role cs_writer set statement_timeout = '30s';
alter role cs_writer set idle_in_transaction_session_timeout = '30s';
alter role cs_reader set default_transaction_read_only = on;
alter role cs_verifier set default_transaction_read_only = on;

revoke create on schema public from public;
create schema ledger authorization cs_owner;
create schema projection authorization cs_owner;
create schema ops authorization cs_owner;

set local role cs_owner;

create table ops.migration(
  number int primary key, name text not null, sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  xid xid8 not null default pg_current_xact_id(), applied_at timestamptz not null default clock_timestamp(),
  applied_by text not null default session_user);
comment on table ops.migration is 'Published migrations in the order applied; a changed published file is refused.';
