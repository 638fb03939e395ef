-- What PostgreSQL's catalogs say of everything that guards the ledger, or could go around it.
--
-- Rules kept here:
--
-- * One line per object, readable: its name, and what matters of it. The lines of PostgreSQL 15 to 18 are
--   equal for the same migrations, as are those of a new and of an upgraded database.
-- * A table's own flags decide whether PostgreSQL looks for its triggers, checks, rules, indexes and defaults
--   at all. A flag that says no although there are some is named; one that says yes although there are none
--   is not, for VACUUM puts that right when it likes.
-- * Nothing is left out by its name: what is not Coverslip's own is described as well, so that it differs.
-- * No secret: a role's password is not looked at.
--
-- What is evened out: the superuser's name, what an owner may do with the own object, the privilege MAINTAIN
-- of owners (17), and NOT NULL as constraint (18; it stands at the column in every version).
--
-- Each statement answers (object, description); they are split at lines that end with a semicolon.

select 'function ' || n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    concat_ws('; ', 'owner ' || case when o.rolsuper then '(superuser)' else o.rolname::text end, l.lanname,
    'kind ' || p.prokind::text, 'volatility ' || p.provolatile::text, 'parallel ' || p.proparallel::text,
    case when p.prosecdef then 'security definer' end, case when p.proisstrict then 'strict' end,
    case when p.proleakproof then 'leakproof' end, 'returns ' || pg_get_function_result(p.oid), 'arguments '
    || pg_get_function_arguments(p.oid), 'set ' || array_to_string(p.proconfig, ', '), 'source '
    || encode(sha256(convert_to(coalesce(p.prosrc, '') || coalesce(p.probin, '')
    || coalesce(pg_get_function_sqlbody(p.oid), ''), 'UTF8')), 'hex'))
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  join pg_roles o on o.oid = p.proowner
  join pg_language l on l.oid = p.prolang;

select 'trigger ' || n.nspname || '.' || c.relname || '.' || t.tgname, 'enabled ' || t.tgenabled::text || '; '
    || pg_get_triggerdef(t.oid)
  from pg_trigger t
  join pg_class c on c.oid = t.tgrelid
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  where not t.tgisinternal;

select 'foreign key trigger ' || n.nspname || '.' || c.relname || ' ' || f.proname, 'enabled ' || t.tgenabled::text
  from pg_trigger t
  join pg_class c on c.oid = t.tgrelid
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  join pg_proc f on f.oid = t.tgfoid
  where t.tgisinternal and t.tgenabled <> 'O';

select 'event trigger ' || e.evtname, concat_ws('; ', 'enabled ' || e.evtenabled::text, 'owner ' ||
    case when o.rolsuper then '(superuser)' else o.rolname::text end, e.evtevent, 'function ' || n.nspname || '.'
    || p.proname, 'tags ' || array_to_string(e.evttags, ', '))
  from pg_event_trigger e
  join pg_roles o on o.oid = e.evtowner
  join pg_proc p on p.oid = e.evtfoid
  join pg_namespace n on n.oid = p.pronamespace;

select 'rule ' || n.nspname || '.' || c.relname || '.' || r.rulename, 'enabled ' || r.ev_enabled::text || '; '
    || pg_get_ruledef(r.oid)
  from pg_rewrite r
  join pg_class c on c.oid = r.ev_class
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_';

select 'policy ' || n.nspname || '.' || c.relname || '.' || p.polname, concat_ws('; ', 'command ' || p.polcmd::text,
    case when p.polpermissive then 'permissive' else 'restrictive' end, 'roles '
    || (select string_agg(coalesce(r.rolname::text, 'PUBLIC'), ', ' order by r.rolname) from unnest(p.polroles) x
  left join pg_roles r on r.oid = x), 'using ' || pg_get_expr(p.polqual, p.polrelid), 'check '
    || pg_get_expr(p.polwithcheck, p.polrelid))
  from pg_policy p
  join pg_class c on c.oid = p.polrelid
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_';

