-- Promise dates: at entry, moved by supply and by hand, expected now, and for an order not yet placed.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
\pset null NULL
SELECT backorder.create_ledger('vow', 'UTC');
SET search_path = vow;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, lead_time, promise_tolerance) VALUES ('lamp', '30 days', '0'), ('bulb', NULL, '2 days'), ('rope', '30 days', '0');
CREATE VIEW told AS
SELECT b.order_id AS o, b.remaining AS waits, b.promised_at::date AS promised, b.promise_basis AS basis, b.first_promised_at::date AS first
FROM backorder AS b WHERE b.closed_at IS NULL ORDER BY b.item, b.location, b.priority DESC, b.rank_at, b.backorder_id;
CREATE VIEW moves AS
SELECT j.order_id AS o, j.cause, j.former_promised_at::date AS former, j.promised_at::date AS promised, j.promise_basis AS basis
FROM journal AS j WHERE j.kind = 'promised' ORDER BY j.journal_id;

-- nothing on its way: an estimate from the entry on, or nothing
INSERT INTO order_line_status (order_id, line_no, item, quantity, placed_at)
VALUES ('n1', 1, 'lamp', 2, '2090-01-01'), ('n2', 1, 'bulb', 2, '2090-01-01')
RETURNING order_id, backordered, expected_at, expected_basis, first_promised_at;
SELECT order_id, kind, promised_at, promise_basis, former_promised_at FROM journal ORDER BY journal_id;
SELECT sum(cancelled) FROM cancel('n1');
SELECT sum(cancelled) FROM cancel('n2');

-- known defect: the first shipment's date for everybody. Ten come first, ten later; each order has the date of what covers it.
INSERT INTO inbound (item, quantity, expected_at) VALUES ('lamp', 10, '2100-01-10'), ('lamp', 10, '2100-02-10'), ('lamp', 99, NULL), ('lamp', 5, '2100-03-10');
INSERT INTO inbound (item, location, quantity, expected_at) VALUES ('lamp', 'north', 100, '2100-01-01');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at)
SELECT 'o' || n, 1, 'lamp', 4, '2090-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, 7) AS n;
SELECT * FROM told;
SELECT position, order_id, quantity, inbound_id, expected_at::date, expected_basis FROM promise_schedule('lamp', 'main');
-- order by order, it is the same as all in one statement, in any order of the rows
BEGIN;
SELECT sum(c.cancelled) FROM order_line AS l, LATERAL cancel(l.order_id) AS c WHERE l.order_id LIKE 'o%';
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at)
SELECT 'p' || n, 1, 'lamp', 4, '2090-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(7, 1, -1) AS n;
SELECT * FROM told;
ROLLBACK;

-- somebody urgent goes before them: his date at once, theirs when refreshed
INSERT INTO order_line_status (order_id, line_no, item, quantity, priority, placed_at) VALUES ('vip', 1, 'lamp', 3, 5, '2090-02-01')
RETURNING order_id, expected_at::date, expected_basis;
SELECT order_id, position, expected_at::date, expected_basis, promised_at::date, promise_basis, days_late FROM open_backorder WHERE item = 'lamp' ORDER BY position;
SELECT count(*) FROM moves;
SELECT refresh_promises('bulb'), refresh_promises('lamp', 'north');
SELECT refresh_promises('lamp');
SELECT refresh_promises();
SELECT * FROM told;
SELECT * FROM moves;

-- a middle place, found from the front and from the end
INSERT INTO order_line_status (order_id, line_no, item, quantity, placed_at) VALUES ('mid', 1, 'lamp', 1, '2090-01-01 01:30')
RETURNING order_id, expected_at::date, expected_basis;
SELECT sum(cancelled) FROM cancel('mid');

-- known defect: a supplier's new date reaches every order. Later, sooner, less, cancelled; the first promise stays.
UPDATE inbound SET expected_at = '2100-01-20' WHERE expected_at = '2100-01-10';
SELECT * FROM told;
UPDATE inbound SET quantity = 30 WHERE expected_at = '2100-02-10';
SELECT * FROM told;
UPDATE inbound SET cancelled = 30 WHERE expected_at = '2100-02-10';
SELECT * FROM told;
UPDATE inbound SET cancelled = 0, quantity = 12 WHERE expected_at = '2100-02-10';
-- nothing of it changes anything elsewhere
UPDATE inbound SET expected_at = '2100-12-01' WHERE location = 'north';
UPDATE inbound SET supplier = 'Lumen', reference = 'PO-1' WHERE item = 'lamp';
SELECT count(*), max(o), max(promised) FROM moves WHERE promised >= '2100-12-01';
SELECT order_id, promised_at, promise_basis, former_promised_at FROM journal WHERE order_id = 'o3' AND promised_at IS NOT NULL ORDER BY journal_id;
SELECT item, check_ledger.* FROM backorder.check_ledger('vow');

