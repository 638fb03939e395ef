-- why: the ledger itself: entries, bodies, tree, checkpoints, anchors (LEDGER 2)
-- beside: adds tables only; an earlier release does not read them
-- locks: none on existing objects
-- undo: drop the database; a ledger is never migrated backwards

set local role cs_owner;

create table ledger.log(
  log_id smallint primary key, origin text unique not null, hash_alg text not null default 'sha256' check (hash_alg = 'sha256'),
  opened_at timestamptz not null default clock_timestamp(), closed_at timestamptz);

-- about: the subject of a view, refusal or export, copied out of the leaf so that a record's page finds it; the verifier compares.
create table ledger.entry(
  log_id smallint not null references ledger.log, id bigint generated always as identity,
  record_id uuid not null, version int not null check (version >= 1),
  kind text not null, actor uuid not null, command_id uuid not null,
  leaf bytea not null check (octet_length(leaf) between 2 and 16384),
  leaf_hash bytea generated always as (sha256('\x00'::bytea || leaf)) stored,
  admit bytea not null check (octet_length(admit) = 32),
  about uuid,
  xid xid8 not null default pg_current_xact_id(), at timestamptz not null default clock_timestamp(),
  primary key (log_id, id), unique (record_id, version));
create index entry_about on ledger.entry(about, id) where about is not null;

-- Sections in leaf order, those without "from", concatenated; the leaf's n slices them. An erasure empties the erasable pair.
create table ledger.body(
  entry_id bigint primary key, fixed_salts bytea not null, fixed bytea not null,
  erasable_salts bytea, erasable bytea,
  check (octet_length(fixed_salts) % 32 = 0 and octet_length(erasable_salts) % 32 = 0),
  check ((erasable_salts is null) = (erasable is null)));

create table ledger.leaf(log_id smallint not null, idx bigint not null check (idx >= 0), entry_id bigint not null unique,
  primary key (log_id, idx));
create table ledger.tile(log_id smallint not null, level smallint not null, n bigint not null,
  hashes bytea not null check (octet_length(hashes) = 8192), primary key (log_id, level, n));
create table ledger.tree(log_id smallint primary key, size bigint not null check (size >= 0), frontier bytea[] not null,
  root bytea not null check (octet_length(root) = 32), low_water bigint not null, at timestamptz not null default clock_timestamp());
create table ledger.checkpoint(log_id smallint not null, size bigint not null check (size > 0),
  root bytea not null check (octet_length(root) = 32), note bytea not null, primary key (log_id, size));
create table ledger.anchor(log_id smallint not null, size bigint not null, type text not null, target text not null,
  evidence bytea not null, obtained_at timestamptz not null default clock_timestamp());
create index anchor_size on ledger.anchor(log_id, size);
