-- An order as its customer sees it.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('tracking', 'UTC');
SET search_path = tracking;
INSERT INTO item (item, lead_time) VALUES ('lamp', NULL), ('desk', '10 days'), ('sofa', NULL);
INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days, silence_days, answer_days, auto_cancel) VALUES ('p', 'x', '1 == 1', 3000, 30, 30, true);
INSERT INTO inbound (item, quantity, expected_at, reference) VALUES ('lamp', 4, '2099-03-10', 'PO 1'), ('lamp', 4, '2099-04-10', 'PO 2');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('lamp', 3, '2026-01-01'), ('desk', 1, '2026-01-01');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES ('0', 1, 'lamp', 2, 'bob', '2026-01-02'), ('0', 2, 'lamp', 3, 'bob', '2026-01-03');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES
	('1', 1, 'lamp', 5, 'ann', '2026-01-04'), ('1', 2, 'desk', 1, 'ann', '2026-01-04'), ('1', 3, 'sofa', 1, 'ann', '2026-01-04'), ('1', 4, 'sofa', 1, 'ann', '2026-01-05');
CREATE FUNCTION track(id text) RETURNS TABLE (no bigint, item text, state text, shipped numeric, cancelled numeric, place bigint, expected date, basis text, promised date, first date, may text[]) LANGUAGE sql AS
	'SELECT line_no, item, state, shipped, cancelled, place, expected_at::date, expected_basis, promised_at::date, first_promised_at::date, may FROM tracking.order_tracking($1)';
SELECT * FROM track('1');
SELECT line_no, due_at, last_shipped_at FROM order_tracking('1') WHERE line_no = 2;
SELECT line_no, c ->> 'what' AS what, c ->> 'quantity' AS quantity, c ->> 'date' AS date, c ->> 'former_date' AS former FROM order_tracking('1'), jsonb_array_elements(changes) AS c;
SELECT * FROM track('2');
-- a purchase order slips, part is shipped, the customer ahead gives up: the expected date moves at once
UPDATE inbound SET expected_at = '2099-06-01' WHERE reference = 'PO 2';
SELECT count(*) FROM ship('1', 2);
SELECT count(*) FROM cancel('0');
SELECT count(*) FROM cancel('1', 4, reason => 'enough');
SELECT * FROM track('1');
SELECT line_no, last_shipped_at IS NOT NULL AS left FROM order_tracking('1') WHERE line_no = 2;
SELECT line_no, c ->> 'what' AS what, c ->> 'quantity' AS quantity, c ->> 'date' AS date, c ->> 'former_date' AS former, c ->> 'reason' AS reason FROM order_tracking('1'), jsonb_array_elements(changes) AS c;
-- the promised date lies behind the date that was stated: the customer must be asked
SELECT order_id, line_no, notice, consent, expected_at, send_by FROM notices_due('2026-02-01');
-- a notice waits for an answer
SELECT record_notice('1', 1, revised_at => '2130-01-01');
SELECT no, may FROM track('1');
SELECT record_consent('1', 1, given_at => now() + interval '1 second');
SELECT no, may FROM track('1');
-- a stated date is the due date
SELECT order_id, line_no, stated_at FROM legal_clock ORDER BY order_id, line_no;
SELECT order_id, line_no, notice, consent, expected_at FROM notices_due('2026-02-01');
SELECT * FROM backorder.check_ledger('tracking');

SET client_min_messages = warning;
DROP SCHEMA tracking CASCADE;
