-- why: definitions and migrations are found among a year of heartbeats without reading them all
-- beside: adds an index only; an earlier release does not use it
-- locks: share on ledger.entry while it is built; nothing is appended meanwhile
-- undo: drop the index; starting takes longer

set local role cs_owner;

create index entry_defines on ledger.entry(version) where log_id = 1 and kind = 'installation'
  and (position('"act":"define"'::bytea in leaf) > 0 or position('"act":"migrate"'::bytea in leaf) > 0);
