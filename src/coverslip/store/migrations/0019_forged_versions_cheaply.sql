-- why: looking for forged versions read every version of the record, in every change to it
-- beside: an earlier release calls the same function and gets the same answer
-- locks: none on existing objects
-- undo: a later migration replaces the function

set local role cs_owner;

-- Alarms are few or none: begin with them. One index probe is all an installation without a forgery pays.
create or replace function ops.insist_unforged(p_uid uuid, p_number text) returns void language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare a record; forged bigint;
begin
  for a in select x.entry_id from ops.alarm x where x.kind = 'admission' order by x.entry_id loop
    select e.id into forged from ledger.entry e where e.log_id = 1 and e.id = a.entry_id and e.record_id = p_uid;
    if found then
      raise exception 'a version of this record never came through the application' using errcode = 'CS013',
        detail = jsonb_build_object('record', p_number, 'entry', forged)::text;
    end if;
  end loop;
end $$;
