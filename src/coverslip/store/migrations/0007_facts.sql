-- why: everything a decision reads, in one statement and one snapshot (DESIGN 4, SPIKE 2)
-- beside: adds functions only; an earlier release calls its own
-- locks: none on existing objects
-- undo: a later migration replaces the functions

set local role cs_owner;

create function ops.iso(t timestamptz) returns text language sql stable parallel safe as $$
  select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

create function ops.row_of(p_type text, p_uid uuid) returns jsonb language plpgsql stable as $$
declare r projection.record; holds jsonb := '[]'; b record; made jsonb;
begin
  select * into r from projection.record x where x.type = p_type and x.uid = p_uid;
  if not found then return null; end if;
  for b in select k.number, k.reason, k.holder_type, k.holder from projection.blocker k where k.target = p_uid order by k.number loop
    holds := holds || jsonb_build_object('number', b.number, 'reason', b.reason, 'holder_type', b.holder_type, 'holder', b.holder);
  end loop;
  made := jsonb_build_object(
    'type', r.type, 'uid', r.uid, 'number', r.number, 'revision', r.revision, 'version', r.version, 'seq', r.seq, 'state', r.state,
    'title', r.title, 'gxp', r.gxp, 'def', encode(r.def, 'hex'), 'leaf_hash', encode(r.leaf_hash, 'hex'),
    'entry_id', r.entry_id, 'created_at', ops.iso(r.created_at), 'created_by', r.created_by, 'changed_at', ops.iso(r.changed_at),
    'changed_by', r.changed_by, 'content', r.content, 'blockers', holds);
  if r.site is not null then made := made || jsonb_build_object('site', r.site); end if;
  return made;
end $$;

-- PL/pgSQL, not SQL: a function in plain SQL that is not inlined is planned again at every call.
create function ops.authority_rows(p_person uuid, p_now timestamptz) returns jsonb language plpgsql stable as $$
declare found_rows jsonb[] := '{}'; a record; one jsonb;
begin
  for a in select x.* from projection.authority x
           where x.person in (p_person, '00000000-0000-0000-0000-000000000000')
             and (x.valid_from is null or x.valid_from <= p_now) and (x.valid_to is null or x.valid_to > p_now)
           order by x.kind, x.code, x.source loop
    one := jsonb_build_object('person', a.person, 'kind', a.kind, 'code', a.code, 'source_type', a.source_type, 'source', a.source,
                              'data', a.data);
    if a.subject is not null then one := one || jsonb_build_object('subject', a.subject); end if;
    if a.valid_from is not null then one := one || jsonb_build_object('valid_from', ops.iso(a.valid_from)); end if;
    if a.valid_to is not null then one := one || jsonb_build_object('valid_to', ops.iso(a.valid_to)); end if;
    found_rows := array_append(found_rows, one);
  end loop;
  return to_jsonb(found_rows);
end $$;

create function ops.epoch_of(p_person uuid) returns bigint language plpgsql stable as $$
declare mine bigint; everybodys bigint;
begin
  select e.epoch into mine from ops.authority_epoch e where e.person = p_person;
  select e.epoch into everybodys from ops.authority_epoch e where e.person = '00000000-0000-0000-0000-000000000000';
  return coalesce(mine, 0) + coalesce(everybodys, 0);
end $$;

create function ops.session_of(p_session uuid, p_now timestamptz) returns jsonb language plpgsql stable as $$
declare s ops.session; made jsonb;
begin
  select * into s from ops.session x where x.session = p_session;
  if not found then return null; end if;
  made := jsonb_build_object('session', s.session, 'person', s.person, 'username', s.username, 'kind', s.kind,
    'opened_at', ops.iso(s.opened_at), 'seen_at', ops.iso(s.seen_at), 'expires_at', ops.iso(s.expires_at),
    'live', s.ended_at is null and s.expires_at > p_now, 'workstation', s.workstation, 'client', s.client,
    'address', s.address, 'zone', s.zone, 'data', s.data);
  if s.ended_at is not null then made := made || jsonb_build_object('ended_at', ops.iso(s.ended_at), 'ended_why', s.ended_why); end if;
  if s.period is not null then made := made || jsonb_build_object('period', s.period); end if;
  return made;
