-- why: each role keeps what it uses, guards that were found too wide are closed, and who verifies can see the server's settings
-- beside: an earlier release uses none of what is taken away
-- locks: share row exclusive on ops.migration and ops.alarm, milliseconds
-- undo: a later migration changes the grants and functions

-- Nobody but the superuser owns the database: its owner could open it to others, or set defaults for every
-- session, and neither reaches an event trigger. Temporary objects are used by no role.
do $$
begin
  execute format('alter database %I owner to %I', current_database(), session_user);
  execute format('revoke temporary on database %I from cs_migrator, cs_writer, cs_sequencer, cs_reader, cs_verifier, cs_eraser', current_database());
end $$;

-- What the fingerprint and 'doctor' compare: settings, the files that set them, and who is let in. No secret is in them.
grant pg_read_all_settings to cs_verifier;
grant select on pg_catalog.pg_hba_file_rules, pg_catalog.pg_file_settings to cs_verifier;
grant execute on function pg_catalog.pg_hba_file_rules(), pg_catalog.pg_show_all_file_settings() to cs_verifier;

create or replace function public.coverslip_ddl_guard() returns event_trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c record; n int := 0;
begin
  if public.coverslip_migrating() then return; end if;
  -- Rebuilding an index changes no definition; PostgreSQL 17 began to ask, and a damaged index must be mendable.
  if tg_tag = 'REINDEX' then return; end if;
  for c in select * from pg_event_trigger_ddl_commands() loop
    n := n + 1;
    -- Rules, policies, triggers and grants arrive without a schema: only what names the temporary schema passes,
    -- and that only where it hangs on nothing permanent: a temporary child would show rows in its parent.
    if c.schema_name is distinct from 'pg_temp' or exists (
        select 1 from pg_inherits h join pg_class p on p.oid = h.inhparent
        where c.classid = 'pg_class'::regclass and h.inhrelid = c.objid and p.relpersistence <> 't') then
      raise exception '% on % refused: the schema changes only in a published migration', c.command_tag,
        coalesce(c.object_identity, 'the database') using errcode = 'CS011';
    end if;
  end loop;
  -- What was dropped is judged by the other guard.
  if n = 0 and (tg_tag not like 'DROP %' or tg_tag = 'DROP OWNED') then
    raise exception '% refused: the schema changes only in a published migration', tg_tag using errcode = 'CS011';
  end if;
end $$;

set local role cs_owner;

-- The sequencer and the eraser read no projection.
revoke usage on schema projection from cs_sequencer, cs_eraser;

-- Whose session, key or code it is never changes; what is left changes by use.
revoke update on ops.session, ops.credential, ops.enrolment from cs_writer;
grant update (seen_at, expires_at, ended_at, ended_why, period, data) on ops.session to cs_writer;
grant update (secret, data, changed_at, revoked_at) on ops.credential to cs_writer;
grant update (used_at, data) on ops.enrolment to cs_writer;

-- An alarm stays, and so does what announced a change of the schema. When a migration was applied first may be
-- carried over into a copy of the database.
create function ops.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% on %.% refused: its rows stay as they are', tg_op, tg_table_schema, tg_table_name using errcode = 'CS010';
end $$;
revoke all on function ops.refuse_change() from public;

create trigger append_only before update or delete on ops.alarm for each row execute function ops.refuse_change();
create trigger no_truncate before truncate on ops.alarm for each statement execute function ops.refuse_change();
create trigger no_delete before delete on ops.migration for each row execute function ops.refuse_change();
create trigger no_change before update of number, name, sha256, xid on ops.migration for each row execute function ops.refuse_change();
create trigger no_truncate before truncate on ops.migration for each statement execute function ops.refuse_change();
alter table ops.alarm enable always trigger append_only;
alter table ops.alarm enable always trigger no_truncate;
alter table ops.migration enable always trigger no_delete;
alter table ops.migration enable always trigger no_change;
alter table ops.migration enable always trigger no_truncate;
