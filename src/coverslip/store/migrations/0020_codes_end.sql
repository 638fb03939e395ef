-- why: a code from before a reset opens nothing again, also where it was in use when the reset came (21 CFR 11.300(b))
-- beside: an earlier release works as before; its codes end in the same way
-- locks: none that waits on work; one function is replaced
-- undo: a later migration replaces the function; ended codes stay ended

set local role cs_owner;

-- As before, and a reset ends the codes in use too.
-- p_was, p_is: what the record conferred before and confers now, as [code, data]; null for nothing.
create or replace function ops.account_moved(p_person uuid, p_was jsonb, p_is jsonb) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare
  could boolean := coalesce((p_was -> 1 ->> 'verified')::boolean, p_was is not null and not p_was -> 1 ? 'verified');
  can boolean := coalesce((p_is -> 1 ->> 'verified')::boolean, p_is is not null and not p_is -> 1 ? 'verified');
  enrols boolean := p_is is not null and not can;
begin
  -- It no longer acts, or everything opened until now was ended: no session of it lives on.
  if could and (not can or p_was -> 1 ->> 'since' is distinct from p_is -> 1 ->> 'since'
                or p_was -> 1 ->> 'key' is distinct from p_is -> 1 ->> 'key') then
    update ops.session s set ended_at = clock_timestamp(), ended_why = 'account_changed', period = null
      where s.person = p_person and s.ended_at is null;
  end if;
  -- It is to enrol again: the wrapped key is destroyed, and no code made before opens anything.
  if enrols and (p_was is null or could) then
    update ops.credential c set revoked_at = coalesce(c.revoked_at, clock_timestamp()), changed_at = clock_timestamp(), secret = null,
        data = c.data - 'sealed' - 'salt' - 'nonce' where c.person = p_person;
    update ops.enrolment e set used_at = coalesce(e.used_at, clock_timestamp()), expires_at = least(e.expires_at, clock_timestamp())
      where e.person = p_person;
    update ops.session s set ended_at = clock_timestamp(), ended_why = 'account_reset', period = null
      where s.person = p_person and s.ended_at is null;
  end if;
  -- It acts again: earlier failures are forgotten with the act that let it in.
  if can and not could then
    update ops.throttle t set failures = 0, places = '{}'
      where t.scope = 'sign_in' and t.key = ops.name_key(p_is ->> 0) or t.scope = 'signing' and t.key = p_person::text;
  end if;
end $$;
