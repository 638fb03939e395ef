-- why: the one way into the ledger: one call, one transaction (LEDGER 1 D1-D4, DESIGN 4)
-- beside: adds functions only; an earlier release calls its own
-- locks: none on existing objects
-- undo: a later migration replaces the functions; entries stay

set local role cs_owner;

-- SQLSTATE CS001 session, CS002 idempotency, CS003 duplicate, CS004 clock, CS009 malformed call, 40001 changed meanwhile.
create function ops.changed(p_what text) returns void language plpgsql immutable as $$
begin
  raise exception 'changed meanwhile: %', p_what using errcode = '40001', detail = p_what;
end $$;

create function ops.number_of(p_uid uuid) returns text language plpgsql stable as $$
declare found text;
begin
  select n.number into found from projection.number n where n.uid = p_uid;
  return coalesce(found, p_uid::text);
end $$;

-- Sorted, comparable form of the authority rows a record confers.
create function projection.authority_of(p_source uuid) returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_array(person, kind, code, subject, valid_from, valid_to, data)
                            order by person, kind, code, subject, valid_from, valid_to, data), '[]'::jsonb)
  from projection.authority where source = p_source
$$;
create function projection.authority_wanted(p_rows jsonb) returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_array(person, kind, code, subject, valid_from, valid_to, coalesce(data, '{}'::jsonb))
                            order by person, kind, code, subject, valid_from, valid_to, coalesce(data, '{}'::jsonb)), '[]'::jsonb)
  from jsonb_to_recordset(coalesce(p_rows, '[]'::jsonb)) as w(
    person uuid, kind text, code text, subject uuid, valid_from timestamptz, valid_to timestamptz, data jsonb)
$$;

create function projection.put_links(p_type text, p_uid uuid, p_links jsonb, p_first boolean) returns void
language plpgsql volatile as $$
begin
  if not p_first and exists (select 1 from projection.link l where l.from_uid = p_uid) then
    if (select coalesce(jsonb_agg(jsonb_build_array(l.field, l.to_uid, l.to_version) order by l.field, l.to_uid), '[]'::jsonb)
          from projection.link l where l.from_uid = p_uid)
       = (select coalesce(jsonb_agg(jsonb_build_array(w.field, w.uid, w.version) order by w.field, w.uid), '[]'::jsonb)
          from jsonb_to_recordset(coalesce(p_links, '[]'::jsonb)) as w(field text, uid uuid, version int)) then
      return;
    end if;
    delete from projection.link l where l.from_uid = p_uid and not exists (
      select 1 from jsonb_to_recordset(coalesce(p_links, '[]'::jsonb)) as w(field text, uid uuid, version int)
      where w.field = l.field and w.uid = l.to_uid and w.version is not distinct from l.to_version);
  end if;
  if p_links is not null and p_links <> '[]'::jsonb then
    insert into projection.link(from_type, from_uid, field, to_type, to_uid, to_version)
    select p_type, p_uid, w.field, w.type, w.uid, w.version
      from jsonb_to_recordset(p_links) as w(field text, type text, uid uuid, version int)
    on conflict (from_uid, field, to_uid) do nothing;
  end if;
end $$;

create function projection.put_unique(p_uid uuid, p_values jsonb, p_first boolean) returns void
language plpgsql volatile as $$
declare w record; holder uuid;
begin
  if not p_first then
    delete from projection.unique_value u where u.record = p_uid and not u.forever and not exists (
      select 1 from jsonb_to_recordset(coalesce(p_values, '[]'::jsonb)) as v(scope text, value text)
      where v.scope = u.scope and v.value = u.value);
  end if;
  if p_values is null then return; end if;
  for w in select distinct v.scope, v.value, coalesce(v.forever, false) as forever
             from jsonb_to_recordset(p_values) as v(scope text, value text, forever boolean) order by 1, 2 loop
    insert into projection.unique_value(scope, value, record, forever) values (w.scope, w.value, p_uid, w.forever)
      on conflict (scope, value) do nothing;
    if not found then
      select u.record into holder from projection.unique_value u where u.scope = w.scope and u.value = w.value;
      if holder is distinct from p_uid then
        raise exception 'duplicate' using errcode = 'CS003',
          detail = jsonb_build_object('field', w.scope, 'value', w.value, 'other', ops.number_of(holder))::text;
      end if;
    end if;
  end loop;
