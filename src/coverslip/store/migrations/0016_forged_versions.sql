-- why: a record with a version that never came through the application takes no further ones (LEDGER 9); gaps of numbers can be read
-- beside: an earlier release meets a refusal only where an entry was forged
-- locks: none on existing objects
-- undo: a later migration replaces the function

set local role cs_owner;

-- The sequencer's alarm is the mark: what it never lets into the tree, nothing may be built on.
create function ops.insist_unforged(p_uid uuid, p_number text) returns void language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare forged bigint;
begin
  select e.id into forged from ops.alarm a join ledger.entry e on e.log_id = 1 and e.id = a.entry_id
    where a.kind = 'admission' and e.record_id = p_uid order by e.id limit 1;
  if found then
    raise exception 'a version of this record never came through the application' using errcode = 'CS013',
      detail = jsonb_build_object('record', p_number, 'entry', forged)::text;
  end if;
end $$;
revoke all on function ops.insist_unforged(uuid, text) from public;

create or replace function ops.put_record(p_el jsonb, p_type text, p_uid uuid, p_ver int, p_prev bytea, p_entry bigint, p_hash bytea,
                               p_at timestamptz, p_actor uuid) returns void
language plpgsql volatile as $$
declare head record; num text := p_el ->> 'number'; rev int := coalesce((p_el ->> 'revision')::int, 0);
begin
  if p_ver = 1 then
    insert into projection.number(number, revision, type, uid) values (num, rev, p_type, p_uid)
      on conflict (number, revision) do nothing;
    if not found then
      raise exception 'duplicate number' using errcode = 'CS003',
        detail = jsonb_build_object('field', 'number', 'value', num, 'other', num)::text;
    end if;
    insert into projection.record(type, uid, number, revision, version, seq, state, title, site, gxp, def, leaf_hash, entry_id, content,
                                  created_at, created_by, changed_at, changed_by)
    values (p_type, p_uid, num, rev, 1, 1, p_el ->> 'state', p_el ->> 'title', (p_el ->> 'site')::uuid, p_el ->> 'gxp',
            decode(p_el ->> 'def', 'hex'), p_hash, p_entry, p_el -> 'content', p_at, p_actor, p_at, p_actor);
  else
    select r.version, r.leaf_hash, r.number, r.revision into head from projection.record r
      where r.type = p_type and r.uid = p_uid for no key update;
    if not found or head.version <> p_ver - 1 or head.leaf_hash is distinct from p_prev then
      perform ops.changed(coalesce(head.number, num, p_uid::text));
    end if;
    if head.number <> num or head.revision <> rev then
      raise exception 'a number never changes: %', head.number using errcode = 'CS009';
    end if;
    perform ops.insist_unforged(p_uid, head.number);
    update projection.record r set version = p_ver, seq = r.seq + 1, state = p_el ->> 'state', title = p_el ->> 'title',
        site = (p_el ->> 'site')::uuid, gxp = p_el ->> 'gxp', def = decode(p_el ->> 'def', 'hex'), leaf_hash = p_hash,
        entry_id = p_entry, content = p_el -> 'content', changed_at = p_at, changed_by = p_actor
      where r.type = p_type and r.uid = p_uid;
  end if;
  perform projection.put_links(p_type, p_uid, p_el -> 'links', p_ver = 1);
  if p_el ? 'unique' or p_ver > 1 and exists (select 1 from projection.unique_value x where x.record = p_uid) then
    perform projection.put_unique(p_uid, p_el -> 'unique', p_ver = 1);
  end if;
  if p_el ? 'blocks' or p_ver > 1 and exists (select 1 from projection.blocker x where x.holder = p_uid) then
    perform projection.put_blocks(p_type, p_uid, num, p_el -> 'blocks');
  end if;
  if p_el ? 'authority' or p_ver > 1 and exists (select 1 from projection.authority x where x.source = p_uid) then
    perform projection.put_authority(p_type, p_uid, p_el -> 'authority');
  end if;
end $$;

-- Whoever checks the ledger must see how many numbers were drawn.
do $$
declare s record;
begin
  for s in select c.relname from pg_class c where c.relnamespace = 'ops'::regnamespace and c.relkind = 'S' and c.relname like 'number\_%' loop
    execute format('grant select on sequence ops.%I to cs_verifier, cs_reader', s.relname);
  end loop;
end $$;
grant select on ops.counter to cs_verifier, cs_reader;