end $$;

-- A number alone means its effective revision, else the newest one.
create function ops.find_number(p_number text, p_revision int) returns jsonb language plpgsql stable as $$
declare n record; found_row jsonb; best jsonb;
begin
  for n in select x.type, x.uid from projection.number x
           where x.number = p_number and (p_revision is null or x.revision = p_revision) order by x.revision desc loop
    found_row := ops.row_of(n.type, n.uid);
    if best is null then best := found_row; end if;
    if found_row ->> 'state' = 'effective' then return found_row; end if;
  end loop;
  return best;
end $$;

-- The links found at a path: objects give their key, tables and lists give each of their rows.
create function ops.links_at(p_fields jsonb, p_path text) returns setof jsonb language sql stable as $$
  select x from jsonb_path_query(p_fields, ('lax $."' || replace(p_path, '.', '"."') || '"[*]')::jsonpath) x
  where jsonb_typeof(x) = 'object' and (x ? 'uid' or x ? 'number') and x ? 'type'
$$;

-- The advisory key of "records of this type whose field links to this record"; the kernel computes the same.
create function ops.scope_key(p_type text, p_field text, p_target text) returns bigint language sql immutable parallel safe as $$
  select ('x' || left(encode(sha256(convert_to(p_type || '.' || p_field || '>' || p_target, 'UTF8')), 'hex'), 16))::bit(64)::bigint
$$;

create function ops.latest(p_number text) returns jsonb language plpgsql stable as $$
declare n record;
begin
  select x.type, x.uid into n from projection.number x where x.number = p_number order by x.revision desc limit 1;
  return case when found then ops.row_of(n.type, n.uid) end;
end $$;

-- Versions in force of the documents that roles of this person ask training on.
create function ops.role_documents(p_authority jsonb) returns jsonb language plpgsql stable as $$
declare out jsonb := '[]'; n text; r jsonb;
begin
  for n in select distinct jsonb_array_elements_text(d -> 'data' -> 'documents') from jsonb_array_elements(p_authority) d
           where d ->> 'kind' = 'role_document' and exists (
             select 1 from jsonb_array_elements(p_authority) a where a ->> 'kind' = 'role' and a ->> 'code' = d ->> 'code')
           order by 1 loop
    r := ops.find_number(n, null);
    if r ->> 'state' = 'effective' then out := out || r; end if;
  end loop;
  return out;
end $$;

create function ops.read_linked(p_sources jsonb, p_path text) returns jsonb language plpgsql stable as $$
declare found_rows jsonb[] := '{}'; seen uuid[] := '{}'; source jsonb; l jsonb; u uuid; r jsonb;
begin
  for source in select jsonb_array_elements(p_sources) loop
    for l in select x from ops.links_at(source, p_path) x loop
      -- A link without an id follows its number: the version in force now.
      r := case when l ? 'uid' then null else ops.find_number(l ->> 'number', null) end;
      u := coalesce((l ->> 'uid')::uuid, (r ->> 'uid')::uuid);
      if u is not null and not u = any(seen) then
        seen := seen || u;
        if r is null then r := ops.row_of(l ->> 'type', u); end if;
        if r is not null then found_rows := array_append(found_rows, r); end if;
      end if;
    end loop;
  end loop;
  return to_jsonb(found_rows);
end $$;

create function ops.read_inbound(p_targets jsonb, p_type text, p_field text, p_limit int) returns jsonb language plpgsql stable as $$
declare found_rows jsonb[] := '{}'; t jsonb; l record;
begin
  for t in select jsonb_array_elements(p_targets) loop
    for l in select distinct k.from_uid from projection.link k
             where k.to_uid = (t ->> 'uid')::uuid and k.from_type = p_type and (p_field is null or k.field = p_field)
             order by 1 limit p_limit loop
      found_rows := array_append(found_rows, ops.row_of(p_type, l.from_uid));
    end loop;
  end loop;
  return to_jsonb(found_rows);
end $$;