end $$;

-- A hold appearing or going changes what guards of its target see: the target's seq moves under its exclusive lock.
create function projection.put_blocks(p_type text, p_uid uuid, p_number text, p_blocks jsonb) returns void
language plpgsql volatile as $$
declare b record; wanted jsonb := coalesce(p_blocks, '[]'::jsonb);
begin
  if jsonb_typeof(wanted) = 'object' then wanted := jsonb_build_array(wanted); end if;
  for b in select k.target_type, k.target from projection.blocker k where k.holder = p_uid
           union select w.target_type, w.target_uid from jsonb_to_recordset(wanted) as w(target_type text, target_uid uuid)
           order by 1, 2 loop
    perform 1 from projection.record r where r.type = b.target_type and r.uid = b.target for no key update;
    if not found then
      raise exception 'blocked record % does not exist', b.target using errcode = 'CS009';
    end if;
    if (select jsonb_agg(k.reason) from projection.blocker k where k.holder = p_uid and k.target = b.target)
       is distinct from (select jsonb_agg(w.reason) from jsonb_to_recordset(wanted) as w(target_uid uuid, reason text)
                         where w.target_uid = b.target) then
      delete from projection.blocker k where k.holder = p_uid and k.target = b.target;
      insert into projection.blocker(target_type, target, holder_type, holder, number, reason)
        select b.target_type, b.target, p_type, p_uid, p_number, w.reason
        from jsonb_to_recordset(wanted) as w(target_uid uuid, reason text) where w.target_uid = b.target;
      update projection.record r set seq = r.seq + 1 where r.type = b.target_type and r.uid = b.target;
    end if;
  end loop;
end $$;

-- Rows that appear, go or change move the epoch of everyone they name, so that cached authority is refused at once.
create function projection.put_authority(p_type text, p_uid uuid, p_rows jsonb) returns void
language plpgsql volatile as $$
declare old jsonb := projection.authority_of(p_uid); new jsonb := projection.authority_wanted(p_rows); p uuid;
begin
  if old = new then return; end if;
  delete from projection.authority a where a.source = p_uid;
  insert into projection.authority(person, kind, code, subject, valid_from, valid_to, source_type, source, data)
    select person, kind, code, subject, valid_from, valid_to, p_type, p_uid, coalesce(data, '{}'::jsonb)
    from jsonb_to_recordset(coalesce(p_rows, '[]'::jsonb)) as w(
      person uuid, kind text, code text, subject uuid, valid_from timestamptz, valid_to timestamptz, data jsonb);
  for p in select distinct (e ->> 0)::uuid from jsonb_array_elements(old || new) e order by 1 loop
    insert into ops.authority_epoch as a (person, epoch) values (p, 1) on conflict (person) do update set epoch = a.epoch + 1;
  end loop;
end $$;

-- Step 1: time, session, authority. Epoch rows are taken in person order, exclusively where this command will move them.
create function ops.check_actor(p_actor uuid, p_session uuid, p_epoch bigint, p_valid_until timestamptz, p_at timestamptz,
                                p_streams uuid[], p_projections jsonb) returns void
language plpgsql volatile as $$
declare
  now timestamptz := clock_timestamp(); s record; p record; epoch bigint; total bigint := 0;
  nobody constant uuid := '00000000-0000-0000-0000-000000000000';
