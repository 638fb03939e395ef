-- why: lists by title, the trail by person and by type, and search over text, none slower with a long ledger
-- beside: an earlier release reads and writes as before; it fills no search index
-- locks: share on projection.record and ledger.entry while the indexes are made, about 10 s for a million entries
-- undo: drop the indexes and the table; nothing is lost

set local role cs_owner;

create index record_title on projection.record(type, lower(title), uid);
create index entry_actor on ledger.entry(actor, id);
create index entry_kind on ledger.entry(kind, id);

-- Filled aside, behind the tree, by a duty of the keeper; nothing decides by it and it can be made again at any time.
-- The words and three-letter pieces are made by the program, so that what is looked for is cut as what was kept.
create table ops.search(
  uid uuid primary key, type text not null, number text not null, revision int not null, title text not null, body text not null,
  pieces tsvector not null, title_words tsvector not null, people_words tsvector not null, body_words tsvector not null);
create index search_pieces on ops.search using gin(pieces);
create index search_title on ops.search using gin(title_words);
create index search_people on ops.search using gin(people_words);
create index search_body on ops.search using gin(body_words);

grant select, insert, update on ops.search to cs_writer;
grant select on ops.search to cs_verifier;
