-- The views of the present: stock, orders, the queue, what is short, and one line's story.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
\pset null NULL
SELECT backorder.create_ledger('present', 'UTC');
SET search_path = present;

-- nothing there: nothing shown, but every bucket
SELECT (SELECT count(*) FROM stock) AS stock, (SELECT count(*) FROM order_status) AS orders, (SELECT count(*) FROM open_backorder) AS waiting,
	(SELECT count(*) FROM shortage) AS short, (SELECT count(*) FROM ready_to_ship) AS ready, (SELECT count(*) FROM history) AS told;
SELECT * FROM backorder_aging;

INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, description, unit_price, lead_time) VALUES
	('kettle', 'Kettle, 1 l', 20, '10 days'), ('lid', NULL, NULL, NULL), ('mug', 'Mug', 3, '1 day'), ('spoon', NULL, NULL, NULL), ('tray', NULL, NULL, NULL);
INSERT INTO priority_rule (name, condition, priority, head_start) VALUES ('gold', '$.attributes.tier == "gold"', 0, '3 days'), ('staff', '$.customer == "staff"', -1, '0');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('kettle', 10, '2024-01-01'), ('mug', 6, '2024-01-01'), ('lid', 5, '2024-01-01');
INSERT INTO stock_move (item, location, quantity, moved_at) VALUES ('kettle', 'north', 1, '2024-01-01');
-- expected: 12 + 3 kettles on one day, 2 more that were meant to come in March never will, the rest without a date; trays, which nobody has had
INSERT INTO inbound (item, quantity, cancelled, expected_at) VALUES
	('kettle', 12, 0, '2024-05-01'), ('kettle', 5, 2, '2024-05-01'), ('kettle', 2, 2, '2024-03-01'), ('kettle', 7, 0, NULL), ('kettle', 30, 0, '2024-06-01'), ('tray', 4, 0, NULL);
INSERT INTO order_line (order_id, line_no, item, quantity, customer, attributes, unit_price, placed_at, not_before) VALUES
	('1', 1, 'kettle', 8, 'ann', '{}', NULL, '2024-02-01', NULL),
	('1', 2, 'mug', 4, 'ann', '{}', NULL, '2024-02-01', NULL),
	('2', 1, 'kettle', 5, 'bob', '{}', 18, '2024-02-02', NULL),
	('2', 2, 'mug', 1, 'bob', '{}', NULL, '2024-02-02', NULL),
	('3', 1, 'kettle', 4, 'cid', '{"tier": "gold"}', NULL, '2024-02-04', NULL),
	('4', 1, 'kettle', 2, 'staff', '{}', NULL, '2024-02-01 12:00', '2024-02-03'),
	('5', 1, 'lid', 5, 'ann', '{}', NULL, '2024-02-05', NULL),
	('5', 2, 'lid', 2, 'ann', '{}', NULL, '2024-02-05', NULL),
	('6', 1, 'mug', 1, NULL, '{}', NULL, '2024-02-06', 'infinity'),
	('6', 2, 'mug', 1, NULL, '{}', NULL, '2024-02-06', '2200-01-01'),
	('6', 3, 'lid', 1, NULL, '{}', NULL, '2024-02-06', '2200-01-01');
INSERT INTO order_line (order_id, line_no, item, location, quantity, customer, placed_at) VALUES ('7', 1, 'kettle', 'north', 3, 'bob', '2024-02-07');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('8', 1, 'mug', 1, '2024-02-08');
UPDATE order_line SET cancelled = 1 WHERE order_id = '8';

-- kettles at main: 8 for order 1, 2 of 5 for order 2; stock: trays are only expected
SELECT * FROM stock ORDER BY item, location;
SELECT * FROM stock WHERE item = 'kettle' AND location = 'north';

-- lines
SELECT order_id, line_no, quantity, allocated, backordered, state, expected_at, expected_basis FROM order_line_status ORDER BY order_id, line_no;
SELECT order_id, line_no, entered_at, on_hold FROM order_line_status WHERE order_id IN ('2', '6') ORDER BY order_id, line_no;

-- orders: 6 is on hold, 8 cancelled
SELECT order_id, customer, placed_at, lines, lines_on_hold AS on_hold, quantity, allocated, backordered, shipped, cancelled, ready, state, value FROM order_status ORDER BY order_id;

-- The queue.  Cid's head start of 3 days brings 4 February to 1 February, before bob; staff come last.
-- Bob's price is his line's: 3 x 18.
SELECT order_id, line_no, item, location, customer, quantity, filled, cancelled, remaining, value, priority, rank_at, rules, position, units_ahead, opened_at
FROM open_backorder ORDER BY item, location, position;
SELECT bool_and(age = now() - opened_at AND age_days = extract(epoch FROM age) / 86400) AS age FROM open_backorder;
-- one line of it, by order: still its place among all
SELECT order_id, position, units_ahead FROM open_backorder WHERE order_id = '2';