begin
  if abs(extract(epoch from now - p_at)) > 5 then
    raise exception 'application time is away from database time' using errcode = 'CS004', detail = (p_at - now)::text;
  end if;
  if p_session is not null then
    select x.person, x.expires_at, x.ended_at into s from ops.session x where x.session = p_session for share;
    if not found or s.ended_at is not null or s.expires_at <= now or s.person <> p_actor then
      raise exception 'session is unknown, ended or expired' using errcode = 'CS001';
    end if;
  end if;
  if p_valid_until is not null and p_valid_until <= now then perform ops.changed('authority'); end if;
  if not exists (select 1 from projection.authority a where a.source = any(p_streams))
     and not jsonb_path_exists(p_projections, '$[*].authority') then
    if p_epoch is not null then
      select e.epoch into epoch from ops.authority_epoch e where e.person = nobody for share;
      total := coalesce(epoch, 0);
      select e.epoch into epoch from ops.authority_epoch e where e.person = p_actor for share;
      if total + coalesce(epoch, 0) <> p_epoch then perform ops.changed('authority'); end if;
    end if;
    return;
  end if;
  for p in
    select q.person, bool_or(q.moves) as moves from (
      -- Rows of the nil person hold for everybody (an effective policy), so their epoch counts for each actor.
      select x as person, false as moves from unnest(array[p_actor, nobody]) x
        where p_epoch is not null
      union all select a.person, true from projection.authority a where a.source = any(p_streams)
      union all select (r ->> 'person')::uuid, true
        from jsonb_array_elements(p_projections) el cross join jsonb_array_elements(el -> 'authority') r
        where jsonb_typeof(el) = 'object' and jsonb_typeof(el -> 'authority') = 'array') q
    group by q.person order by q.person loop
    if p.moves then
      select e.epoch into epoch from ops.authority_epoch e where e.person = p.person for update;
    else
      select e.epoch into epoch from ops.authority_epoch e where e.person = p.person for share;
    end if;
    if p.person in (p_actor, nobody) then total := total + coalesce(epoch, 0); end if;
  end loop;
  if p_epoch is not null and total <> p_epoch then perform ops.changed('authority'); end if;
end $$;

