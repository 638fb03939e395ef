-- why: the rebuildable current state that pages, lists and guards read
-- beside: adds tables only; an earlier release does not read them
-- locks: none on existing objects
-- undo: drop schema projection; 'coverslip ledger replay' rebuilds it from the ledger

set local role cs_owner;

-- seq is the guard counter: +1 at each version and at anything a guard can read (a hold placed or lifted).
create table projection.record(
  type text not null, uid uuid not null, number text not null, revision int not null default 0,
  version int not null, seq bigint not null default 1, state text not null, title text not null, site uuid, gxp text not null,
  def bytea not null, leaf_hash bytea not null, entry_id bigint not null, content jsonb not null,
  created_at timestamptz not null, created_by uuid not null, changed_at timestamptz not null, changed_by uuid not null,
  primary key (type, uid), unique (type, number, revision)) partition by list (type);
create index record_list on projection.record(type, state, changed_at desc, uid);
create index record_recent on projection.record(type, changed_at desc, uid);

-- Only types that grow by the thousand have a partition of their own: each one adds to the cost of every commit.
create table projection.record_image partition of projection.record for values in ('image');
create table projection.record_acquisition partition of projection.record for values in ('acquisition', 'acquisition_session');
create table projection.record_analysis_run partition of projection.record for values in ('analysis_run');
create table projection.record_result_set partition of projection.record for values in ('result_set');
create table projection.record_other partition of projection.record default;

-- Which stream a number names; written once, at creation. Numbers are unique over all types.
create table projection.number(
  number text not null check (number ~ '^[A-Z0-9.-]+$'), revision int not null, type text not null, uid uuid not null unique,
  primary key (number, revision));

create table projection.stream(
  stream uuid primary key, kind text not null, version int not null, leaf_hash bytea not null, seq bigint not null default 1);

create table projection.link(
  from_type text not null, from_uid uuid not null, field text not null, to_type text not null, to_uid uuid not null, to_version int,
  primary key (from_uid, field, to_uid));
create index link_inbound on projection.link(to_uid, from_type, field);

create table projection.blocker(
  target_type text not null, target uuid not null, holder_type text not null, holder uuid not null, number text not null, reason text not null,
  primary key (target, holder));
create index blocker_holder on projection.blocker(holder);

create table projection.authority(
  person uuid not null, kind text not null, code text not null, subject uuid, valid_from timestamptz, valid_to timestamptz,
  source_type text not null, source uuid not null, data jsonb not null default '{}');
create index authority_person on projection.authority(person, kind);
create index authority_source on projection.authority(source);

-- A value kept for ever (a user name) stays taken after its record lets go of it.
create table projection.unique_value(
  scope text not null, value text not null, record uuid not null, forever boolean not null default false,
  primary key (scope, value));
create index unique_record on projection.unique_value(record);