select 'schema ' || n.nspname, 'owner ' || case when n.nspname = 'public' then 'of the database' else
    case when o.rolsuper then '(superuser)' else o.rolname::text end end
  from (select *
  from pg_namespace n
  where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_') n
  join pg_roles o on o.oid = n.nspowner;

select case c.relkind when 'r' then 'table ' when 'p' then 'table ' when 'S' then 'sequence ' when 'v' then 'view ' when 'm' then 'view '
    else 'relation ' end || n.nspname || '.' || c.relname,
    concat_ws('; ', 'kind ' || c.relkind::text, 'owner ' || case when o.rolsuper then '(superuser)' else o.rolname::text end,
    'persistence ' || c.relpersistence::text, case when c.relrowsecurity then 'row security' end,
    case when c.relforcerowsecurity then 'row security forced' end, 'replica identity ' || c.relreplident::text,
    'options ' || array_to_string(c.reloptions, ', '), 'under ' || (select string_agg(h.inhparent::regclass::text, ', ')
  from pg_inherits h
  where h.inhrelid = c.oid), 'for ' || pg_get_expr(c.relpartbound, c.oid),
    case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
    case when not c.relhastriggers and exists (select from pg_trigger t where t.tgrelid = c.oid)
      then 'triggers not in force' end,
    case when not c.relhasrules and exists (select from pg_rewrite r where r.ev_class = c.oid)
      then 'rules not in force' end,
    case when not c.relhasindex and exists (select from pg_index x where x.indrelid = c.oid)
      then 'indexes not in force' end,
    case when not c.relhassubclass and exists (select from pg_inherits h where h.inhparent = c.oid)
      then 'partitions not in force' end,
    case when c.relchecks <> (select count(*) from pg_constraint k where k.conrelid = c.oid and k.contype = 'c')
      then 'checks not in force: counted ' || c.relchecks end,
    case when c.relkind in ('v', 'm') then encode(sha256(convert_to(pg_get_viewdef(c.oid), 'UTF8')), 'hex') end)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  join pg_roles o on o.oid = c.relowner
  where c.relkind not in ('i', 'I', 't', 'c');

select 'column ' || n.nspname || '.' || c.relname || '.' || a.attname, concat_ws('; ', 'type '
    || format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
    case when a.attidentity <> '' then 'identity ' || a.attidentity::text end,
    case when a.attgenerated <> '' then 'generated ' || a.attgenerated::text end, 'is ' || pg_get_expr(d.adbin,
    d.adrelid), case when a.atthasdef <> (d.oid is not null) then 'default not in force' end)
  from pg_attribute a
  join pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_' on c.oid = a.attrelid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f');

select 'constraint ' || n.nspname || '.' || c.relname || '.' || k.conname, pg_get_constraintdef(k.oid) ||
    case when k.convalidated then '' else '; not validated' end ||
    case when k.contype = 'f' and c.relkind = 'r' and (select count(*) from pg_trigger t where t.tgconstraint = k.oid
    and t.tgrelid = k.conrelid and t.tgfoid in (1644, 1645)) <> 2 then '; not in force' else '' end
  from pg_constraint k
  join pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_' on c.oid = k.conrelid
  where k.contype <> 'n';

select 'index ' || n.nspname || '.' || i.relname, pg_get_indexdef(i.oid) || case when x.indisvalid
    and x.indisready and x.indislive then '' else '; not valid' end
    || case when x.indimmediate or exists (select from pg_constraint k where k.conindid = x.indexrelid
    and k.condeferrable) then '' else '; not immediate' end
  from pg_index x
  join pg_class i on i.oid = x.indexrelid
  join pg_namespace n on n.oid = i.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_';

