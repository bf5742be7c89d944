-- The clocks of late orders: when a line is due, notices and answers, what is cancelled, what is refunded.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'America/New_York';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('clocks', 'America/New_York');
SET search_path = clocks;
\set ECHO none
\getenv directory PG_ABS_SRCDIR
\set policies :directory '/../examples/delay_policies.sql'
\i :policies
\set ECHO all
INSERT INTO item (item, unit_price) VALUES ('lamp', 20), ('desk', 100);
CREATE VIEW due AS SELECT order_id, line_no AS no, policy, due_at AT TIME ZONE 'America/New_York' AS due_at, answer_by AT TIME ZONE 'America/New_York' AS answer_by,
	cancel_at AT TIME ZONE 'America/New_York' AS cancel_at, cancel_cause FROM legal_clock ORDER BY order_id, line_no;
CREATE FUNCTION placed(id text, country text, at timestamptz DEFAULT '2026-03-01 10:00-05') RETURNS void LANGUAGE sql
	AS 'INSERT INTO clocks.order_line (order_id, line_no, item, quantity, customer, placed_at, attributes)
		VALUES ($1, 1, ''lamp'', 2, ''ann'', $3, jsonb_build_object(''country'', $2))';
CREATE FUNCTION notices(as_of timestamptz) RETURNS TABLE (order_id text, policy text, send_by timestamp, notice text, consent text) LANGUAGE sql
	AS 'SELECT order_id, policy, send_by AT TIME ZONE ''America/New_York'', notice, consent FROM clocks.notices_due($1)';
CREATE FUNCTION cancels(as_of timestamptz) RETURNS TABLE (order_id text, quantity numeric, cancel_at timestamp, cause text) LANGUAGE sql
	AS 'SELECT order_id, quantity, cancel_at AT TIME ZONE ''America/New_York'', cause FROM clocks.auto_cancel_due($1)';

-- 30 days, until midnight in the ledger's time zone; whoever matches no policy has no clock
SELECT placed('1', 'US'), placed('2', 'DE'), placed('3', 'BR');
SELECT * FROM due;
SELECT policy, jurisdiction, runs_to, started_at, due_at, ship_by, refund_days FROM legal_due('1', 1);
SELECT policy, runs_to, due_at, ship_by, refund_days FROM legal_due('2', 1);
SELECT policy FROM legal_due('3', 1);
-- the clock starts when payment is complete, if one says so; infinity: not yet
UPDATE order_line SET clock_started_at = '2026-03-11 23:30-04' WHERE order_id = '1';
SELECT due_at FROM legal_due('1', 1);
UPDATE order_line SET clock_started_at = 'infinity' WHERE order_id = '1';
SELECT due_at FROM legal_due('1', 1);
UPDATE order_line SET clock_started_at = NULL WHERE order_id = '1';
-- a line on hold has none
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '1';
SELECT due_at FROM legal_due('1', 1);
UPDATE order_line SET not_before = NULL WHERE order_id = '1';
SELECT due_at FROM legal_due('1', 1);
-- the last day is a Sunday, or a holiday: in the EU the next working day is; in the US it is not
SELECT placed('4', 'DE', '2026-02-27 10:00-05'), placed('5', 'US', '2026-02-27 10:00-05');
SELECT order_id, due_at FROM due WHERE order_id IN ('4', '5');
UPDATE delay_policy SET calendar = 'bank' WHERE jurisdiction = 'EU';
INSERT INTO holiday (calendar, day) VALUES ('bank', '2026-03-30'), ('bank', '2026-03-31'), ('other', '2026-04-01');
SELECT order_id, due_at FROM due WHERE order_id = '4';
-- several match: precedence, then name; a policy holds for clocks that start while it is valid
INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days, precedence) VALUES ('our own', 'US', '$.attributes.country == "US"', 10, 1);
SELECT order_id, policy, due_at, cancel_at FROM due WHERE order_id = '1';
UPDATE delay_policy SET valid_from = '2026-03-02' WHERE name = 'our own';
SELECT order_id, policy, due_at FROM due WHERE order_id = '1';
DELETE FROM delay_policy WHERE name = 'our own';
\set VERBOSITY terse
INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days) VALUES ('x', 'US', '$.attributes.country', 10);
INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days) VALUES ('x', 'US', '$x == 1', 10);
UPDATE delay_policy SET condition = '$.quantity' WHERE jurisdiction = 'US';
INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days) VALUES ('x', 'US', 'true == true', -1);
INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days, weekend) VALUES ('x', 'US', '1 == 1', 1, '{1,2,3,4,5,6,7}');
\set VERBOSITY default
SELECT cancel('1'), cancel('2'), cancel('3'), cancel('4'), cancel('5');

