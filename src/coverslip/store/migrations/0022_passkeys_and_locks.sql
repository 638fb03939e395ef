-- why: passkeys and one-time codes beside the password, sessions that lock and open again (21 CFR 11.200(a), 11.300)
-- beside: an earlier release finds no passkey, and takes a locked session for an open one until it is idle
-- locks: access exclusive on ops.session and share on ops.credential, milliseconds
-- undo: a later migration drops columns and index and replaces the function; passkeys are found no more

set local role cs_owner;

-- An authenticator's id of a passkey belongs to one person, for as long as anything is asked of it.
create unique index credential_passkey on ops.credential((data ->> 'credential_id'))
  where kind = 'passkey' and revoked_at is null;

alter table ops.session drop constraint session_kind_check;
alter table ops.session add constraint session_kind_check
  check (kind in ('password', 'passkey', 'device', 'service', 'token'));
alter table ops.session add column locked_at timestamptz;
-- The passkey a session was opened with: it ends with it.
alter table ops.session add column key_id text not null default '';
grant update (locked_at) on ops.session to cs_writer;

-- A locked session that opens again has a new token; of no other session is it ever rewritten.
create function ops.reopen_session(p_session uuid, p_token bytea) returns boolean language sql volatile security definer
set search_path = pg_catalog, pg_temp as $$
  with done as (
    update ops.session s set locked_at = null, seen_at = clock_timestamp(), token_hash = p_token
    where s.session = p_session and s.ended_at is null and s.expires_at > clock_timestamp() and s.locked_at is not null
    returning 1)
  select exists (select from done)
$$;
revoke all on function ops.reopen_session(uuid, bytea) from public;
grant execute on function ops.reopen_session(uuid, bytea) to cs_writer;

-- As before; a passkey that its record no longer lists as its person's is found no more, and its sessions end.
-- p_was, p_is: what the record conferred before and confers now, as [code, data]; null for nothing.
create or replace function ops.account_moved(p_person uuid, p_was jsonb, p_is jsonb) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare
  could boolean := coalesce((p_was -> 1 ->> 'verified')::boolean, p_was is not null and not p_was -> 1 ? 'verified');
  can boolean := coalesce((p_is -> 1 ->> 'verified')::boolean, p_is is not null and not p_is -> 1 ? 'verified');
  enrols boolean := p_is is not null and not can;
  gone text[] := array(
    select k from jsonb_object_keys(coalesce(p_was -> 1 -> 'passkeys', '{}') || coalesce(p_was -> 1 -> 'passkeys_waiting', '{}')) k
    where not coalesce(p_is -> 1 -> 'passkeys', '{}') ? k and not coalesce(p_is -> 1 -> 'passkeys_waiting', '{}') ? k);
begin
  -- It no longer acts, or everything opened until now was ended: no session of it lives on.
  if could and (not can or p_was -> 1 ->> 'since' is distinct from p_is -> 1 ->> 'since'
                or p_was -> 1 ->> 'key' is distinct from p_is -> 1 ->> 'key') then
    update ops.session s set ended_at = clock_timestamp(), ended_why = 'account_changed', period = null
      where s.person = p_person and s.ended_at is null;
  end if;
  -- A passkey was withdrawn: nothing is asked of it again.
  if p_is is not null and cardinality(gone) > 0 then
    update ops.credential c set revoked_at = clock_timestamp(), changed_at = clock_timestamp()
      where c.person = p_person and c.kind = 'passkey' and c.key_id = any(gone) and c.revoked_at is null;
    update ops.session s set ended_at = clock_timestamp(), ended_why = 'passkey_withdrawn', period = null
      where s.person = p_person and s.key_id = any(gone) and s.ended_at is null;
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
