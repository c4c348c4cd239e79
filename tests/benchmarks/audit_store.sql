-- A year of history for the benchmark, one statement a paragraph. {often} is of each row n a number below 1000 that looks thrown.

INSERT INTO owners (id, address) SELECT n + 100, 'owner' || lpad(n::text, 4, '0') || '@corp.example'
  FROM generate_series(1, :calendars) AS n;

INSERT INTO calendars (id, owner_id, folder, kind, connection_id, added_at)
  SELECT n, n + 100, '', 'default', 1, :first FROM generate_series(1, :calendars) AS n;

INSERT INTO runs (id, flow, trigger, actor_id, status, reason, started_at, finished_at, counts, code_version, schema_version)
  SELECT n, 'harvest_busy_time', 'schedule', 1,
    CASE WHEN {often} = 7 THEN 'failed' WHEN {often} < 100 THEN 'completed_with_failures' ELSE 'completed' END,
    CASE WHEN {often} = 7 THEN 'server_unreachable' END, started, started + interval '40 seconds',
    json_build_object('opened', n % 7, 'closed', n % 7, 'failed', 0), '1', '1'
  FROM (SELECT n, :first + (n - 1) * interval '300 seconds' AS started FROM generate_series(1, :harvests) AS n) AS them;

INSERT INTO steps (run_id, step, target, attempt, outcome, duration_ms, calendars, finished_at)
  SELECT id, 'read_availability', batch::text, 1, CASE WHEN (id + batch) % 500 = 0 THEN 'failed' ELSE 'applied' END,
    500 + (id * 31 + batch * 17) % 900, 100, started_at + batch * interval '2 seconds'
  FROM runs, generate_series(1, 20) AS batch WHERE started_at > :now - interval '90 days';

-- An appointment is seen 1 to 42 days before it begins; three of ten are moved or cancelled until then.
INSERT INTO busy_intervals (calendar_id, starts_at, ends_at, status, count, opened_run_id, valid_from, closed_run_id, valid_to)
  SELECT calendar, starts, starts + interval '30 minutes' * (1 + n % 4), (ARRAY['busy', 'tentative', 'out_of_office'])[1 + n % 3],
    1, ceil(extract(epoch FROM opened - :first) / 300) + 1, opened,
    CASE WHEN closed < :now THEN ceil(extract(epoch FROM closed - :first) / 300) + 1 END, CASE WHEN closed < :now THEN closed END
  FROM (
    SELECT *, greatest(starts - interval '1 hour' * (24 + {often}), :first) AS opened,
      CASE WHEN n % 10 < 3 THEN greatest(starts - interval '1 hour' * (24 + {often}), :first) + interval '20 hours' END AS closed
    FROM (
      SELECT calendar, n, :first + interval '15 minutes' * (n * 42 + (calendar * 7 + n * 13) % 32) AS starts
      FROM generate_series(1, :calendars) AS calendar, generate_series(1, :intervals) AS n
    ) AS them
  ) AS seen WHERE opened < :now ORDER BY opened;

-- Known for days, then unknown for an hour: odd episodes are covered.
INSERT INTO coverage (calendar_id, starts_at, ends_at, state, reason, as_of, failures, opened_run_id, valid_from,
    closed_run_id, valid_to)
  SELECT calendar, date_trunc('day', closed, 'UTC') - interval '1 day', date_trunc('day', closed, 'UTC') + interval '60 days',
    CASE WHEN n % 2 = 1 THEN 'covered' ELSE 'unknown' END,
    CASE WHEN n % 2 = 0 THEN (ARRAY['no_access', 'timed_out', 'server_busy'])[1 + calendar % 3] END,
    closed - interval '5 minutes', 0, ceil(extract(epoch FROM opened - :first) / 300) + 1, opened,
    CASE WHEN closed < :now THEN ceil(extract(epoch FROM closed - :first) / 300) + 1 END, CASE WHEN closed < :now THEN closed END
  FROM (
    SELECT calendar, n,
      :first + (n / 2) * length - (1 - n % 2) * interval '1 hour' + least(n - 1, 1) * calendar * interval '1 minute' AS opened,
      least(:first + ((n + 1) / 2) * length - (n % 2) * interval '1 hour' + calendar * interval '1 minute', :now) AS closed
    FROM generate_series(1, :calendars) AS calendar, generate_series(1, :episodes) AS n,
      LATERAL (SELECT interval '365 days' / (:episodes / 2) AS length) AS it
  ) AS them WHERE opened < closed ORDER BY opened;

