-- Placement: whatever makes order lines, exactly those that came to exist are allocated or flagged.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('intake', 'UTC');
SET search_path = intake;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, lead_time) VALUES ('bolt', '5 days'), ('nut', NULL), ('oil', NULL), ('pin', NULL), ('rod', NULL);
CREATE VIEW line AS
	SELECT order_id, line_no AS no, item, location, quantity, allocated, backordered AS waiting, backordered_at_entry AS short, state, expected_basis AS basis
	FROM order_line_status;
CREATE VIEW sums AS SELECT item, location, on_hand, allocated, available, backordered FROM stock ORDER BY item, location;
SELECT order_id, quantity FROM receive('bolt', 10);
SELECT order_id, quantity FROM receive('nut', 2.5);

-- one line in stock: nothing is written beyond the line and the balance
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('a', 1, 'bolt', 4);
SELECT * FROM line WHERE order_id = 'a';
SELECT count(*) FROM journal;
-- partly, fractional, not at all; 'north' has none
INSERT INTO order_line (order_id, line_no, item, location, quantity) VALUES
	('b', 1, 'bolt', 'main', 7), ('b', 2, 'nut', 'main', 3.75), ('b', 3, 'oil', 'main', 0.001), ('b', 4, 'bolt', 'north', 1);
SELECT * FROM line WHERE order_id = 'b' ORDER BY no;
SELECT * FROM sums;
SELECT kind, cause, order_id, line_no, item, quantity, rules, reason, move_id FROM journal ORDER BY journal_id;
SELECT order_id, line_no, quantity, remaining, cause, priority, rules, outcome, closed_at FROM backorder ORDER BY backorder_id;

-- Within a statement lines are placed by entry time, then priority, then rank, then as they stand.
INSERT INTO priority_rule (name, condition, priority, head_start) VALUES ('gold', '$.customer == "gold"', 5, '0'), ('silver', '$.customer == "silver"', 0, '1 day');
SELECT order_id, quantity FROM receive('pin', 7);
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at, not_before, priority) VALUES
	('later', 1, 'pin', 2, 'gold', '2024-01-03', NULL, 99),
	('plain', 1, 'pin', 2, 'x', '2024-01-02', NULL, 0),
	('silver', 1, 'pin', 2, 'silver', '2024-01-02', NULL, 0),
	('gold', 1, 'pin', 2, 'gold', '2024-01-02', NULL, 0),
	('deferred', 1, 'pin', 2, 'x', '2024-01-01', '2024-01-04', 0),
	('phone', 1, 'pin', 2, 'x', '2024-01-02', NULL, 6),
	('plain', 2, 'pin', 2, 'x', '2024-01-02', NULL, 0);
SELECT order_id, no, allocated, waiting FROM line WHERE item = 'pin' ORDER BY waiting, allocated DESC, order_id, no;
-- the queue goes by rank alone, across entry times
SELECT order_id, line_no, remaining, priority, rules, position FROM open_backorder WHERE item = 'pin' ORDER BY position;
SELECT order_id, line_no, quantity FROM receive('pin', 5);
SELECT * FROM backorder.check_ledger('intake');

-- INSERT … SELECT, and one that finds nothing
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'c', n, 'bolt', n FROM generate_series(1, 3) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'none', n, 'bolt', n FROM generate_series(1, 0) AS n;
SELECT no, waiting FROM line WHERE order_id = 'c' ORDER BY no;

-- COPY
COPY order_line (order_id, line_no, item, quantity, attributes) FROM stdin;
d	1	bolt	2	{"copied": true}
d	2	rod	1.5	{}
\.
COPY order_line (order_id, line_no, item, quantity) FROM stdin;
\.
SELECT no, item, waiting, short FROM line WHERE order_id = 'd' ORDER BY no;

