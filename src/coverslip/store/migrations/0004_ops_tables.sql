-- why: sessions, credentials, commands, numbers and alarms: working state that is not record content
-- beside: adds tables only; an earlier release does not read them
-- locks: none on existing objects
-- undo: drop the tables; open sessions end and people enrol again

set local role cs_owner;

create table ops.installation(
  log_id smallint primary key references ledger.log, origin text not null, use text not null check (use in ('evaluation', 'regulated')),
  uuid uuid not null unique, created_at timestamptz not null);

create table ops.session(
  session uuid primary key, person uuid not null, username text not null default '',
  kind text not null default 'password' check (kind in ('password', 'device', 'service', 'token')),
  token_hash bytea unique, opened_at timestamptz not null default clock_timestamp(), seen_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null, ended_at timestamptz, ended_why text,
  workstation text not null default '', client text not null default '', address text not null default '', zone text not null default 'UTC',
  period uuid, data jsonb not null default '{}');
create index session_person on ops.session(person) where ended_at is null;

-- Password verifiers, wrapped signing keys, TOTP seeds. Never record content; replay skips them (LEDGER 2).
create table ops.credential(
  person uuid not null, kind text not null, key_id text not null default '', secret bytea, data jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(), changed_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz, primary key (person, kind, key_id));

create table ops.enrolment(
  enrolment uuid primary key, person uuid not null, purpose text not null, token_hash bytea not null unique,
  created_by uuid, created_at timestamptz not null default clock_timestamp(), expires_at timestamptz not null, used_at timestamptz,
  data jsonb not null default '{}');

create table ops.throttle(
  scope text not null, key text not null, failures int not null default 0, since timestamptz not null default clock_timestamp(),
  locked_until timestamptz, primary key (scope, key));

create table ops.command(
  command_id uuid primary key, actor uuid not null, idem_key text, request_hash bytea, answer jsonb not null,
  at timestamptz not null default clock_timestamp());
create unique index command_idem on ops.command(actor, idem_key) where idem_key is not null;

create table ops.authority_epoch(person uuid primary key, epoch bigint not null);

-- One counter per guard scope (count, unique, no_open): what was counted before the lock is compared after it.
create table ops.scope(scope bigint primary key, seq bigint not null);

create table ops.alarm(
  id bigint generated always as identity primary key, at timestamptz not null default clock_timestamp(), kind text not null,
  entry_id bigint, detail text not null, unique (kind, entry_id));

-- Numbers come from sequences: a counter row gave 660 per second against 20 000 (SPIKE 3). Gaps are allowed and reported.
do $$
declare p text;
begin
  foreach p in array array['SITE','USR','ROLE','GRT','POL','SOP','TRN','ESA','CERT','INS','CAL','STU','ACQ','IMG','SET','ALG','PAR',
                           'MTH','RUN','RES','RVC','REL','HLD'] loop
    execute format('create sequence ops.%I', 'number_' || lower(p));
  end loop;
end $$;

create function ops.next_number(prefix text) returns bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
  if prefix !~ '^[A-Z]{2,6}$' then
    raise exception 'number prefix % is malformed', prefix using errcode = 'CS009';
  end if;
  return nextval(('ops.number_' || lower(prefix))::regclass);
end $$;

-- Called once, at 'init', before the first entry.
create function ops.open_installation(p_origin text, p_use text, p_uuid uuid, p_at timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into ledger.log(log_id, origin) values (1, p_origin);
  insert into ledger.tree(log_id, size, frontier, root, low_water) values (1, 0, '{}', sha256(''::bytea), 0);
  insert into ops.installation(log_id, origin, use, uuid, created_at) values (1, p_origin, p_use, p_uuid, p_at);
end $$;