-- known defect: receipts and inbound. Partly, then the rest, then more than was expected.
SELECT inbound_id AS first FROM inbound WHERE expected_at = '2100-01-20' \gset
SELECT inbound_id AS second FROM inbound WHERE expected_at = '2100-02-10' \gset
SELECT count(*) AS moved FROM moves \gset
INSERT INTO stock_move (item, quantity, inbound_id, moved_at) VALUES ('lamp', 6, :first, '2100-01-19');
SELECT count(*) - :moved AS moved FROM moves;
SELECT * FROM told;
INSERT INTO stock_move (item, quantity, inbound_id, moved_at) VALUES ('lamp', 7, :first, '2100-01-21');
SELECT * FROM told;
SELECT o, cause, former, promised, basis FROM moves OFFSET :moved;
SELECT quantity, received FROM inbound WHERE inbound_id = :first;
-- the next row but one comes first
SELECT count(*) AS moved FROM moves \gset
INSERT INTO stock_move (item, quantity, inbound_id, moved_at) SELECT 'lamp', 2, max(inbound_id) FILTER (WHERE expected_at = '2100-03-10'), '2100-01-22' FROM inbound;
SELECT o, cause, former, promised, basis FROM moves OFFSET :moved;
SELECT * FROM told;
SELECT order_id, expected_at = promised_at AS same, expected_basis = promise_basis AS basis FROM open_backorder WHERE item = 'lamp' ORDER BY position;
SELECT * FROM backorder.check_ledger('vow');

-- no lead time: not before the last that comes
INSERT INTO inbound (item, quantity, expected_at) VALUES ('bulb', 5, '2100-05-01');
INSERT INTO order_line_status (order_id, line_no, item, quantity, placed_at) VALUES ('b1', 1, 'bulb', 5, '2090-01-01'), ('b2', 1, 'bulb', 5, '2090-01-01')
RETURNING order_id, expected_at, expected_basis, first_promised_at;
-- within the tolerance nobody is told
UPDATE inbound SET expected_at = '2100-05-03' WHERE item = 'bulb';
SELECT * FROM told WHERE o IN ('b1', 'b2');
SELECT order_id, expected_at, promised_at FROM open_backorder WHERE item = 'bulb' ORDER BY position;
UPDATE inbound SET expected_at = '2100-05-03 00:00:01' WHERE item = 'bulb';
SELECT * FROM told WHERE o IN ('b1', 'b2');
-- the row goes: no date, and the first promise stays
DELETE FROM inbound WHERE item = 'bulb';
SELECT * FROM told WHERE o IN ('b1', 'b2');
SELECT order_id, expected_at, expected_basis, first_promised_at FROM order_line_status WHERE item = 'bulb' AND backordered > 0 ORDER BY 1;
-- and it comes back
INSERT INTO inbound (item, quantity, expected_at) VALUES ('bulb', 50, '2100-06-01');
SELECT * FROM told WHERE o IN ('b1', 'b2');

-- a line that waits several times shows the latest of its dates
UPDATE order_line SET quantity = 60 WHERE order_id = 'b1';
SELECT promised_at, promise_basis, remaining FROM backorder WHERE order_id = 'b1' ORDER BY backorder_id;
SELECT backordered, expected_at, expected_basis, first_promised_at FROM order_line_status WHERE order_id = 'b1';

-- stock that is given out by hand
UPDATE item SET auto_allocate = false WHERE item = 'rope';
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('r1', 1, 'rope', 3, '2090-01-01');
SELECT sum(quantity) FROM receive('rope', 4, moved_at => '2090-01-02');
INSERT INTO inbound (item, quantity, expected_at) VALUES ('rope', 5, '2100-01-01');
INSERT INTO order_line_status (order_id, line_no, item, quantity, placed_at) VALUES ('r2', 1, 'rope', 2, '2090-01-03') RETURNING allocated, backordered, expected_at, expected_basis;
SELECT order_id, quantity, inbound_id IS NOT NULL AS inbound, expected_at, expected_basis FROM promise_schedule('rope');
SELECT promised_at, promise_basis, allocated, backordered, units_ahead FROM promise_date('rope', 4, placed_at => '2090-01-04');

