-- why: a record type that comes with a later release needs no migration of its own: a prefix without a sequence draws from a counter
-- beside: an earlier release draws the prefixes it knows as before
-- locks: none on existing objects
-- undo: a later migration replaces the function; numbers already issued stay with their records

set local role cs_owner;

-- A counter row is slower than a sequence (SPIKE 3): types that grow by the thousand still get a sequence in a migration.
create table ops.counter(prefix text primary key, last bigint not null);

create or replace function ops.next_number(prefix text) returns bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
declare named regclass; drawn bigint;
begin
  if prefix !~ '^[A-Z]{2,6}$' then
    raise exception 'number prefix % is malformed', prefix using errcode = 'CS009';
  end if;
  named := to_regclass('ops.number_' || lower(prefix));
  if named is not null then
    return nextval(named);
  end if;
  insert into ops.counter as c (prefix, last) values (next_number.prefix, 1)
    on conflict on constraint counter_pkey do update set last = c.last + 1 returning c.last into drawn;
  return drawn;
end $$;
