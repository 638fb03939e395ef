-- why: a counter of failed attempts is made for every name and address that is typed, and none was ever removed
-- beside: an earlier release leaves them; where this one removed a counter it counts from one again
-- locks: row exclusive on ops.throttle, rows that nobody has counted in for days
-- undo: a later migration drops the function

set local role cs_owner;

-- Counters of nobody: names that no account has, and addresses, without an attempt for so many days. Those of an
-- account stay, or who guesses slowly would never reach the lock. At most p_most rows; returns how many were removed.
create function ops.purge_throttle(p_days int, p_most int) returns int language sql volatile security definer
set search_path = pg_catalog, pg_temp as $$
  with gone as (
    delete from ops.throttle t where (t.scope, t.key) in (
      select o.scope, o.key from ops.throttle o
      where o.since < clock_timestamp() - greatest(p_days, 1) * interval '1 day'
        and (o.scope = 'enrolling' or o.key not in (
          select k from projection.authority a, lateral (values (ops.name_key(a.code)), (a.person::text)) as own(k)
          where a.kind = 'account' and a.code is not null))
      order by o.since limit p_most for update skip locked)
    returning 1)
  select count(*)::int from gone
$$;
revoke all on function ops.purge_throttle(int, int) from public;
grant execute on function ops.purge_throttle(int, int) to cs_writer;
