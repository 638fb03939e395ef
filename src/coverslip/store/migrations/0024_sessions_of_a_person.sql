-- why: the sign-in before this one, with its place, is told to its person (21 CFR 11.300(d))
-- beside: an earlier release does not look for it
-- locks: share on ops.session while the index is made, milliseconds
-- undo: a later migration drops the index

set local role cs_owner;

create index session_before on ops.session(person, opened_at desc);