select 'grant on ' || n.nspname || '.' || c.relname || ' to ' || coalesce(g.rolname::text, 'PUBLIC'),
    string_agg(distinct x.privilege_type || case when x.is_grantable then ' with grant option' else '' end, ', ')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  cross join lateral aclexplode(c.relacl) x
  left join pg_roles g on g.oid = x.grantee
  where x.grantee is distinct from c.relowner and coalesce(g.rolsuper, false) = false
  group by 1;

select 'grant on column ' || n.nspname || '.' || c.relname || '.' || a.attname || ' to ' || coalesce(g.rolname::text,
    'PUBLIC'), string_agg(distinct x.privilege_type ||
    case when x.is_grantable then ' with grant option' else '' end, ', ')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  cross join lateral aclexplode(a.attacl) x
  left join pg_roles g on g.oid = x.grantee
  where x.grantee is distinct from c.relowner and coalesce(g.rolsuper, false) = false
  group by 1;

select 'grant on function ' || n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid)
    || ')' || ' to ' || coalesce(g.rolname::text, 'PUBLIC'), string_agg(distinct x.privilege_type ||
    case when x.is_grantable then ' with grant option' else '' end, ', ')
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
  left join pg_roles g on g.oid = x.grantee
  where x.grantee is distinct from p.proowner and coalesce(g.rolsuper, false) = false
  group by 1;

