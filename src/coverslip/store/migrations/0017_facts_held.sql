-- why: a command reads what it does not know yet, not what it holds already (SPIKE 2: facts already held)
-- beside: an earlier release asks without 'held' and 'lean' and is answered as before
-- locks: access exclusive on ledger.entry, for as long as a constraint takes to be dropped
-- undo: a later migration replaces the functions

set local role cs_owner;

create or replace function ops.epoch_of(p_person uuid) returns bigint language plpgsql stable as $$
declare total bigint;
begin
  select coalesce(sum(e.epoch), 0) into total from ops.authority_epoch e
    where e.person in (p_person, '00000000-0000-0000-0000-000000000000');
  return total;
end $$;

-- The documents somebody's roles need training on, by number.
create function ops.needed_documents(p_authority jsonb) returns jsonb language plpgsql stable as $$
declare found_numbers jsonb;
begin
  select coalesce(jsonb_agg(distinct n order by n), '[]') into found_numbers
    from jsonb_array_elements(p_authority) d cross join lateral jsonb_array_elements_text(d -> 'data' -> 'documents') n
    where d ->> 'kind' = 'role_document' and exists (
      select 1 from jsonb_array_elements(p_authority) a where a ->> 'kind' = 'role' and a ->> 'code' = d ->> 'code');
  return found_numbers;
end $$;

create function ops.effective_documents(p_numbers jsonb) returns jsonb language plpgsql stable as $$
declare out jsonb := '[]'; n text; r jsonb;
begin
  for n in select jsonb_array_elements_text(p_numbers) loop
    r := ops.find_number(n, null);
    if r ->> 'state' = 'effective' then out := out || r; end if;
  end loop;
  return out;
end $$;

-- When what holds now stops being all that holds: the next row that ends or begins.
create function ops.authority_until(p_person uuid, p_now timestamptz) returns timestamptz language plpgsql stable as $$
declare until timestamptz;
begin
  select min(case when x.valid_from > p_now then x.valid_from else x.valid_to end) into until from projection.authority x
    where x.person in (p_person, '00000000-0000-0000-0000-000000000000') and (x.valid_from > p_now or x.valid_to > p_now);
  return until;
end $$;

create or replace function ops.facts_read(p jsonb) returns jsonb language plpgsql stable as $$
declare
  now timestamptz := clock_timestamp(); out jsonb; epoch bigint := 0; held boolean := false; authority jsonb := '[]'; needed jsonb := '[]'; until timestamptz;
  rec jsonb; sess jsonb; actor uuid; reads jsonb := '{}'; rd jsonb; got jsonb; src jsonb;
  proposed jsonb := coalesce(p -> 'proposed', '{}'); lim int; x text; key bigint; scopes jsonb := '{}'; people jsonb := '{}'; counters jsonb := '{}'; name text;