-- ON CONFLICT: only what came to exist is placed, what is updated is a change
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('d', 1, 'bolt', 100), ('d', 3, 'rod', 1) ON CONFLICT DO NOTHING;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('d', 1, 'bolt', 100) ON CONFLICT DO NOTHING;
SELECT no, quantity, waiting, short FROM line WHERE order_id = 'd' ORDER BY no;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('d', 1, 'bolt', 5), ('d', 4, 'rod', 1)
	ON CONFLICT (order_id, line_no) DO UPDATE SET quantity = excluded.quantity;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('d', 1, 'bolt', 4)
	ON CONFLICT (order_id, line_no) DO UPDATE SET quantity = excluded.quantity;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('d', 1, 'bolt', 77)
	ON CONFLICT (order_id, line_no) DO UPDATE SET quantity = excluded.quantity WHERE false;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('d', 5, 'rod', 1)
	ON CONFLICT (order_id, line_no) DO UPDATE SET quantity = excluded.quantity;
SELECT no, quantity, waiting, short FROM line WHERE order_id = 'd' ORDER BY no;
SELECT entered_quantity FROM order_line WHERE order_id = 'd' AND line_no = 1;
SELECT kind, cause, quantity FROM journal WHERE order_id = 'd' AND line_no = 1 ORDER BY journal_id;

-- MERGE: insert, update, delete, nothing
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('e', 1, 'rod', 3, 'infinity'), ('e', 2, 'rod', 3, NULL), ('e', 3, 'rod', 3, NULL);
MERGE INTO order_line AS l
	USING (VALUES ('e', 1, 0), ('e', 2, 5), ('e', 3, 3), ('e', 4, 6)) AS w (order_id, line_no, quantity)
	ON l.order_id = w.order_id AND l.line_no = w.line_no
	WHEN MATCHED AND w.quantity = 0 THEN DELETE
	WHEN MATCHED AND w.quantity = l.quantity THEN DO NOTHING
	WHEN MATCHED THEN UPDATE SET quantity = w.quantity
	WHEN NOT MATCHED THEN INSERT (order_id, line_no, item, quantity) VALUES (w.order_id, w.line_no, 'rod', w.quantity);
SELECT no, quantity, waiting, short FROM line WHERE order_id = 'e' ORDER BY no;
MERGE INTO order_line AS l USING (SELECT WHERE false) AS w ON false
	WHEN NOT MATCHED THEN INSERT (order_id, line_no, item, quantity) VALUES ('e', 9, 'rod', 9);
MERGE INTO order_line AS l USING (VALUES (2)) AS w (line_no) ON l.order_id = 'e' AND l.line_no = w.line_no
	WHEN MATCHED THEN UPDATE SET cancelled = 5;
SELECT no, quantity, waiting, state FROM line WHERE order_id = 'e' ORDER BY no;
SELECT * FROM backorder.check_ledger('intake');

-- Writable CTEs: several inserts and updates of one table in one statement, some of them empty
WITH one AS (INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('f', 1, 'oil', 1) RETURNING order_id),
	two AS (INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'f', 2, 'oil', 2 RETURNING order_id),
	three AS (INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'f', 3, 'oil', 3 WHERE false RETURNING order_id)
SELECT count(*) FROM (SELECT FROM one UNION ALL SELECT FROM two UNION ALL SELECT FROM three) AS made;
WITH made AS (INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('g', 1, 'oil', 1) RETURNING order_id, line_no),
	changed AS (UPDATE order_line SET cancelled = quantity WHERE order_id = 'f' RETURNING order_id),
	gone AS (DELETE FROM order_line WHERE order_id = 'nobody' RETURNING order_id),
	came AS (INSERT INTO stock_move (item, quantity) VALUES ('oil', 1.5) RETURNING item)
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'g', 2, 'oil', 1;
SELECT order_id, no, quantity, allocated, waiting, state FROM line WHERE item = 'oil' ORDER BY order_id, no;
SELECT * FROM sums WHERE item = 'oil';
WITH none AS (INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'h', 1, 'oil', 1 WHERE false)
UPDATE order_line SET priority = 1 WHERE order_id = 'g';
SELECT order_id, line_no, priority FROM open_backorder WHERE item = 'oil' ORDER BY position;
-- a line made and changed twice by one statement is PostgreSQL's error, and leaves nothing behind
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('i', 1, 'oil', 1), ('i', 1, 'oil', 2) ON CONFLICT (order_id, line_no) DO UPDATE SET quantity = 3;
\set VERBOSITY default
SELECT * FROM backorder.check_ledger('intake');

