-- why: each role may do its one thing (LEDGER 2); the writer has no way to touch the ledger but the functions
-- beside: grants what an earlier release used as well
-- locks: none worth naming
-- undo: a later migration changes the grants

set local role cs_owner;

revoke all on all tables in schema ledger, projection, ops from public;
revoke all on all sequences in schema ledger, projection, ops from public;
revoke all on all functions in schema ledger, projection, ops from public;
revoke all on schema ledger, projection, ops from public;

grant usage on schema projection, ops to cs_writer, cs_reader, cs_sequencer, cs_eraser;
grant usage on schema ledger to cs_writer, cs_reader, cs_sequencer, cs_verifier;
grant usage on schema projection, ops to cs_verifier;

grant execute on function
  ops.commit(uuid, text, bytea, uuid, uuid, bigint, timestamptz, timestamptz, text[], uuid[], bigint[], boolean[], bigint[], bigint[],
             uuid[], text[], int[], bytea[], uuid[], uuid[], bytea[], bytea[], bytea[], bytea[], bytea[], bytea[], jsonb),
  ops.facts(jsonb), ops.iso(timestamptz) to cs_writer, cs_eraser;
grant execute on function ops.row_of(text, uuid), ops.find_number(text, int), ops.iso(timestamptz) to cs_writer, cs_reader;
grant execute on function ops.erase_bodies(bigint[]) to cs_eraser;
grant execute on function ops.open_installation(text, text, uuid, timestamptz) to cs_migrator;

-- Pages show history and proofs: the writer and the reader may look at everything, and change nothing here.
grant select on all tables in schema projection to cs_writer, cs_reader, cs_verifier;
grant select on all tables in schema ledger to cs_writer, cs_reader, cs_verifier, cs_sequencer;
grant select on ops.installation, ops.command, ops.migration, ops.authority_epoch, ops.alarm, ops.scope to cs_writer, cs_reader, cs_verifier;
grant select on ops.installation, ops.migration to cs_sequencer;

-- Working state that is no record content; nothing of it can be deleted.
grant select, insert, update on ops.session, ops.credential, ops.enrolment, ops.throttle to cs_writer;

-- The sequencer appends what follows from the entries. The ids of ledger.entry it can only read.
grant insert on ledger.leaf, ledger.tile, ledger.checkpoint, ledger.anchor to cs_sequencer;
grant update (size, frontier, root, low_water, at) on ledger.tree to cs_sequencer;
grant select, insert on ops.alarm to cs_sequencer;
grant select on sequence ledger.entry_id_seq to cs_sequencer;
