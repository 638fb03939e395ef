-- why: what ends or begins with an account does so in the command that says it: sessions, keys, codes, counters (21 CFR 11.300)
-- beside: an earlier release counts failures under plain names and finds none here; it ends no session by itself
-- locks: access exclusive on ops.throttle, milliseconds
-- undo: a later migration replaces the functions; ended sessions stay ended and destroyed keys stay destroyed

set local role cs_owner;

-- Where failed attempts came from, the first ten addresses; emptied with the count.
alter table ops.throttle add column places text[] not null default '{}';
create index throttle_since on ops.throttle(since);

-- Counters of the form before this one name people in clear; nothing reads them any more.
delete from ops.throttle where scope = 'sign_in';

-- How far a duty has looked. Working state: a duty that starts at the beginning comes to the same result.
create table ops.position(name text primary key, position bigint not null, at timestamptz not null default clock_timestamp());
grant select, insert, update on ops.position to cs_writer;

-- A name as the counter of its attempts is kept: what was typed is nobody's business, it may be a password.
create function ops.name_key(p_name text) returns text language sql immutable parallel safe
set search_path = pg_catalog, pg_temp as $$
  select left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 12)
$$;
revoke all on function ops.name_key(text) from public;
grant execute on function ops.name_key(text) to cs_writer;

-- p_was, p_is: what the record conferred before and confers now, as [code, data]; null for nothing.
create function ops.account_moved(p_person uuid, p_was jsonb, p_is jsonb) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare
  could boolean := coalesce((p_was -> 1 ->> 'verified')::boolean, p_was is not null and not p_was -> 1 ? 'verified');
  can boolean := coalesce((p_is -> 1 ->> 'verified')::boolean, p_is is not null and not p_is -> 1 ? 'verified');
  enrols boolean := p_is is not null and not can;
begin
  -- It no longer acts, or everything opened until now was ended: no session of it lives on.
  if could and (not can or p_was -> 1 ->> 'since' is distinct from p_is -> 1 ->> 'since'
                or p_was -> 1 ->> 'key' is distinct from p_is -> 1 ->> 'key') then
    update ops.session s set ended_at = clock_timestamp(), ended_why = 'account_changed', period = null
      where s.person = p_person and s.ended_at is null;
  end if;
  -- It is to enrol again: the wrapped key is destroyed, and no code made before opens anything.
  if enrols and (p_was is null or could) then
    update ops.credential c set revoked_at = coalesce(c.revoked_at, clock_timestamp()), changed_at = clock_timestamp(), secret = null,
        data = c.data - 'sealed' - 'salt' - 'nonce' where c.person = p_person;
    update ops.enrolment e set used_at = clock_timestamp() where e.person = p_person and e.used_at is null;
    update ops.session s set ended_at = clock_timestamp(), ended_why = 'account_reset', period = null
      where s.person = p_person and s.ended_at is null;
  end if;
  -- It acts again: earlier failures are forgotten with the act that let it in.
  if can and not could then
    update ops.throttle t set failures = 0, places = '{}'
      where t.scope = 'sign_in' and t.key = ops.name_key(p_is ->> 0) or t.scope = 'signing' and t.key = p_person::text;
  end if;
end $$;

-- As before, and what follows for accounts and devices.
create or replace function projection.put_authority(p_type text, p_uid uuid, p_rows jsonb) returns void
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
  for p in select distinct (e ->> 0)::uuid from jsonb_array_elements(old || new) e where e ->> 1 in ('account', 'device') order by 1 loop
    perform ops.account_moved(p,
      (select jsonb_build_array(e -> 2, e -> 6) from jsonb_array_elements(old) e
        where (e ->> 0)::uuid = p and e ->> 1 in ('account', 'device') limit 1),
      (select jsonb_build_array(e -> 2, e -> 6) from jsonb_array_elements(new) e
        where (e ->> 0)::uuid = p and e ->> 1 in ('account', 'device') limit 1));
  end loop;
end $$;
revoke all on function ops.account_moved(uuid, jsonb, jsonb) from public;
