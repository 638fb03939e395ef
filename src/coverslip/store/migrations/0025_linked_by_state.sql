-- why: what links to a record is read by what is asked of it, and page by page, however many there are
-- beside: an earlier release asks without 'closed' and is answered as before
-- locks: share on projection.link while the index is made, seconds for a million links
-- undo: a later migration replaces the functions and the index

set local role cs_owner;

-- In the order pages go on in. What asks by field finds it in the same index.
create index link_to on projection.link(to_uid, from_type, from_uid, field);
drop index projection.link_inbound;

-- The states records of a type are in, from one to the next, never through all of its records.
create function ops.states_of(p_type text) returns text[] language plpgsql stable as $$
declare found_states text[] := '{}'; s text;
begin
  select r.state into s from projection.record r where r.type = p_type order by r.state limit 1;
  while s is not null loop
    found_states := array_append(found_states, s);
    select r.state into s from projection.record r where r.type = p_type and r.state > found_states[cardinality(found_states)]
      order by r.state limit 1;
  end loop;
  return found_states;
end $$;

-- closed: states that do not matter. Who asks whether anything is open names them, and is not given everything that is closed.
create function ops.read_inbound(p_targets jsonb, p_type text, p_field text, p_limit int, p_closed jsonb) returns jsonb
language plpgsql stable as $$
declare found_rows jsonb[] := '{}'; t jsonb; l record; open_states text[];
begin
  if p_closed is null then
    return ops.read_inbound(p_targets, p_type, p_field, p_limit);
  end if;
  open_states := array(select s from unnest(ops.states_of(p_type)) s where not p_closed ? s);
  for t in select jsonb_array_elements(p_targets) loop
    -- Run as text, so that it is planned for how many there are of this type in these states.
    for l in execute 'select x.uid from (select r.uid from projection.record r where r.type = $1 and r.state = any($2) and exists (
        select 1 from projection.link k where k.to_uid = $3 and k.from_type = $1 and k.from_uid = r.uid
        and ($4 is null or k.field = $4)) limit $5) x order by x.uid'
      using p_type, open_states, (t ->> 'uid')::uuid, p_field, p_limit loop
      found_rows := array_append(found_rows, ops.row_of(p_type, l.uid));
    end loop;
  end loop;
  return to_jsonb(found_rows);
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
      got := ops.read_inbound(src, rd ->> 'type', rd ->> 'field', lim, rd -> 'closed');
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

revoke all on function ops.states_of(text), ops.read_inbound(jsonb, text, text, int, jsonb) from public;