-- A first delay of 30 days or less: silence is consent. Orders of March 1 are due until March 31.
SELECT placed('silent', 'US'), placed('silent, refused', 'US'), placed('silent, late', 'US');
SELECT * FROM notices('2026-03-25 12:00-04');
SELECT * FROM notices('2026-03-28 12:00-04');
SELECT record_notice('silent', 1, revised_at => '2026-04-20', sent_at => '2026-03-28 12:00-04', channel => 'e-mail', evidence => 'message 17');
SELECT record_notice('silent, refused', revised_at => '2026-04-20', sent_at => '2026-03-28 12:00-04');
SELECT record_consent('silent, refused', 1, 'refused', given_at => '2026-03-29', channel => 'portal');
SELECT record_notice('silent, late', revised_at => '2026-04-20', sent_at => '2026-04-01 00:00-04');
SELECT * FROM due WHERE order_id LIKE 'silent%';
SELECT * FROM notices('2026-03-29 12:00-04');
SELECT * FROM cancels('2026-03-31 23:59-04');
SELECT * FROM cancels('2026-04-01 00:00-04');
SELECT * FROM cancels('2026-04-22 00:00-04');
-- exactly 30 days, and 31
SELECT placed('30 days', 'US'), placed('31 days', 'US');
SELECT record_notice('30 days', revised_at => '2026-04-30 23:00-04', sent_at => '2026-03-20'), record_notice('31 days', revised_at => '2026-05-01 09:00-04', sent_at => '2026-03-20');
SELECT * FROM due WHERE order_id LIKE '3_ days';

-- A longer delay, or one without a date: express consent within 30 days of the due date, else cancelled
SELECT placed('long', 'US'), placed('long, accepted', 'US'), placed('long, accepted late', 'US'), placed('no date', 'US'), placed('no date, accepted', 'US');
SELECT record_notice(id, revised_at => '2026-06-15', sent_at => '2026-03-20') FROM unnest('{long,"long, accepted","long, accepted late"}'::text[]) AS id;
SELECT record_notice(id, sent_at => '2026-03-20') FROM unnest('{no date,"no date, accepted"}'::text[]) AS id;
SELECT order_id, due_at, answer_by, cancel_at, cancel_cause FROM due WHERE order_id ~ '^(long|no)';
SELECT record_consent('long, accepted', given_at => '2026-04-30 23:00-04'), record_consent('long, accepted late', given_at => '2026-05-01 00:00-04'), record_consent('no date, accepted', given_at => '2026-04-10');
SELECT order_id, due_at, answer_by, cancel_at, cancel_cause FROM due WHERE order_id ~ '^(long|no)';
SELECT order_id, kind, until, given_at FROM consent ORDER BY consent_id;
SELECT order_id, cause FROM cancels('2026-05-01 00:00-04') WHERE order_id ~ '^(long|no)';

-- A second delay: silence is not consent any more, and the answer must come before the old date is over
SELECT placed('second', 'US'), placed('second, accepted', 'US'), placed('second, accepted late', 'US'), placed('second, third', 'US');
SELECT record_notice(order_id, revised_at => '2026-04-10', sent_at => '2026-03-20'), record_notice(order_id, revised_at => '2026-04-20', sent_at => '2026-04-08') FROM order_line WHERE order_id LIKE 'second%' ORDER BY order_id;
SELECT order_id, due_at, cancel_at, cancel_cause FROM due WHERE order_id LIKE 'second%';
SELECT record_consent('second, accepted', given_at => '2026-04-10 12:00-04'), record_consent('second, accepted late', given_at => '2026-04-11 12:00-04'), record_consent('second, third', given_at => '2026-04-09');
SELECT record_notice('second, third', revised_at => '2026-05-05', sent_at => '2026-04-18');
SELECT record_consent('second, third', until => '2026-05-02', given_at => '2026-04-19');
SELECT order_id, due_at, cancel_at, cancel_cause FROM due WHERE order_id LIKE 'second%';
SELECT * FROM notices('2026-04-07 12:00-04') WHERE order_id LIKE 'second%';
SELECT * FROM notices('2026-04-30 12:00-04') WHERE order_id LIKE 'second%';
-- where a policy asks for no answer to a second notice, the notice moves the date
UPDATE delay_policy SET renewal_needs_consent = false WHERE jurisdiction = 'US';
SELECT order_id, due_at FROM due WHERE order_id LIKE 'second%';
UPDATE delay_policy SET renewal_needs_consent = true WHERE jurisdiction = 'US';

-- The EU: an additional period set by the consumer, no cancelling but by him
SELECT placed('eu', 'DE'), placed('eu, period', 'DE'), placed('eu, terminated', 'DE');
SELECT record_notice('eu, period', revised_at => '2026-04-10', sent_at => '2026-03-20');
SELECT order_id, due_at, cancel_at FROM due WHERE order_id LIKE 'eu%';
SELECT record_consent('eu, period', 1, 'additional period', '2026-04-14', given_at => '2026-04-02');
SELECT record_consent('eu, terminated', 1, 'refused', given_at => '2026-04-03');
SELECT order_id, due_at, cancel_at, cancel_cause FROM due WHERE order_id LIKE 'eu%';

