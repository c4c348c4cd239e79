-- Roles of busytime on PostgreSQL: who may do what in its database. docs/postgresql.md tells how they are used.
--
-- Run it in busytime's own database as the owner of its tables, at first and after each `busytime db upgrade`:
--   psql --set ON_ERROR_STOP=1 --file deployments/postgresql/roles.sql postgresql://busytime_owner@HOST/busytime
-- It takes effect as a whole, and what runs meanwhile goes on. The first time, the owner needs CREATEROLE, or somebody
-- who has it runs the first statement beforehand. No role can log on: logins are made members of them.

DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['busytime_worker', 'busytime_maintenance', 'busytime_reader', 'busytime_intake'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
    -- A maintenance is a run like any other, and removes what is old besides.
    IF NOT pg_has_role('busytime_maintenance', 'busytime_worker', 'MEMBER') THEN
        GRANT busytime_worker TO busytime_maintenance;
    END IF;
END $$;

BEGIN;

-- Whatever was granted to them before, by an older version of this file or by hand.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM busytime_worker, busytime_maintenance, busytime_reader, busytime_intake;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM busytime_worker, busytime_maintenance, busytime_reader, busytime_intake;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO busytime_worker, busytime_reader, busytime_intake;

-- Worker: all flows and commands but `db upgrade`, `maintain` and `forget`. It may drop, alter and truncate nothing.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO busytime_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO busytime_worker;

-- What was written once stays: events, steps and changes.
GRANT INSERT ON events, steps, changes TO busytime_worker;

-- What is written once, and ended once.
GRANT INSERT, UPDATE (status, reason, finished_at, counts) ON runs TO busytime_worker;
GRANT INSERT, UPDATE (answer, answered_at, reason, error_code) ON logons TO busytime_worker;
GRANT INSERT, UPDATE (taken_run_id, done_at) ON requests TO busytime_worker;
-- A retired secret is destroyed, and a rotation of the master key wraps the others anew.
GRANT INSERT, UPDATE (key_id, wrapped_key, ciphertext, retired_at) ON credentials TO busytime_worker;

-- History: rows are closed, never rewritten; of coverage, age and window of a current row move.
GRANT INSERT, UPDATE (closed_run_id, valid_to) ON permissions, busy_intervals TO busytime_worker;
GRANT INSERT, UPDATE (closed_run_id, valid_to, starts_at, ends_at, as_of, failures) ON coverage TO busytime_worker;

-- What stands as it is now. Keys, and what a row is about, stay.
GRANT INSERT, UPDATE (last_instant, audit_key_id, audit_key, restored_at, lives_at) ON installation TO busytime_worker;
-- No address is written over. A right to update something is what it takes to lock a row.
GRANT INSERT, UPDATE (name) ON owners TO busytime_worker;
GRANT INSERT, UPDATE (
    mode, ews_url, auth_type, ca_pem, opened_at, closed_at, breaker, breaker_changed_at, window_days, back_off_until,
    mailboxes_in_five_minutes, token_url
) ON connections TO busytime_worker;
GRANT INSERT, UPDATE (
    kind, folder_id, account_id, connection_id, pages, found_at, missing_since, added_at, retired_at
) ON calendars TO busytime_worker;
GRANT INSERT, UPDATE (
    name, time_zone, opens_minute, closes_minute, require_proof, allow_conflicts, owner_changes, recreate, added_at, retired_at
) ON booking_pages TO busytime_worker;
GRANT INSERT, UPDATE (retired_at) ON associated_calendars TO busytime_worker;
GRANT INSERT, UPDATE ON bookings, entries TO busytime_worker;
GRANT INSERT, UPDATE (looked_at, booking_id) ON looks TO busytime_worker;
GRANT INSERT, UPDATE (over_at, returns, concerned, told_at) ON alarms TO busytime_worker;
GRANT INSERT, UPDATE (word, told_at, times, concerned, claimed_at) ON tellings TO busytime_worker;

-- Who works now: rows come and go.
GRANT INSERT, UPDATE, DELETE ON locks, permits TO busytime_worker;

-- Maintenance: `maintain` and `forget`, besides all that a worker may.
GRANT DELETE ON permissions, busy_intervals, coverage, steps, events TO busytime_maintenance;
GRANT UPDATE (address, name) ON owners TO busytime_maintenance;

-- Reader: the views, and nothing else.
DO $$
DECLARE shown text;
BEGIN
    FOR shown IN SELECT viewname FROM pg_views WHERE schemaname = 'public' AND viewname LIKE 'audit\_%' LOOP
        EXECUTE format('GRANT SELECT ON public.%I TO busytime_reader', shown);
    END LOOP;
END $$;

-- Intake: rows into `bookings`, of the columns that are a guest's. It reads nothing, not even what it wrote.
GRANT INSERT (
    booking_key, page, starts_at, ends_at, title, location, body, guests, state, revision, booked_at
) ON bookings TO busytime_intake;
GRANT USAGE ON SEQUENCE bookings_id_seq TO busytime_intake;

COMMIT;
