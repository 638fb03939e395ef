-- why: what is open was planned without knowing how much of it there is, and looked for among all that is closed
-- beside: an earlier release asks without 'closed' and is answered as before
-- locks: none on existing objects
-- undo: a later migration replaces the function

set local role cs_owner;

-- closed: states that do not matter. Who asks whether anything is open names them, and is not given everything that is closed.
create or replace function ops.read_inbound(p_targets jsonb, p_type text, p_field text, p_limit int, p_closed jsonb) returns jsonb
language plpgsql stable as $$
declare found_rows jsonb[] := '{}'; t jsonb; l record; open_states text[];
begin
  if p_closed is null then
    return ops.read_inbound(p_targets, p_type, p_field, p_limit);
  end if;
  open_states := array(select s from unnest(ops.states_of(p_type)) s where not p_closed ? s);
  if open_states = '{}' then
    return '[]';
  end if;
  for t in select jsonb_array_elements(p_targets) loop
    -- With its values in the text, each quoted: facts are planned without, and here how many there are decides the way.
    for l in execute format('select x.uid from (select r.uid from projection.record r where r.type = %L and r.state = any(%L::text[])
        and exists (select 1 from projection.link k where k.to_uid = %L::uuid and k.from_type = %L and k.from_uid = r.uid
        and (%L::text is null or k.field = %L)) limit %s) x order by x.uid',
        p_type, open_states, t ->> 'uid', p_type, p_field, p_field, p_limit) loop
      found_rows := array_append(found_rows, ops.row_of(p_type, l.uid));
    end loop;
  end loop;
  return to_jsonb(found_rows);
end $$;

revoke all on function ops.read_inbound(jsonb, text, text, int, jsonb) from public;