create function ops.put_record(p_el jsonb, p_type text, p_uid uuid, p_ver int, p_prev bytea, p_entry bigint, p_hash bytea,
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

create function ops.put_stream(p_kind text, p_stream uuid, p_ver int, p_prev bytea, p_hash bytea) returns void
language plpgsql volatile as $$
declare head record;
begin
  if p_ver = 1 then
    insert into projection.stream(stream, kind, version, leaf_hash) values (p_stream, p_kind, 1, p_hash) on conflict do nothing;
    if not found then perform ops.changed(p_kind); end if;
    return;
  end if;
  select s.version, s.leaf_hash into head from projection.stream s where s.stream = p_stream for no key update;
  if not found or head.version <> p_ver - 1 or head.leaf_hash is distinct from p_prev then perform ops.changed(p_kind); end if;
  update projection.stream s set version = p_ver, leaf_hash = p_hash, seq = s.seq + 1 where s.stream = p_stream;
end $$;

create function ops.commit(
  p_cmd uuid, p_idem_key text, p_request_hash bytea, p_actor uuid, p_session uuid, p_epoch bigint, p_valid_until timestamptz,
  p_at timestamptz, p_read_types text[], p_read_uids uuid[], p_read_seqs bigint[], p_read_excl boolean[],
  p_scopes bigint[], p_scope_seqs bigint[], p_streams uuid[], p_kinds text[], p_vers int[], p_prevs bytea[], p_actors uuid[],
  p_abouts uuid[], p_leaves bytea[], p_admits bytea[], p_fixed_salts bytea[], p_fixed bytea[], p_erasable_salts bytea[],
  p_erasable bytea[], p_projections jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  i int; seen bigint; el jsonb; v_id bigint; v_hash bytea; ids jsonb := '[]'; answer jsonb; before record; who uuid;
begin
  if p_idem_key is not null then
    perform pg_advisory_xact_lock(hashtext(p_actor::text), hashtext(p_idem_key));
    select c.request_hash, c.answer into before from ops.command c where c.actor = p_actor and c.idem_key = p_idem_key;
    if found then
      if before.request_hash is distinct from p_request_hash then
        raise exception 'idempotency key used for another request' using errcode = 'CS002', detail = p_idem_key;
      end if;
      return before.answer || '{"replayed": true}';
    end if;
  end if;
  perform ops.check_actor(p_actor, p_session, p_epoch, p_valid_until, p_at, p_streams, p_projections);

  for i in 1 .. coalesce(array_length(p_scopes, 1), 0) loop
    perform pg_advisory_xact_lock(p_scopes[i]);
  end loop;
  for i in 1 .. coalesce(array_length(p_scopes, 1), 0) loop
    select s.seq into seen from ops.scope s where s.scope = p_scopes[i];
    if p_scope_seqs[i] is not null and coalesce(seen, 0) <> p_scope_seqs[i] then perform ops.changed('scope'); end if;
    insert into ops.scope as s (scope, seq) values (p_scopes[i], 1) on conflict (scope) do update set seq = s.seq + 1;
  end loop;

  for i in 1 .. coalesce(array_length(p_read_uids, 1), 0) loop
    if p_read_excl[i] then
      select r.seq into seen from projection.record r where r.type = p_read_types[i] and r.uid = p_read_uids[i] for no key update;
    else
      select r.seq into seen from projection.record r where r.type = p_read_types[i] and r.uid = p_read_uids[i] for share;
    end if;
    if p_read_seqs[i] is not null and seen is distinct from p_read_seqs[i] then
      perform ops.changed(ops.number_of(p_read_uids[i]));
    end if;
  end loop;

  -- A transaction has its xid before it draws an entry id: the sequencer's low water rests on it.
  perform pg_current_xact_id();
  for i in 1 .. array_length(p_streams, 1) loop
    el := p_projections -> (i - 1);
    who := coalesce(p_actors[i], p_actor);
    insert into ledger.entry(log_id, record_id, version, kind, actor, command_id, leaf, admit, about)
    values (1, p_streams[i], p_vers[i], p_kinds[i], who, p_cmd, p_leaves[i], p_admits[i], p_abouts[i])
    returning id, leaf_hash into v_id, v_hash;
    if p_fixed[i] is not null or p_erasable[i] is not null then
      insert into ledger.body(entry_id, fixed_salts, fixed, erasable_salts, erasable)
      values (v_id, coalesce(p_fixed_salts[i], ''), coalesce(p_fixed[i], ''), p_erasable_salts[i], p_erasable[i]);
    end if;
    if jsonb_typeof(el) = 'object' then
      if p_kinds[i] in ('session', 'installation') then
        raise exception 'a % entry has no projection', p_kinds[i] using errcode = 'CS009';
      end if;
      perform ops.put_record(el, p_kinds[i], p_streams[i], p_vers[i], p_prevs[i], v_id, v_hash, p_at, who);
    else
      perform ops.put_stream(p_kinds[i], p_streams[i], p_vers[i], p_prevs[i], v_hash);
    end if;
    ids := ids || jsonb_build_object('id', v_id);
  end loop;

  answer := jsonb_build_object('entries', ids, 'at', to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
  insert into ops.command(command_id, actor, idem_key, request_hash, answer) values (p_cmd, p_actor, p_idem_key, p_request_hash, answer);
  -- No NOTIFY here: it holds one lock for the whole server until the flush is done, and every commit would queue behind it.
  return answer;
end $$;

-- Removes the personal sections of entries that an erasure entry of the same transaction names.
create function ops.erase_bodies(p_entries bigint[]) returns int language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
declare n int;
begin
  update ledger.body set erasable = null, erasable_salts = null where entry_id = any(p_entries) and erasable is not null;
  get diagnostics n = row_count;
  return n;
end $$;