begin
  -- What the caller holds of a person's authority holds while the epoch does, and no row begins or ends meanwhile.
  if p ->> 'session' is not null then
    sess := ops.session_of((p ->> 'session')::uuid, now);
    if sess is not null then
      actor := (sess ->> 'person')::uuid;
      epoch := ops.epoch_of(actor);
      held := coalesce(epoch = (p -> 'held' ->> 'epoch')::bigint, false) and coalesce((p -> 'held' ->> 'until')::timestamptz > now, true);
      if held then
        needed := p -> 'held' -> 'documents';
      else
        authority := ops.authority_rows(actor, now);
        needed := ops.needed_documents(authority);
        until := ops.authority_until(actor, now);
      end if;
    end if;
  end if;

  if p -> 'record' ->> 'uid' is not null then
    rec := ops.row_of(p -> 'record' ->> 'type', (p -> 'record' ->> 'uid')::uuid);
  elsif p -> 'record' ->> 'number' is not null then
    rec := ops.find_number(p -> 'record' ->> 'number', (p -> 'record' ->> 'revision')::int);
  end if;

  for rd in select jsonb_array_elements(coalesce(p -> 'reads', '[]')) loop
    name := rd ->> 'as';
    lim := least(coalesce((rd ->> 'limit')::int, 10000), 10000);
    if rd ? 'inbound_to' then
      src := case when rd ->> 'inbound_to' = 'self' then case when rec is null then '[]' else jsonb_build_array(rec) end
                  else coalesce(reads -> (rd ->> 'inbound_to'), '[]') end;
      got := ops.read_inbound(src, rd ->> 'type', rd ->> 'field', lim);
      for x in select e ->> 'uid' from jsonb_array_elements(src) e loop
        key := ops.scope_key(rd ->> 'type', rd ->> 'field', x);
        scopes := scopes || jsonb_build_object(key::text, coalesce((select s.seq from ops.scope s where s.scope = key), 0));
      end loop;
    elsif rd ? 'reference' then
      src := ops.find_number(rd -> 'reference' ->> 'number', nullif((rd -> 'reference' ->> 'revision')::int, 0));
      got := case when src is null then '[]' else jsonb_build_array(src) end;
    elsif rd ? 'latest' then
      src := ops.latest(rd ->> 'latest');
      got := case when src is null then '[]' else jsonb_build_array(src) end;
    elsif rd ? 'by_number' then
      got := '[]';
      for x in select jsonb_array_elements_text(rd -> 'by_number') loop
        src := ops.find_number(x, null);
        if src is not null then got := got || src; end if;
      end loop;
    elsif rd ? 'uids' then
      got := '[]';
      for src in select jsonb_array_elements(rd -> 'uids') loop
        src := ops.row_of(src ->> 'type', (src ->> 'uid')::uuid);
        if src is not null then got := got || src; end if;
      end loop;
    elsif rd ? 'by_type' or rd ? 'type' then
      got := ops.read_by_type(coalesce(rd ->> 'by_type', rd ->> 'type'), rd -> 'where', rd -> 'states', lim);
    elsif rd ->> 'from' = 'self' then
      -- A proposed value stands in for the stored one; an absent one leaves it.
      src := coalesce(rec -> 'content' -> 'fields', '{}') || proposed;
      got := ops.read_linked(jsonb_build_array(src), rd ->> 'path');
    else
      select coalesce(jsonb_agg(e -> 'content' -> 'fields'), '[]') into src
        from jsonb_array_elements(coalesce(reads -> (rd ->> 'from'), '[]')) e;
      got := ops.read_linked(src, rd ->> 'path');
    end if;
    reads := reads || jsonb_build_object(name, got);
  end loop;
  out := jsonb_build_object('now', ops.iso(now), 'epoch', epoch, 'reads', reads,
    'documents', case when needed = '[]' then needed else ops.effective_documents(needed) end);
  if rec is not null then out := out || jsonb_build_object('record', rec); end if;
  if sess is not null then
    out := out || jsonb_build_object('session', sess);
    if not held then
      out := out || jsonb_build_object('authority', authority, 'needed', needed);
      if until is not null then out := out || jsonb_build_object('until', ops.iso(until)); end if;
    end if;
  else
    out := out || '{"authority": []}';
  end if;

  if p ? 'persons' then
    for x in select distinct jsonb_array_elements_text(p -> 'persons') loop
      people := people || jsonb_build_object(x, jsonb_build_object(
        'epoch', ops.epoch_of(x::uuid), 'authority', ops.authority_rows(x::uuid, now)));
    end loop;
    out := out || jsonb_build_object('persons', people);
  end if;
  if p ? 'scopes' then
    for x in select jsonb_array_elements_text(p -> 'scopes') loop
      scopes := scopes || jsonb_build_object(x, coalesce((select s.seq from ops.scope s where s.scope = x::bigint), 0));
    end loop;
  end if;
  if scopes <> '{}' then out := out || jsonb_build_object('scopes', scopes); end if;
  if p ? 'streams' then
    counters := '{}';
    for x in select jsonb_array_elements_text(p -> 'streams') loop
      select jsonb_build_object('version', s.version, 'leaf_hash', encode(s.leaf_hash, 'hex')) into src
        from projection.stream s where s.stream = x::uuid;
      if found then counters := counters || jsonb_build_object(x, src); end if;
    end loop;
    out := out || jsonb_build_object('streams', counters);
  end if;

  if p ? 'lean' then return out; end if;
  select jsonb_build_object('size', c.size, 'root', encode(c.root, 'hex')) into src
    from ledger.checkpoint c where c.log_id = 1 order by c.size desc limit 1;
  if found then out := out || jsonb_build_object('checkpoint', src); end if;
  select jsonb_build_object('origin', i.origin, 'use', i.use, 'uuid', i.uuid, 'created_at', ops.iso(i.created_at),
                            'version', coalesce(s.version, 0)) ||
         case when s.leaf_hash is null then '{}'::jsonb else jsonb_build_object('leaf_hash', encode(s.leaf_hash, 'hex')) end
    into src from ops.installation i left join projection.stream s on s.stream = i.uuid where i.log_id = 1;
  if found then out := out || jsonb_build_object('installation', src); end if;
  return out;
end $$;

revoke all on function ops.needed_documents(jsonb), ops.effective_documents(jsonb), ops.authority_until(uuid, timestamptz) from public;
drop function ops.role_documents(jsonb);

-- Links that are as they were are not compared again. The application says so, and 'ledger replay' compares.
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
  if p_ver = 1 or not p_el ? 'keep_links' then perform projection.put_links(p_type, p_uid, p_el -> 'links', p_ver = 1); end if;
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

-- A reference to the one row of ledger.log locked that row in every transaction of the whole installation.
alter table ledger.entry drop constraint entry_log_id_fkey;
