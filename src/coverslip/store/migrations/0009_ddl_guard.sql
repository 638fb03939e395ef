-- why: an allow-list on DDL: a deny-list let the owner create a rule after which inserts vanished silently (LEDGER D11)
-- beside: an earlier release makes no DDL while it runs
-- locks: none on tables
-- undo: only the superuser can disable the two event triggers, and the next schema fingerprint shows it

-- A migration announces itself by its row in ops.migration, written first in the same transaction.
create function public.coverslip_migrating() returns boolean language sql stable security definer
set search_path = pg_catalog, pg_temp as $$
  select exists (select 1 from ops.migration m where m.xid = pg_current_xact_id_if_assigned())
     and exists (select 1 from pg_roles r where r.rolname = session_user and (r.rolsuper or r.rolname = 'cs_migrator'))
$$;

create function public.coverslip_ddl_guard() returns event_trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c record; n int := 0;
begin
  if public.coverslip_migrating() then return; end if;
  for c in select * from pg_event_trigger_ddl_commands() loop
    n := n + 1;
    -- Rules, policies, triggers and grants arrive without a schema: only what names the temporary schema passes.
    if c.schema_name is distinct from 'pg_temp' then
      raise exception '% on % refused: the schema changes only in a published migration', c.command_tag,
        coalesce(c.object_identity, 'the database') using errcode = 'CS011';
    end if;
  end loop;
  -- What was dropped is judged by the other guard.
  if n = 0 and (tg_tag not like 'DROP %' or tg_tag = 'DROP OWNED') then
    raise exception '% refused: the schema changes only in a published migration', tg_tag using errcode = 'CS011';
  end if;
end $$;

create function public.coverslip_drop_guard() returns event_trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c record;
begin
  if public.coverslip_migrating() then return; end if;
  for c in select * from pg_event_trigger_dropped_objects() loop
    if not c.is_temporary and c.schema_name is distinct from 'pg_temp' then
      raise exception 'dropping % refused: the schema changes only in a published migration', c.object_identity
        using errcode = 'CS011';
    end if;
  end loop;
end $$;

revoke all on function public.coverslip_migrating(), public.coverslip_ddl_guard(), public.coverslip_drop_guard() from public;

create event trigger coverslip_ddl_guard on ddl_command_end execute function public.coverslip_ddl_guard();
create event trigger coverslip_drop_guard on sql_drop execute function public.coverslip_drop_guard();
alter event trigger coverslip_ddl_guard enable always;
alter event trigger coverslip_drop_guard enable always;
