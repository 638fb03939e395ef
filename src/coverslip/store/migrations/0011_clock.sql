-- why: the clock's state for every process, and no writing while the clock has gone back (21 CFR 11.10(e), LEDGER 5)
-- beside: an earlier release neither reads nor writes the new table; the check applies to it as well
-- locks: none on existing tables
-- undo: a later migration

set local role cs_owner;

create table ops.clock(
  one boolean primary key default true check (one),
  offset_us bigint not null, error_us bigint not null check (error_us >= 0),
  source text not null check (source in ('none', 'chrony', 'sntp')), server text not null, why text not null, ok boolean not null,
  measured_at timestamptz not null, latest_at timestamptz not null);
comment on table ops.clock is 'What the keeper measured last; working state. What was measured when is in the heartbeats.';

create function ops.keep_clock(p_offset_us bigint, p_error_us bigint, p_source text, p_server text, p_why text, p_ok boolean) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  insert into ops.clock as c (offset_us, error_us, source, server, why, ok, measured_at, latest_at)
  values (p_offset_us, p_error_us, p_source, p_server, p_why, p_ok, clock_timestamp(), clock_timestamp())
  on conflict (one) do update set offset_us = excluded.offset_us, error_us = excluded.error_us, source = excluded.source,
    server = excluded.server, why = excluded.why, ok = excluded.ok, measured_at = excluded.measured_at,
    latest_at = greatest(c.latest_at, excluded.latest_at)
$$;

-- What was measured holds for 150 s. A measurement of the future is none: the clock went back after it.
create function ops.clock_is_fresh(p_measured_at timestamptz) returns boolean language sql volatile
set search_path = pg_catalog, pg_temp as $$
  select clock_timestamp() between p_measured_at - interval '1 second' and p_measured_at + interval '150 seconds'
$$;

-- Writing while the clock is behind what it showed before would date entries before their predecessors. It is refused,
-- unless a named source has just confirmed that the clock is right now and was ahead before.
create function ops.check_clock(p_now timestamptz) returns void language plpgsql volatile as $$
declare latest timestamptz; confirmed boolean;
begin
  select greatest(t.at, c.latest_at), c.ok and p_now between c.measured_at - interval '1 second' and c.measured_at + interval '150 seconds' into latest, confirmed
    from ledger.tree t left join ops.clock c on true where t.log_id = 1;
  if p_now < latest - interval '1 second' and confirmed is not true then
    raise exception 'the clock went back' using errcode = 'CS012', detail = extract(epoch from latest - p_now)::text;
  end if;
end $$;

create or replace function ops.check_actor(p_actor uuid, p_session uuid, p_epoch bigint, p_valid_until timestamptz, p_at timestamptz,
                                           p_streams uuid[], p_projections jsonb) returns void
language plpgsql volatile as $$
declare
  now timestamptz := clock_timestamp(); s record; p record; epoch bigint; total bigint := 0;
  nobody constant uuid := '00000000-0000-0000-0000-000000000000';
begin
  if abs(extract(epoch from now - p_at)) > 5 then
    raise exception 'application time is away from database time' using errcode = 'CS004', detail = (p_at - now)::text;
  end if;
  perform ops.check_clock(now);
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

revoke all on function ops.keep_clock(bigint, bigint, text, text, text, boolean), ops.clock_is_fresh(timestamptz), ops.check_clock(timestamptz) from public;
grant execute on function ops.keep_clock(bigint, bigint, text, text, text, boolean), ops.clock_is_fresh(timestamptz) to cs_writer;
grant execute on function ops.clock_is_fresh(timestamptz) to cs_reader, cs_verifier, cs_sequencer;
grant select on ops.clock to cs_writer, cs_reader, cs_verifier, cs_sequencer;