INSERT INTO permissions (connection_id, calendar_id, need, required, observed, evidence, verdict, reason, opened_run_id,
    valid_from, closed_run_id, valid_to)
  SELECT 1, calendar, need, 'Editor', 'Editor', 'folder_rights', CASE WHEN n % 2 = 1 THEN 'granted' ELSE 'missing' END,
    CASE WHEN n % 2 = 0 THEN 'no_access' END, 1, opened,
    CASE WHEN n < :verdicts - calendar % 2 THEN 1 END,
    CASE WHEN n < :verdicts - calendar % 2 THEN opened + interval '80 days' END
  FROM (
    SELECT calendar, n, :first + (n - 1) * interval '80 days' + calendar * interval '1 minute' AS opened
    FROM generate_series(1, :calendars) AS calendar, generate_series(1, :verdicts) AS n
  ) AS them, (VALUES ('read'), ('write')) AS needs (need) WHERE n <= :verdicts - calendar % 2;

INSERT INTO bookings (booking_key, page, starts_at, ends_at, title, state, revision, booked_at, checked_at)
  SELECT 'BK-' || n, 'intro-call', booked + interval '10 days', booked + interval '10 days 30 minutes', 'Intro call', 'scheduled',
    1, booked, booked
  FROM (SELECT n, :first + n * (interval '365 days' / :bookings) AS booked FROM generate_series(1, :bookings) AS n) AS them;

INSERT INTO entries (booking_key, calendar_id, state, revision, starts_at, ends_at, verified_at, updated_at, item_id)
  SELECT 'BK-' || n, 1 + (n * 2 + side) % :calendars,
    CASE WHEN {often} < 5 THEN 'moved_by_owner' WHEN {often} < 8 THEN 'conflict' ELSE 'present' END, 1,
    booked + interval '10 days', booked + interval '10 days 30 minutes', booked + interval '1 hour', booked + interval '1 hour', 'x'
  FROM (SELECT n, :first + n * (interval '365 days' / :bookings) AS booked FROM generate_series(1, :bookings) AS n) AS them,
    generate_series(0, 1) AS side;

INSERT INTO changes (run_id, entry_id, attempt_id, booking_key, calendar_id, change, revision, starts_at, ends_at, outcome,
    intended_at, finished_at)
  SELECT ceil(extract(epoch FROM updated_at - :first) / 300), id, 'attempt-' || id, booking_key, calendar_id, 'create', 1,
    starts_at, ends_at, CASE WHEN state = 'conflict' THEN 'conflict' ELSE 'applied' END,
    updated_at - interval '1 hour' + interval '4 minutes', updated_at - interval '1 hour' + interval '4 minutes 2 seconds'
  FROM entries WHERE updated_at < :now ORDER BY updated_at;

INSERT INTO logons (owner_id, credential_version, run_id, by, actor_id, at, answer, answered_at, reason)
  SELECT 2, 1, id, 'machine', 1, started_at, CASE WHEN id % 5000 = 0 THEN 'refused' ELSE 'accepted' END, started_at,
    CASE WHEN id % 5000 = 0 THEN 'logon_refused' END FROM runs;

INSERT INTO credentials (connection_id, version, created_at, retired_at, actor_id)
  SELECT 1, n, :first + n * interval '60 days', CASE WHEN n < 6 THEN :first + (n + 1) * interval '60 days' END, 1
  FROM generate_series(1, 6) AS n;

INSERT INTO requests (kind, connection_id, actor_id, asked_at, taken_run_id, done_at)
  SELECT 'resync', 1, 1, :first + n * interval '40 hours', n * 480, :first + n * interval '40 hours' FROM generate_series(1, 200) AS n;

INSERT INTO events (tag, at, actor_id, details, previous_hmac, hmac)
  SELECT 'person:roster:imported', :first + n * interval '100 minutes', 1, '{}', 'h' || (n - 1), 'h' || n
  FROM generate_series(1, 5000) AS n