-- Errors
\set VERBOSITY sqlstate
SELECT record_notice('gone');
SELECT record_notice('long', 7);
SELECT record_notice('long', kind => 'letter');
SELECT record_notice('long', kind => 'delivered', revised_at => '2026-01-01');
SELECT record_notice('long', revised_at => 'infinity');
SELECT record_consent('long', kind => 'additional period');
SELECT record_consent('long', kind => 'refused', until => '2026-01-01');
SELECT record_consent('30 days', kind => 'maybe');
SELECT record_consent('1');
SELECT record_consent('1', 1);
SELECT record_consent('long', given_at => NULL);
SELECT backorder.record_contact('item'::regclass, '1', 1, 'delay', NULL, now(), NULL, NULL);
\set VERBOSITY terse
SELECT placed('never told', 'US');
\set VERBOSITY terse
SELECT record_consent('never told');
INSERT INTO notice (order_id, line_no, kind, sent_at) VALUES ('long', 1, 'delay', now());
UPDATE consent SET until = 'infinity';
DELETE FROM notice;
DELETE FROM clock_run;
\set VERBOSITY default

-- run_clocks() cancels what must be, once, and what others have asked for meanwhile stays
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('lamp', 6, '2026-04-05');
SELECT order_id, allocated, backordered FROM order_line_status WHERE allocated > 0 ORDER BY order_id;
UPDATE order_line SET firm = 1 WHERE order_id = 'silent';
CALL run_clocks('2026-04-01 12:00-04');
SELECT order_id, cancelled, cancel_reason FROM order_line WHERE cancelled > 0 AND order_id NOT IN ('1', '2', '3', '4', '5') ORDER BY order_id;
CALL run_clocks('2026-04-01 12:00-04');
CALL run_clocks('2026-05-01 00:00-04');
SELECT order_id, cancelled, firm, cancel_reason FROM order_line WHERE cancelled > 0 AND order_id NOT IN ('1', '2', '3', '4', '5') ORDER BY order_id;
SELECT count(*) FROM journal WHERE cause = 'cancel';
CALL run_clocks('2026-05-01 00:00-04');
CALL run_clocks('2026-04-01');
SELECT count(*) FROM journal WHERE cause = 'cancel';
SELECT as_of, ran_at IS NOT NULL AS ran FROM clock_run;
SELECT order_id, allocated, backordered FROM order_line_status WHERE allocated + backordered > 0 ORDER BY order_id;
SELECT * FROM backorder.check_ledger('clocks');
CALL run_clocks(NULL);

-- Refunds: 7 working days, less holidays; none where the law gives no number
SELECT order_id, quantity, value, policy, refund_by - cancelled_at > '7 days' AS later FROM refunds_due('2026-05-02', now() - interval '1 hour') ORDER BY order_id;
SELECT record_notice('long', 1, 'refunded', evidence => 'transfer 4711', sent_at => clock_timestamp());
SELECT count(*) FROM refunds_due(since => now() - interval '1 hour') WHERE order_id = 'long';
INSERT INTO holiday SELECT 'US federal', day::date FROM generate_series(now() - interval '1 day', now() + interval '40 days', '1 day') AS day ON CONFLICT DO NOTHING;
SELECT order_id, refund_by - cancelled_at > '40 days' AS later FROM refunds_due(since => now() - interval '1 hour') WHERE order_id = 'second';

-- Without any policy: who refuses is cancelled all the same
SELECT placed('6', 'BR'), record_consent('6', kind => 'refused', given_at => '2026-05-02');
SELECT * FROM cancels('2026-05-01');
CALL run_clocks('2026-05-03');
SELECT cancelled, cancel_reason FROM order_line WHERE order_id = '6';
-- a clock past due without its journal row: as of the last run
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, attributes) VALUES ('7', 1, 'desk', 1, '2026-03-01', '{"country": "US"}');
SELECT invariant, order_id, expected, actual FROM backorder.check_ledger('clocks');
CALL run_clocks('2026-05-03');
SELECT invariant, order_id, expected, actual FROM backorder.check_ledger('clocks');
SELECT backorder.rebuild_ledger('clocks');
SELECT * FROM backorder.check_ledger('clocks');
SELECT backorder.empty_ledger('clocks');
SELECT (SELECT count(*) FROM notice), (SELECT count(*) FROM consent), (SELECT count(*) FROM clock_run), (SELECT count(*) FROM delay_policy);

SET client_min_messages = warning;
DROP SCHEMA clocks CASCADE;
