-- why: people see their last successful and failed sign-in; refusals of one minute share an entry (DESIGN 4)
-- beside: adds tables only; an earlier release does not read them
-- locks: none on existing objects
-- undo: drop the two tables; the next sign-in shows no earlier one

set local role cs_owner;

create table ops.sign_in(
  person uuid primary key, succeeded_at timestamptz, failed_at timestamptz, failed_since int not null default 0);

create table ops.refusal_slot(
  who text not null, rule text not null, minute timestamptz not null, count int not null default 1, primary key (who, rule, minute));

grant select, insert, update on ops.sign_in, ops.refusal_slot to cs_writer;