-- an order that is not placed: ranked by the rules, nothing written
INSERT INTO priority_rule (name, condition, priority) VALUES ('gold', '$.attributes.tier == "gold"', 9);
INSERT INTO priority_rule (name, condition, head_start) VALUES ('early', '$.customer == "ada" && $.value > 10 && $.demand_class == "regular"', '1 day');
SELECT promised_at, promise_basis, allocated, backordered, units_ahead, priority, rank_at, rules FROM promise_date('bulb', 1, placed_at => '2090-06-01');
SELECT promised_at, promise_basis, allocated, backordered, units_ahead, priority, rank_at, rules FROM promise_date('bulb', 1, attributes => '{"tier": "gold"}', placed_at => '2090-06-01');
SELECT units_ahead, priority, rank_at, rules FROM promise_date('bulb', 2, 'main', 'ada', unit_price => 6, placed_at => '2090-06-01', priority => 3);
SELECT promised_at, promise_basis, allocated, backordered FROM promise_date('lamp', 7, 'north', placed_at => '2090-06-01');
SELECT sum(quantity) FROM receive('lamp', 3, 'north');
SELECT promised_at, promise_basis, allocated, backordered FROM promise_date('lamp', 3, 'north', placed_at => '2090-06-01');
SELECT promised_at, promise_basis, allocated, backordered FROM promise_date('lamp', 7, 'north', placed_at => '2090-06-01');
-- the answer is what the order gets
SELECT d.promised_at = s.expected_at AS same, d.promise_basis, s.expected_basis, d.allocated, s.allocated AS got
FROM promise_date('lamp', 7, 'north', placed_at => '2090-06-01') AS d,
	place_order('same', '[{"item": "lamp", "quantity": 7, "location": "north"}]', placed_at => '2090-06-01') AS s;
-- what the rules see of it is what they see of a line
INSERT INTO order_line (order_id, line_no, item, quantity, customer, required_by, placed_at, attributes) VALUES ('seen', 1, 'bulb', 2, 'bob', '2091-01-01', '2090-07-01', '{"a": 1}');
INSERT INTO priority_rule (name, condition, priority)
SELECT 'field ' || key, format('$.%I == %s', key, CASE WHEN jsonb_typeof(value) IN ('object', 'array') THEN '0' ELSE value::text END)::jsonpath, 0
FROM rule_input, jsonb_each(line) WHERE order_id = 'seen' AND jsonb_typeof(value) <> 'object' AND key NOT IN ('order_id', 'line_no');
SELECT rules FROM promise_date('bulb', 2, customer => 'bob', required_by => '2091-01-01', placed_at => '2090-07-01', attributes => '{"a": 1}');

-- errors
\set VERBOSITY sqlstate
SELECT * FROM promise_date(NULL, 1);
SELECT * FROM promise_date('lamp', NULL);
SELECT * FROM promise_date('lamp', 0);
SELECT * FROM promise_date('lamp', 'NaN');
SELECT * FROM promise_date('lamp', 'Infinity');
SELECT * FROM promise_date('lamp', 1, placed_at => 'infinity');
SELECT * FROM promise_date('nothing', 1);
SELECT * FROM promise_date('lamp', 1, 'nowhere');
SELECT * FROM backorder.promise_schedule('pg_class', NULL, NULL);
SELECT * FROM backorder.promise_schedule(0, NULL, NULL);
\set VERBOSITY default
SELECT * FROM promise_schedule('nothing');
SELECT count(*) FROM backorder.promise_schedule(NULL, NULL, NULL);
SELECT backorder.expected_at('order_line', NULL, 'main', 1, 1, now());