select 'grant on schema ' || n.nspname || ' to ' || coalesce(g.rolname::text, 'PUBLIC'),
    string_agg(distinct x.privilege_type || case when x.is_grantable then ' with grant option' else '' end, ', ')
  from (select *
  from pg_namespace n
  where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_') n
  cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x
  left join pg_roles g on g.oid = x.grantee
  where x.grantee is distinct from n.nspowner and coalesce(g.rolsuper, false) = false
  group by 1;

select 'grant on the database' || ' to ' || coalesce(g.rolname::text, 'PUBLIC'),
    string_agg(distinct x.privilege_type || case when x.is_grantable then ' with grant option' else '' end, ', ')
  from (select *
  from pg_database
  where datname = current_database()) d
  cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
  left join pg_roles g on g.oid = x.grantee
  where x.grantee is distinct from d.datdba and coalesce(g.rolsuper, false) = false
  group by 1;

select 'grant on system ' || c.relname || ' to ' || coalesce(g.rolname::text, 'PUBLIC'),
    string_agg(distinct x.privilege_type, ', ')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('pg_catalog', 'information_schema')
  cross join lateral aclexplode(c.relacl) x
  left join pg_roles g on g.oid = x.grantee
  where (x.grantee <> 0 or x.privilege_type not in ('SELECT', 'UPDATE') or (x.privilege_type = 'UPDATE'
    and c.relname <> 'pg_settings')) and coalesce(g.rolsuper, false) = false and coalesce(g.oid, 16384) >= 16384
  group by 1;

select 'grant on system function ' || p.proname || ' to ' || g.rolname, string_agg(distinct x.privilege_type, ', ')
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace and n.nspname in ('pg_catalog', 'information_schema')
  cross join lateral aclexplode(p.proacl) x
  join pg_roles g on g.oid = x.grantee
  where not g.rolsuper and g.oid >= 16384
  group by 1;

select 'default privileges of ' || r.rolname || ' on ' || d.defaclobjtype::text || coalesce(' in ' || n.nspname, ''),
    (select string_agg(coalesce(g.rolname::text, 'PUBLIC') || ' ' || x.privilege_type, ', ' order by g.rolname,
    x.privilege_type) from aclexplode(d.defaclacl) x
  left join pg_roles g on g.oid = x.grantee
  where x.privilege_type <> 'MAINTAIN')
  from pg_default_acl d
  join pg_roles r on r.oid = d.defaclrole
  left join pg_namespace n on n.oid = d.defaclnamespace;

select 'role ' || r.rolname, concat_ws('; ', case when r.rolsuper then 'superuser' end,
    case when r.rolcreatedb then 'creates databases' end, case when r.rolcreaterole then 'creates roles' end,
    case when r.rolreplication then 'replication' end, case when r.rolbypassrls then 'bypasses row security' end,
    case when r.rolcanlogin then 'logs in' else 'no login' end,
    case when not r.rolinherit then 'inherits nothing' end, 'at most ' || nullif(r.rolconnlimit, -1)
    || ' connections', 'until ' || r.rolvaliduntil)
  from pg_roles r
  where r.oid >= 16384 or (r.oid <> 10 and (r.rolcanlogin or r.rolsuper or r.rolcreatedb or r.rolcreaterole
    or r.rolreplication or r.rolbypassrls));

select 'member ' || m.rolname || ' of ' || r.rolname, 'granted' ||
    case when bool_or(a.admin_option) then ' with admin option' else '' end
  from pg_auth_members a
  join pg_roles r on r.oid = a.roleid
  join pg_roles m on m.oid = a.member
  -- PostgreSQL's own: pg_monitor belongs to pg_read_all_settings, pg_read_all_stats and pg_stat_scan_tables.
  where not m.rolsuper and not (m.oid = 3373 and r.oid in (3374, 3375, 3377))
  group by m.rolname, r.rolname;

select 'setting of ' || coalesce(r.rolname::text, 'everybody') || ' in ' ||
    case when s.setdatabase = 0 then 'every database' else 'the database' end || ': ' || split_part(v, '=', 1),
    substr(v, strpos(v, '=') + 1)
  from pg_db_role_setting s
  cross join lateral unnest(s.setconfig) v
  left join pg_roles r on r.oid = s.setrole
  where s.setdatabase = 0 or s.setdatabase = (select oid
  from pg_database
  where datname = current_database());

select 'extension ' || e.extname, e.extversion
  from pg_extension e
  where e.extname <> 'plpgsql';

select 'language ' || l.lanname, case when l.lanpltrusted then 'trusted' else 'not trusted' end
  from pg_language l
  where l.lanname not in ('internal', 'c', 'sql', 'plpgsql');

select 'type ' || n.nspname || '.' || t.typname, 'kind ' || t.typtype::text
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace and n.nspname not in ('pg_catalog', 'information_schema',
    'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  left join pg_class c on c.oid = t.typrelid
  where t.typelem = 0 and (c.oid is null or c.relkind = 'c');

select 'operator ' || o.oid::regoperator::text, 'function ' || o.oprcode::text
  from pg_operator o
  where o.oid >= 16384;

select 'cast ' || format_type(c.castsource, null) || ' to ' || format_type(c.casttarget, null), 'context '
    || c.castcontext::text
  from pg_cast c
  where c.oid >= 16384;

select 'foreign server ' || s.srvname, 'wrapper ' || w.fdwname
  from pg_foreign_server s
  join pg_foreign_data_wrapper w on w.oid = s.srvfdw;

select 'publication ' || p.pubname, 'publishes'
  from pg_publication p;

select 'subscription ' || s.subname, case when s.subenabled then 'enabled' else 'off' end
  from pg_subscription s
  where s.subdbid = (select oid
  from pg_database
  where datname = current_database());

select 'security label ' || l.objtype || ' ' || l.objname, l.provider || ' ' || l.label
  from pg_seclabels l;

select 'setting ' || s.name, s.setting
  from pg_settings s
  where s.name in ('fsync', 'full_page_writes', 'zero_damaged_pages', 'ignore_checksum_failure',
    'ignore_system_indexes', 'allow_system_table_mods', 'session_replication_role', 'row_security',
    'session_preload_libraries', 'local_preload_libraries') or (s.name = 'event_triggers' and s.setting <> 'on');

select 'migration ' || lpad(m.number::text, 4, '0') || ' ' || m.name, m.sha256
  from ops.migration m;

-- PostgreSQL's own functions, and all that leads to one: the same from one day to the next, another with
-- another version. The number of this list goes up when it changes, so that only equal lists are compared.
select 'system functions', 'PostgreSQL ' || current_setting('server_version') || ', list 2; '
    || encode(sha256(convert_to(string_agg(b.line, chr(10) order by b.line collate "C"), 'UTF8')), 'hex')
  from (
  select concat_ws('|', 'proc', p.oid, p.proname, p.pronamespace, p.prosrc, p.probin, p.prosecdef, p.prolang,
    p.proconfig, p.provolatile, p.proisstrict, p.prosupport::oid, p.proleakproof, p.prokind, p.proretset,
    p.prorettype, p.proargtypes, p.provariadic, p.proargdefaults, p.prosqlbody) as line
  from pg_proc p
  where p.oid < 16384 or p.pronamespace = 'pg_catalog'::regnamespace
  union all
  select concat_ws('|', 'operator', o.oid, o.oprname, o.oprnamespace, o.oprkind, o.oprcanmerge, o.oprcanhash,
    o.oprleft, o.oprright, o.oprresult, o.oprcom, o.oprnegate, o.oprcode::oid, o.oprrest::oid, o.oprjoin::oid)
  from pg_operator o
  where o.oid < 16384
  union all
  select concat_ws('|', 'cast', c.oid, c.castsource, c.casttarget, c.castfunc, c.castcontext, c.castmethod)
  from pg_cast c
  where c.oid < 16384
  union all
  select concat_ws('|', 'amproc', a.oid, a.amprocfamily, a.amproclefttype, a.amprocrighttype, a.amprocnum,
    a.amproc::oid)
  from pg_amproc a
  where a.oid < 16384
  union all
  select concat_ws('|', 'amop', a.oid, a.amopfamily, a.amoplefttype, a.amoprighttype, a.amopstrategy,
    a.amoppurpose, a.amopopr, a.amopmethod, a.amopsortfamily)
  from pg_amop a
  where a.oid < 16384
  union all
  select concat_ws('|', 'opclass', o.oid, o.opcmethod, o.opcname, o.opcfamily, o.opcintype, o.opcdefault,
    o.opckeytype)
  from pg_opclass o
  where o.oid < 16384
  union all
  select concat_ws('|', 'am', a.oid, a.amname, a.amhandler::oid)
  from pg_am a
  where a.oid < 16384
  union all
  select concat_ws('|', 'type', t.oid, t.typname, t.typnamespace, t.typlen, t.typbyval, t.typtype,
    t.typinput::oid, t.typoutput::oid, t.typreceive::oid, t.typsend::oid, t.typelem, t.typbasetype)
  from pg_type t
  where t.oid < 16384
  union all
  select concat_ws('|', 'aggregate', a.aggfnoid::oid, a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid,
    a.aggserialfn::oid, a.aggdeserialfn::oid, a.aggmtransfn::oid, a.aggminvtransfn::oid, a.aggmfinalfn::oid,
    a.agginitval)
  from pg_aggregate a
  where a.aggfnoid::oid < 16384
  union all
  select concat_ws('|', 'language', l.oid, l.lanname, l.lanplcallfoid, l.laninline, l.lanvalidator)
  from pg_language l
  where l.oid < 16384
  union all
  select concat_ws('|', 'view', r.oid, r.rulename, r.ev_class, r.ev_type, r.ev_enabled, r.is_instead, r.ev_action)
  from pg_rewrite r
  where r.oid < 16384
  union all
  select concat_ws('|', 'grant', c.oid, x.grantee, x.privilege_type, x.is_grantable)
  from pg_class c
  cross join lateral aclexplode(c.relacl) x
  where c.oid < 16384 and x.grantee < 16384
  union all
  select concat_ws('|', 'grant on function', p.oid, x.grantee, x.is_grantable)
  from pg_proc p
  cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
  where p.oid < 16384 and x.grantee < 16384
  ) b;