-- what is short: 9 kettles of three orders and customers; 3 x 18 + 6 x 20
SELECT item, description, location, units, value, backorders, orders, customers, oldest_opened_at, next_inbound_at, next_inbound_units, inbound_units
FROM shortage ORDER BY item, location;
SELECT bool_and(oldest_age_days = extract(epoch FROM now() - oldest_opened_at) / 86400) AS age FROM shortage;

-- What can be picked.  After a shipment the rest; what is complete goes away.
SELECT order_id, line_no, item, location, customer, allocated, backordered, firm, order_ready FROM ready_to_ship ORDER BY order_id, line_no;
UPDATE order_line SET firm = 3 WHERE order_id = '1' AND line_no = 1;
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES
	('shipment', '1', 1, 5, '2024-02-09'), ('shipment', '1', 2, 4, '2024-02-09'), ('shipment', '2', 1, 2, '2024-02-09');
SELECT order_id, line_no, item, location, customer, allocated, backordered, firm, order_ready FROM ready_to_ship ORDER BY order_id, line_no;
SELECT order_id, allocated, backordered, shipped, ready, state FROM order_status WHERE order_id < '3' ORDER BY order_id;
SELECT order_id, line_no, allocated, backordered, shipped, state, expected_basis FROM order_line_status WHERE order_id < '3' ORDER BY order_id, line_no;

-- One line's story.  Line 2/1: 2 of 5 in stock; 5 kettles come: cid's 4 first, so bob gets 1, later the last 2, of which he gives up 1.
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('kettle', 5, '2024-02-10');
UPDATE order_line SET cancelled = 1, cancel_reason = 'one will do' WHERE order_id = '2' AND line_no = 1;
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('kettle', 1, '2200-01-01');
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '5' AND line_no = 1;
UPDATE order_line SET not_before = NULL WHERE order_id = '6' AND line_no = 1;
UPDATE order_line SET quantity = 9 WHERE order_id = '1' AND line_no = 1;
SELECT line_no, step, CASE WHEN happened_at < '2025-01-01' OR happened_at > '2100-01-01' THEN happened_at::date::text ELSE 'now' END AS happened_on,
	event, quantity, kind, cause, backorder_id IS NOT NULL AS waiting, move_id IS NOT NULL AS by_move, reason
FROM history WHERE order_id = '2';
SELECT order_id, line_no, step, event, quantity, kind, cause FROM history WHERE order_id IN ('1', '3', '5', '6') ORDER BY order_id, line_no, step;
SELECT * FROM backorder.check_ledger('present');

-- Ages.  A bucket holds whole days of 24 hours.
SELECT backorder.empty_ledger('present');
INSERT INTO item (item, unit_price) VALUES ('cup', 2) ON CONFLICT DO NOTHING;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at)
SELECT age, 1, 'cup', 1, now() - age::interval
FROM unnest(ARRAY['0 days', '7 days', '7 days 23 hours', '8 days', '14 days', '15 days', '30 days 23:50', '31 days', '60 days 12:00', '61 days', '2000 days']) AS age;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('to come', 1, 'cup', 1, now() + '1 day');
SELECT * FROM backorder_aging;
SELECT order_id, age_days >= 0 AS not_negative, floor(age_days) AS days FROM open_backorder ORDER BY position;
SELECT sum(units) = (SELECT backordered FROM stock WHERE item = 'cup') AS all_in FROM backorder_aging;

-- Looking up one line takes nothing but index lookups, whatever the tables' size.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT allocated, backordered, state, expected_at FROM order_line_status WHERE order_id = '1' AND line_no = 1;
-- what is not asked for is not looked up
EXPLAIN (COSTS OFF) SELECT quantity, shipped FROM order_line_status WHERE order_id = '1' AND line_no = 1;
RESET enable_seqscan;
RESET enable_bitmapscan;
EXPLAIN (COSTS OFF) SELECT sum(units), sum(units_backordered), sum(lines) FROM line_fact;

-- Row security holds in views of rows.
GRANT USAGE ON SCHEMA present TO clerk;
GRANT SELECT ON order_line, backorder, item, order_line_status, order_status, open_backorder, ready_to_ship TO clerk;
UPDATE order_line SET customer = 'ann' WHERE order_id = '8 days';
ALTER TABLE order_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY ann ON order_line FOR SELECT TO clerk USING (customer = 'ann');
SET SESSION AUTHORIZATION clerk;
SELECT order_id, backordered FROM present.order_line_status;
SELECT order_id, backordered FROM present.order_status;
SELECT order_id, position, units_ahead FROM present.open_backorder;
\set VERBOSITY sqlstate
SELECT * FROM present.stock;
SELECT * FROM present.history;
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;
-- totals are the owner's: they may be shown to whoever has no business with the rows
GRANT SELECT ON stock, shortage, backorder_aging TO stranger;
GRANT USAGE ON SCHEMA present TO stranger;
SET SESSION AUTHORIZATION stranger;
SELECT item, backordered FROM present.stock;
SELECT item, units, backorders FROM present.shortage;
SELECT sum(units) AS units FROM present.backorder_aging;
SET SESSION AUTHORIZATION merchant;

SET client_min_messages = warning;
DROP SCHEMA present CASCADE;