-- whoever sees a part of the queue sees the right date of his own, and nothing of the others
RESET SESSION AUTHORIZATION;
GRANT USAGE ON SCHEMA vow TO clerk, stranger;
SET SESSION AUTHORIZATION merchant;
ALTER TABLE backorder ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON backorder FOR SELECT TO clerk USING (order_id IN ('o5', 'b2'));
GRANT SELECT ON backorder, order_line, item, open_backorder, order_line_status TO clerk;
SELECT order_id, position, expected_at, expected_basis FROM open_backorder WHERE order_id IN ('o5', 'b2') ORDER BY 1;
SET SESSION AUTHORIZATION clerk;
SELECT order_id, expected_at, expected_basis FROM vow.open_backorder ORDER BY 1;
SELECT position, order_id, quantity, inbound_id, expected_at, expected_basis FROM vow.promise_schedule();
SELECT backorder.expected_at('vow.order_line', 'lamp', 'main', b, 1, '2090-01-01') FROM generate_series(1, 8) AS b WHERE backorder.expected_at('vow.order_line', 'lamp', 'main', b, 1, '2090-01-01') IS NOT NULL;
SELECT promised_at, units_ahead FROM vow.promise_date('lamp', 1, placed_at => '2090-08-01');
\set VERBOSITY sqlstate
SELECT vow.refresh_promises();
SET SESSION AUTHORIZATION stranger;
SELECT * FROM vow.promise_schedule();
SELECT * FROM vow.promise_date('lamp', 1);
SELECT backorder.expected_at('vow.order_line', 'lamp', 'main', 1, 1, now());
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;

-- in parallel, and within a query that changes nothing while others do
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT count(*) FROM promise_schedule();
SELECT count(expected_at) FROM open_backorder;
SELECT promised_at, backordered FROM promise_date('bulb', 1, placed_at => '2090-06-01');
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');

-- was it kept? filled by then, late, cancelled before, and one that is not yet due
INSERT INTO item (item, lead_time) VALUES ('vase', '10 days');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES ('k1', 1, 'vase', 1, 'eve', '2024-01-01'), ('k2', 1, 'vase', 1, 'eve', '2024-01-02');
SELECT sum(quantity) FROM receive('vase', 1, moved_at => '2024-01-05');
SELECT sum(quantity) FROM receive('vase', 1, moved_at => '2024-01-30');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES ('k3', 1, 'vase', 1, 'eve', '2024-01-03'), ('k4', 1, 'vase', 1, 'eve', '2090-01-01');
SELECT order_id, first_promised_on, promises_due, promises_kept, last_promises_due, last_promises_kept, promises_made, promise_slip_days FROM backorder_fact WHERE item = 'vase' ORDER BY 1;
SELECT round(promise_kept_rate(item => 'vase'), 3) AS first, round(promise_kept_rate(item => 'vase', against => 'last'), 3) AS last,
	promise_kept_rate(item => 'vase', until => '2024-01-12') AS early, promise_kept_rate(item => 'vase', against => 'other') AS other, mean_promise_slip_days(item => 'vase') AS slip;
SELECT refresh_promises('vase');
SELECT order_id, promise_slip_days > 900 AS slipped FROM backorder_fact WHERE item = 'vase' ORDER BY 1;
SELECT promises_due, promises_kept, round(promise_kept_rate, 3) AS kept, promises_made, mean_promise_slip_days > 200 AS slip FROM kpi_by_item WHERE item = 'vase';
SELECT month, promises_due, promises_kept, last_promises_due, last_promises_kept FROM kpi_monthly WHERE promises_due > 0;

-- what somebody writes past the engine is found, and put right from the journal
SELECT * FROM backorder.check_ledger('vow');
BEGIN;
ALTER TABLE backorder DISABLE TRIGGER USER;
UPDATE backorder SET promised_at = '2111-01-01' WHERE order_id = 'o5';
UPDATE backorder SET first_promised_at = NULL WHERE order_id = 'o6';
UPDATE backorder SET promise_basis = 'stock' WHERE order_id = 'o7';
ALTER TABLE backorder ENABLE TRIGGER USER;
ALTER TABLE journal DISABLE TRIGGER USER;
UPDATE journal SET former_promised_at = NULL WHERE kind = 'promised' AND order_id = 'vip';
ALTER TABLE journal ENABLE TRIGGER USER;
SELECT invariant, order_id, actual FROM backorder.check_ledger('vow') ORDER BY 1, 2;
SELECT backorder.rebuild_ledger('vow');
SELECT invariant, order_id FROM backorder.check_ledger('vow') ORDER BY 1, 2;
ROLLBACK;
