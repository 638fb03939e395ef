-- why: an inspector asks over the interface which numbers no record has (DESIGN 6)
-- beside: an earlier release does not read them
-- locks: none worth naming
-- undo: a later migration takes the grants back

set local role cs_owner;

do $$
declare s record;
begin
  for s in select c.relname from pg_class c where c.relnamespace = 'ops'::regnamespace and c.relkind = 'S' and c.relname like 'number\_%' loop
    execute format('grant select on sequence ops.%I to cs_writer', s.relname);
  end loop;
end $$;
grant select on ops.counter to cs_writer;
