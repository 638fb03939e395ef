-- why: entries, leaves, tiles, checkpoints, anchors and bodies are appended and never changed (LEDGER 2)
-- beside: an earlier release only appends
-- locks: share row exclusive on ledger tables, milliseconds
-- undo: a later migration, published and on the record

set local role cs_owner;

create function ledger.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% on %.% refused: the ledger is append-only', tg_op, tg_table_schema, tg_table_name
    using errcode = 'CS010', hint = 'A correction is a new version of the record.';
end $$;

-- The one update of a body: an erasure that is itself an entry of the same transaction and names its record.
create function ledger.erase_only() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare target uuid;
begin
  if new.entry_id is distinct from old.entry_id or new.fixed_salts is distinct from old.fixed_salts
     or new.fixed is distinct from old.fixed or new.erasable is not null or new.erasable_salts is not null
     or old.erasable is null then
    raise exception 'UPDATE on ledger.body refused: only an erasure of personal sections is possible' using errcode = 'CS010';
  end if;
  select e.record_id into target from ledger.entry e where e.log_id = 1 and e.id = old.entry_id;
  if target is null or not exists (
      select 1 from ledger.entry e left join ledger.body b on b.entry_id = e.id
      where e.xid = pg_current_xact_id() and convert_from(e.leaf, 'UTF8')::jsonb ->> 'type' = 'erasure'
        and (e.about = target or position(convert_to('"id":"' || target || '"', 'UTF8') in b.fixed) > 0)) then
    raise exception 'UPDATE on ledger.body refused: no erasure entry of this transaction names the record of entry %', old.entry_id using errcode = 'CS010';
  end if;
  return new;
end $$;

do $$
declare t text;
begin
  foreach t in array array['entry','leaf','tile','checkpoint','anchor','body'] loop
    if t <> 'body' then
      execute format('create trigger append_only before update or delete on ledger.%I for each row execute function ledger.refuse_change()', t);
      execute format('alter table ledger.%I enable always trigger append_only', t);
    end if;
    execute format('create trigger no_truncate before truncate on ledger.%I for each statement execute function ledger.refuse_change()', t);
    execute format('alter table ledger.%I enable always trigger no_truncate', t);
  end loop;
end $$;
create trigger no_delete before delete on ledger.body for each row execute function ledger.refuse_change();
create trigger erase_only before update on ledger.body for each row execute function ledger.erase_only();
alter table ledger.body enable always trigger no_delete;
alter table ledger.body enable always trigger erase_only;