-- Defaults, and statements of several transactions
BEGIN;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('j', 1, 'rod', 1);
SAVEPOINT a;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('j', 2, 'rod', 1);
ROLLBACK TO a;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('j', 3, 'rod', 1);
COMMIT;
SELECT no, waiting, short FROM line WHERE order_id = 'j' ORDER BY no;

-- The answer in the same round trip: the view is writable.
SELECT order_id, quantity FROM receive('rod', 30);
INSERT INTO order_line_status (order_id, line_no, item, quantity, placed_at) VALUES ('k', 1, 'bolt', 2, '2024-03-01'), ('k', 2, 'rod', 1, '2024-03-01'), ('k', 3, 'rod', 100, '2024-03-01')
	RETURNING order_id, line_no, location, quantity, placed_at, entered_at, priority, demand_class, allocated, backordered, backordered_at_entry, state, expected_at, expected_basis;
INSERT INTO order_line_status (order_id, line_no, item, quantity, not_before, attributes) VALUES ('k', 4, 'rod', 1, 'infinity', '{"a": 1}')
	RETURNING allocated, backordered, state, on_hold, entered_at, attributes, expected_at, expected_basis;
-- what an ORM saves: the whole row with stale engine columns; they are ignored
INSERT INTO order_line_status (order_id, line_no, item, location, quantity, customer, attributes, unit_price, required_by, placed_at, not_before, priority, on_short, demand_class, firm, cancelled,
	cancel_reason, backordered_at_entry, entered_quantity, entered_at, on_hold, shipped, allocated, backordered, state, expected_at, expected_basis)
	VALUES ('k', 5, 'bolt', 'main', 2, NULL, '{}', NULL, NULL, '2024-03-02', NULL, 0, NULL, 'regular', 7, 7, 'x', 7, 7, now(), true, 7, 7, 7, 'shipped', now(), 'x')
	RETURNING firm, cancelled, cancel_reason, backordered_at_entry, entered_quantity, entered_at, on_hold, shipped, allocated, backordered, state, expected_at, expected_basis;
SELECT order_id, quantity FROM receive('bolt', 100);
UPDATE order_line_status SET location = 'main', customer = 'ann', quantity = 2, allocated = 0, backordered = 2, backordered_at_entry = 2, state = 'backordered', shipped = 0, on_hold = false, entered_quantity = 9
	WHERE order_id = 'k' AND line_no = 5 RETURNING customer, quantity, allocated, backordered, backordered_at_entry, entered_quantity, state;
-- saved unchanged
UPDATE order_line_status SET quantity = quantity, allocated = 0 WHERE order_id = 'k' AND line_no = 5 RETURNING customer, allocated, backordered;
-- several lines, a change for each
UPDATE order_line_status SET quantity = quantity + 1 WHERE order_id = 'k' AND line_no <> 4 RETURNING line_no, quantity, entered_quantity, allocated, backordered, state;
-- the cancelled quantity is the application's to raise, by cancel() or on order_line; here it is ignored like the rest
UPDATE order_line_status SET cancelled = 1 WHERE order_id = 'k' AND line_no = 5 RETURNING cancelled, allocated;
UPDATE order_line_status SET not_before = 'infinity' WHERE order_id = 'k' AND line_no = 5 RETURNING state, allocated;
UPDATE order_line_status SET not_before = NULL WHERE order_id = 'k' AND line_no = 5 RETURNING state, allocated;
UPDATE order_line_status SET quantity = 1 WHERE order_id = 'nobody' RETURNING order_id;
DELETE FROM order_line_status WHERE order_id = 'k' AND line_no = 4 RETURNING order_id, line_no, state;
DELETE FROM order_line_status WHERE order_id = 'nobody' RETURNING order_id;
\set VERBOSITY terse
DELETE FROM order_line_status WHERE order_id = 'k' AND line_no = 5;
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('k', 5, 'bolt', 1);
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('k', 6, 'screw', 1);
INSERT INTO order_line_status (order_id, line_no, quantity) VALUES ('k', 6, 1);
UPDATE order_line_status SET order_id = 'kk' WHERE order_id = 'k';
-- into the view, ON CONFLICT is not for PostgreSQL to find
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('k', 5, 'bolt', 1) ON CONFLICT (order_id, line_no) DO NOTHING;
\set VERBOSITY default
WITH made AS (INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('l', 1, 'bolt', 1) RETURNING allocated)
SELECT allocated FROM made;
SELECT * FROM backorder.check_ledger('intake');

