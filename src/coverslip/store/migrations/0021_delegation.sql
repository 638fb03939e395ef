-- why: a role may be held for somebody else, for a time, as long as they hold it themselves (DOMAIN 3.9)
-- beside: an earlier release writes no delegations and is answered as before
-- locks: none on existing objects
-- undo: a later migration replaces the functions

set local role cs_owner;

-- A delegated role counts while its giver has an account and holds the role; it ends when the giver's does.
create or replace function ops.authority_rows(p_person uuid, p_now timestamptz) returns jsonb language plpgsql stable as $$
declare found_rows jsonb[] := '{}'; a record; one jsonb; giver record; until timestamptz;
begin
  for a in select x.* from projection.authority x
           where x.person in (p_person, '00000000-0000-0000-0000-000000000000')
             and (x.valid_from is null or x.valid_from <= p_now) and (x.valid_to is null or x.valid_to > p_now)
           order by x.kind, x.code, x.source loop
    until := a.valid_to;
    one := jsonb_build_object('person', a.person, 'kind', a.kind, 'code', a.code, 'source_type', a.source_type, 'source', a.source,
                              'data', a.data);
    if a.data ? 'behalf' then
      select g.valid_to as until, c.data ->> 'name' as name into giver
        from projection.authority g join projection.authority c on c.person = g.person and c.kind = 'account'
        where g.person = (a.data ->> 'behalf')::uuid and g.kind = a.kind and g.code = a.code and not g.data ? 'behalf'
          and (c.data ->> 'verified')::boolean
          and (g.valid_from is null or g.valid_from <= p_now) and (g.valid_to is null or g.valid_to > p_now)
          and (c.valid_from is null or c.valid_from <= p_now) and (c.valid_to is null or c.valid_to > p_now)
        order by g.valid_to desc nulls first limit 1;
      continue when not found;
      until := least(a.valid_to, giver.until);
      one := one || jsonb_build_object('data', a.data || jsonb_build_object('behalf_name', giver.name));
    end if;
    if a.subject is not null then one := one || jsonb_build_object('subject', a.subject); end if;
    if a.valid_from is not null then one := one || jsonb_build_object('valid_from', ops.iso(a.valid_from)); end if;
    if until is not null then one := one || jsonb_build_object('valid_to', ops.iso(until)); end if;
    found_rows := array_append(found_rows, one);
  end loop;
  return to_jsonb(found_rows);
end $$;

-- What is held of a delegate's authority ends with what is held of who delegates.
create or replace function ops.authority_until(p_person uuid, p_now timestamptz) returns timestamptz language plpgsql stable as $$
declare until timestamptz;
begin
  select min(case when x.valid_from > p_now then x.valid_from else x.valid_to end) into until from projection.authority x
    where x.person in (
        select p_person union select '00000000-0000-0000-0000-000000000000'::uuid
        union select (d.data ->> 'behalf')::uuid from projection.authority d where d.person = p_person and d.data ? 'behalf')
      and (x.valid_from > p_now or x.valid_to > p_now);
  return until;
end $$;

create index authority_behalf on projection.authority ((data ->> 'behalf')) where data ? 'behalf';

-- As before; whoever acts for one of those named is moved with them.
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
  for p in select distinct x.person from (
             select (e ->> 0)::uuid as person from jsonb_array_elements(old || new) e
             union select d.person from jsonb_array_elements(old || new) e
               join projection.authority d on d.data ? 'behalf' and d.data ->> 'behalf' = e ->> 0) x order by 1 loop
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
