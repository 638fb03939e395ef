-- What each role may do, as PostgreSQL itself answers it: (role, object, privilege).
--
-- Effective privileges are asked for, with those of PUBLIC and of memberships. Statements are split at lines
-- that end with a semicolon.

select r, n.nspname || '.' || c.relname, p
  from unnest(%(roles)s::text[]) r
  cross join pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('ledger', 'projection', 'ops', 'public')
  cross join unnest(%(rights)s::text[]) p
  where c.relkind in ('r', 'p', 'v', 'm') and has_table_privilege(r, c.oid, p);

select r, n.nspname || '.' || c.relname, p || '(' || string_agg(a.attname, ', ' order by a.attnum) || ')'
  from unnest(%(roles)s::text[]) r
  cross join pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('ledger', 'projection', 'ops', 'public')
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
  where c.relkind in ('r', 'p', 'v', 'm') and has_column_privilege(r, c.oid, a.attnum, p) and not has_table_privilege(r, c.oid, p) group by 1, 2, p;

select r, 'sequence ' || n.nspname || '.' || c.relname, p
  from unnest(%(roles)s::text[]) r
  cross join pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('ledger', 'projection', 'ops', 'public')
  cross join unnest(array['SELECT', 'UPDATE', 'USAGE']) p
  where c.relkind = 'S' and has_sequence_privilege(r, c.oid, p);

select r, 'function ' || n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', 'EXECUTE'
  from unnest(%(roles)s::text[]) r
  cross join pg_proc p
  join pg_namespace n on n.oid = p.pronamespace and n.nspname in ('ledger', 'projection', 'ops', 'public')
  where has_function_privilege(r, p.oid, 'EXECUTE');

select r, 'schema ' || n.nspname, p
  from unnest(%(roles)s::text[]) r
  cross join pg_namespace n
  cross join unnest(array['USAGE', 'CREATE']) p
  where n.nspname in ('ledger', 'projection', 'ops', 'public') and has_schema_privilege(r, n.oid, p);

select r, 'the database', p
  from unnest(%(roles)s::text[]) r
  cross join unnest(array['CONNECT', 'CREATE', 'TEMPORARY']) p
  where has_database_privilege(r, current_database(), p);

select r, 'member of ' || g.rolname, 'INHERIT'
  from unnest(%(roles)s::text[]) r
  cross join pg_roles g
  where g.rolname <> r and not g.rolsuper and pg_has_role(r, g.oid, 'USAGE');