-- A whole order in one statement
SELECT order_id, quantity FROM receive('nut', 20);
SELECT order_id, line_no, item, location, quantity, customer, attributes, unit_price, required_by, placed_at, not_before, priority, on_short, demand_class, allocated, backordered, state
FROM place_order('m', '[
	{"item": "nut", "quantity": 2},
	{"item": "nut", "quantity": 1.5, "location": "north", "unit_price": 9.99, "attributes": {"tier": "gold"}, "priority": 3, "required_by": "2024-06-01", "on_short": "backorder"},
	{"item": "nut", "quantity": 1, "line_no": 10, "not_before": "infinity"}]',
	customer => 'ann', attributes => '{"channel": "web", "tier": "none"}', placed_at => '2024-05-01', required_by => '2024-05-20', demand_class => 'preorder');
SELECT line_no, allocated FROM place_order('m2', '[]');
\set VERBOSITY terse
SELECT line_no, allocated FROM place_order('m', '[{"item": "nut", "quantity": 1}]');
SELECT line_no, allocated FROM place_order('m3', '{"item": "nut", "quantity": 1}');
SELECT line_no, allocated FROM place_order('m3', '[{"item": "nut"}]');
SELECT line_no, allocated FROM place_order('m3', '[{"quantity": 1}]');
SELECT line_no, allocated FROM place_order('m3', '[{"item": "nut", "quantity": 1}, {"item": "gone", "quantity": 1}]');
SELECT line_no, allocated FROM place_order(NULL, '[{"item": "nut", "quantity": 1}]');
\set VERBOSITY default
SELECT count(*) FROM order_line WHERE order_id = 'm3';
-- what JSON writers put for "not given"
SELECT line_no, location, attributes, priority, on_short, allocated FROM place_order('m4', '[{"item": "nut", "quantity": "1", "line_no": null, "location": null, "attributes": null, "unit_price": null, "required_by": null, "not_before": null, "priority": null, "on_short": null}]', attributes => NULL);

-- Many items and slots: the sums stay right whatever the number of parts
SET backorder.max_slots = 3;
INSERT INTO item (item) SELECT 'part ' || n FROM generate_series(1, 300) AS n;
INSERT INTO stock_move (item, quantity) SELECT 'part ' || n, n % 50 FROM generate_series(1, 300) AS n WHERE n % 50 > 0;
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'bulk ' || o, n, 'part ' || n, 1 + n % 20 FROM generate_series(1, 3) AS o, generate_series(1, 300) AS n;
RESET backorder.max_slots;
SELECT count(*), sum(backordered_at_entry) FROM order_line WHERE order_id LIKE 'bulk%';
-- 3 orders of (1 + n % 20) each against n % 50
SELECT sum(greatest(0, 3 * (1 + n % 20) - n % 50)) FROM generate_series(1, 300) AS n;
SELECT * FROM backorder.check_ledger('intake');

SET client_min_messages = warning;
DROP SCHEMA intake CASCADE;