-- where: {"field": value}; a uuid is looked up among the links of that field, anything else among the field's own values.
create function ops.read_by_type(p_type text, p_where jsonb, p_states jsonb, p_limit int) returns jsonb language plpgsql stable as $$
declare found_rows jsonb[] := '{}'; k text; v jsonb; plain jsonb := '{}'; linked jsonb := '{}'; u uuid; l record;
begin
  for k, v in select * from jsonb_each(coalesce(p_where, '{}'::jsonb)) loop
    if v #>> '{}' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then
      linked := linked || jsonb_build_object(k, v);
    else
      plain := plain || jsonb_build_object(k, v);
    end if;
  end loop;
  if linked <> '{}'::jsonb then
    for l in select k1.from_uid from projection.link k1
             where k1.from_type = p_type
               and k1.field = (select min(key) from jsonb_object_keys(linked) key)
               and k1.to_uid = (linked ->> (select min(key) from jsonb_object_keys(linked) key))::uuid
             order by k1.from_uid loop
      if not exists (select 1 from jsonb_each_text(linked) w where not exists (
             select 1 from projection.link k2 where k2.from_uid = l.from_uid and k2.field = w.key and k2.to_uid = w.value::uuid))
         and exists (select 1 from projection.record r where r.type = p_type and r.uid = l.from_uid
                     and (p_states is null or p_states ? r.state) and r.content -> 'fields' @> plain) then
        found_rows := array_append(found_rows, ops.row_of(p_type, l.from_uid));
        exit when cardinality(found_rows) >= p_limit;
      end if;
    end loop;
    return to_jsonb(found_rows);
  end if;
  for u in select r.uid from projection.record r
           where r.type = p_type and (p_states is null or p_states ? r.state)
             and (plain = '{}'::jsonb or r.content -> 'fields' @> plain)
           order by r.number, r.revision limit p_limit loop
    found_rows := array_append(found_rows, ops.row_of(p_type, u));
  end loop;
  return to_jsonb(found_rows);
end $$;

create function ops.facts_read(p jsonb) returns jsonb language plpgsql stable as $$
declare
  now timestamptz := clock_timestamp(); out jsonb; rec jsonb; sess jsonb; actor uuid; reads jsonb := '{}'; rd jsonb; got jsonb; src jsonb;
  proposed jsonb := coalesce(p -> 'proposed', '{}'); lim int; x text; key bigint; scopes jsonb := '{}'; people jsonb := '{}'; counters jsonb := '{}'; name text;
begin
  out := jsonb_build_object('now', ops.iso(now));
  if p ->> 'session' is not null then
    sess := ops.session_of((p ->> 'session')::uuid, now);
    actor := (sess ->> 'person')::uuid;
    if sess is not null then
      out := out || jsonb_build_object('session', sess, 'epoch', ops.epoch_of(actor), 'authority', ops.authority_rows(actor, now));
    end if;
  end if;
  if not out ? 'epoch' then out := out || '{"epoch": 0, "authority": []}'; end if;

  if p -> 'record' ->> 'uid' is not null then
    rec := ops.row_of(p -> 'record' ->> 'type', (p -> 'record' ->> 'uid')::uuid);
  elsif p -> 'record' ->> 'number' is not null then
    rec := ops.find_number(p -> 'record' ->> 'number', (p -> 'record' ->> 'revision')::int);
  end if;
  if rec is not null then out := out || jsonb_build_object('record', rec); end if;

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
  out := out || jsonb_build_object('reads', reads, 'documents', ops.role_documents(out -> 'authority'));

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
  out := out || jsonb_build_object('scopes', scopes);
  if p ? 'streams' then
    counters := '{}';
    for x in select jsonb_array_elements_text(p -> 'streams') loop
      select jsonb_build_object('version', s.version, 'leaf_hash', encode(s.leaf_hash, 'hex')) into src
        from projection.stream s where s.stream = x::uuid;
      if found then counters := counters || jsonb_build_object(x, src); end if;
    end loop;
    out := out || jsonb_build_object('streams', counters);
  end if;

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

-- Generic plans: planning a probe of the partitioned table costs three times its execution.
create function ops.facts(p jsonb) returns jsonb language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare out jsonb;
begin
  select ops.facts_read(p) into out;
  if p ->> 'number' is not null then
    out := out || jsonb_build_object('number', ops.next_number(p ->> 'number'));
  end if;
  return out;
end $$;
