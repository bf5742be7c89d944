-- The figures, on a history small enough to be worked out by hand.  The ledger
-- keeps New York's calendar, the session another.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
\pset null NULL
SELECT backorder.create_ledger('figures', 'America/New_York');
SET search_path = figures;

-- An empty ledger has no figures.
SELECT fill_rate(), line_fill_rate(), order_fill_rate(), backorder_rate(), backorder_fill_rate(), backorder_cancellation_rate(),
	average_backorder_duration(), average_days_on_backorder(), average_open_age_days();
\x on
SELECT * FROM kpi;
\x off
SELECT * FROM kpi_by_item;
SELECT * FROM kpi_by_customer;
SELECT * FROM kpi_monthly;
SELECT * FROM backorder_aging;

INSERT INTO item (item, unit_price, lead_time) VALUES ('bolt', 2, '10 days'), ('nut', NULL, NULL);
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('bolt', 10, '2024-01-01'), ('nut', 5, '2024-01-01');
-- in stock
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES
	('1', 1, 'bolt', 6, 'ann', '2024-01-10 12:00'), ('1', 2, 'nut', 2, 'ann', '2024-01-10 12:00');
-- 4 bolts short
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES
	('2', 1, 'bolt', 8, 'ann', '2024-01-20 12:00'), ('2', 2, 'nut', 3, 'ann', '2024-01-20 12:00');
-- 1 of them comes after 10 days
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('bolt', 1, '2024-01-30 12:00');
-- 5 bolts short, on 1 February in London but 31 January in New York
INSERT INTO order_line (order_id, line_no, item, quantity, customer, unit_price, placed_at) VALUES
	('3', 1, 'bolt', 5, 'bob', 3, '2024-02-01 03:00');
-- 4 nuts short and cancelled at once
INSERT INTO order_line (order_id, line_no, item, quantity, customer, on_short, placed_at) VALUES
	('4', 1, 'nut', 4, 'bob', 'cancel', '2024-02-10 12:00');
-- 2 nuts short, but not regular demand
INSERT INTO order_line (order_id, line_no, item, quantity, demand_class, placed_at) VALUES
	('5', 1, 'nut', 2, 'internal', '2024-02-12 12:00');
-- no demand at all
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at, not_before) VALUES
	('6', 1, 'bolt', 1, 'ann', '2024-02-15 12:00', 'infinity');
-- 2 bolts short, by somebody who gave no name
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('7', 1, 'bolt', 2, '2024-02-15 12:00');
-- order 2 gets its last 3 bolts after 31 days, order 3 gets 3 after 19.375; the nuts of order 5 come after 10
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('bolt', 6, '2024-02-20 12:00'), ('nut', 2, '2024-02-22 12:00');
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES
	('shipment', '1', 1, 6, '2024-01-12'), ('shipment', '1', 2, 2, '2024-01-13'), ('shipment', '2', 1, 8, '2024-02-21'),
	('shipment', '3', 1, 3, '2024-02-22');
-- order 3 gives up the other 2
UPDATE order_line SET cancelled = 2, cancel_reason = 'too late' WHERE order_id = '3';
-- raised by 2: they wait, but the line entered with 3; lowered by 1: it entered with 2
UPDATE order_line SET quantity = 5 WHERE order_id = '2' AND line_no = 2;
UPDATE order_line SET quantity = 1 WHERE order_id = '7';
SELECT * FROM backorder.check_ledger('figures');

-- The facts.  Entered on: order 3 in January.
SELECT order_id, line_no, entered_at, entered_on, customer, demand_class, units, units_filled, units_backordered AS short,
	value, value_backordered, units_shipped, units_cancelled, lines, lines_filled, lines_backordered,
	CASE WHEN completed_at < '2025-01-01' THEN completed_at::text WHEN completed_at <= now() THEN 'later' END AS completed_at
FROM line_fact ORDER BY order_id, line_no;
SELECT order_id, entered_on, customer, demand_class, orders, orders_filled, orders_backordered, lines, lines_filled, lines_backordered,
	units, units_filled, units_backordered AS short, value, units_shipped, units_cancelled
FROM order_fact ORDER BY order_id;
-- 3 x 31 + 1 x 10 = 103 unit days for order 2, 3 x 19.375 = 58.125 for order 3
SELECT order_id, line_no, cause, customer, opened_on, CASE WHEN closed_on < '2025-01-01' THEN closed_on END AS closed_on, outcome,
	backorders, backorders_filled, units, filled, cancelled, open, value,
	CASE WHEN closed_on < '2025-01-01' THEN round(days_waited, 6) END AS days_waited, round(unit_days, 6) AS unit_days
FROM backorder_fact WHERE cause = 'entry' ORDER BY order_id, line_no;
SELECT order_id, line_no, cause, units, open, opened_at > '2025-01-01' AS opened_later FROM backorder_fact WHERE cause <> 'entry';
SELECT order_id, item, customer, demand_class, cause, filled_at, filled_on, units, round(days_waited, 6) AS days_waited, round(unit_days, 6) AS unit_days
FROM fill_fact ORDER BY filled_at, order_id;

-- All regular demand.  Units: 15 of 30 short.  Lines: 3 of 7 whole.  Orders: 1 of 5.
SELECT fill_rate(), round(line_fill_rate() * 7, 9) AS lines, order_fill_rate(), backorder_rate();
-- January in New York: orders 1, 2 and 3: 9 of 24 units short, 3 of 5 lines, 1 of 3 orders.
-- The same month in London is without order 3: 4 of 19 units, 3 of 4 lines, 1 of 2 orders.
-- The window ends before its end: order 2 is not in the third, alone in the fourth (4 of 11 units).  February: everything short.
SELECT since, until, round(fill_rate(since, until), 6) AS fill_rate, round(line_fill_rate(since, until), 6) AS line_fill_rate,
	round(order_fill_rate(since, until), 6) AS order_fill_rate, round(backorder_rate(since, until), 6) AS backorder_rate
FROM (VALUES
	('2024-01-01 00:00-05'::timestamptz, '2024-02-01 00:00-05'::timestamptz),
	('2024-01-01 00:00+00', '2024-02-01 00:00+00'),
	('2024-01-10 12:00+00', '2024-01-20 12:00+00'),
	('2024-01-20 12:00+00', '2024-01-20 12:00:00.000001+00'),
	('2024-02-01 00:00-05', NULL),
	(NULL, '2024-01-20 12:00+00'),
	('2024-01-20 12:00+00', '2024-01-20 12:00+00'),
	('2024-03-01 00:00-05', NULL)
) AS v (since, until);
-- By item and customer.  Bolts: 11 of 21 short; nuts: 4 of 9.  Ann: 4 of 19, 3 of 4 lines, 1 of 2 orders; bob: all 9.
SELECT round(fill_rate(item => 'bolt') * 21, 9) AS bolts, round(fill_rate(item => 'nut') * 9, 9) AS nuts, line_fill_rate(item => 'nut', customer => 'ann') AS ann_nuts,
	round(fill_rate(customer => 'ann') * 19, 9) AS ann_units, line_fill_rate(customer => 'ann') AS ann_lines, order_fill_rate(customer => 'ann') AS ann_orders,
	fill_rate(customer => 'bob') AS bob, backorder_rate(customer => 'bob') AS bob_orders, fill_rate(location => 'main') AS here, fill_rate(location => 'moon') AS there;
-- Internal demand: 2 of 2 short.  All: 17 of 32, 3 of 8 lines, 1 of 6 orders.
SELECT fill_rate(demand_class => 'internal') AS internal, fill_rate(demand_class => NULL) AS units, line_fill_rate(demand_class => NULL) AS lines,
	round(order_fill_rate(demand_class => NULL), 6) AS orders, round(backorder_rate(demand_class => NULL), 6) AS backordered, fill_rate(demand_class => 'preorder') AS none;

-- Opened before March: 4 + 5 + 4 + 2 = 15 units.  4 + 3 came; 2 + 4 and the lowered 1 were given up; 1 waits.
SELECT round(backorder_fill_rate(until => '2024-03-01') * 15, 9) AS filled, round(backorder_cancellation_rate(until => '2024-03-01') * 15, 9) AS cancelled;
-- January in New York: 7 of 9 came, 2 were given up.  London: 4 of 4.
SELECT round(backorder_fill_rate('2024-01-01 00:00-05', '2024-02-01 00:00-05') * 9, 9) AS filled,
	round(backorder_cancellation_rate('2024-01-01 00:00-05', '2024-02-01 00:00-05') * 9, 9) AS cancelled,
	backorder_fill_rate('2024-01-01', '2024-02-01') AS london, backorder_fill_rate('2023-01-01', '2024-01-01') AS none,
	backorder_fill_rate(until => '2024-03-01', item => 'nut') AS nuts, backorder_cancellation_rate(until => '2024-03-01', item => 'nut') AS nuts_cancelled,
	backorder_fill_rate(customer => 'bob', item => 'bolt') AS bob_bolts, backorder_fill_rate(demand_class => 'internal') AS internal;
-- Filled completely: only order 2, after 31 days; with order 5, 20.5 days on average.  Order 3 was filled in part: it does not count.
SELECT average_backorder_duration(), average_backorder_duration(demand_class => NULL) AS every_class,
	average_backorder_duration('2024-02-20 12:00', '2024-02-20 12:00:01') AS when_closed, average_backorder_duration(until => '2024-02-20 12:00') AS before,
	average_backorder_duration(item => 'nut') AS nuts, average_backorder_duration(customer => 'ann') AS ann;
-- Units waited 1 x 10 + 3 x 31 + 3 x 19.375 = 161.125 days, over 7; January 10; February 151.125 over 6.  With order 5: 181.125 over 9.
SELECT round(average_days_on_backorder() * 7, 9) AS days_of_7, average_days_on_backorder(until => '2024-02-01') AS january,
	average_days_on_backorder('2024-02-01') AS february, average_days_on_backorder(demand_class => NULL) AS every_class,
	average_days_on_backorder(customer => 'bob') AS bob, average_days_on_backorder(item => 'nut') AS nuts;
-- What waits: 1 bolt of order 7.
SELECT average_open_age_days(until => '2024-03-01') = extract(epoch FROM now() - '2024-02-15 12:00') / 86400 AS age,
	average_open_age_days(until => '2024-02-15 12:00') AS before, average_open_age_days(item => 'nut', until => '2024-03-01') AS nuts;

-- The views say what the functions say.
SELECT fill_rate = fill_rate() AS fill_rate, line_fill_rate = line_fill_rate() AS line_fill_rate, order_fill_rate = order_fill_rate() AS order_fill_rate,
	backorder_rate = backorder_rate() AS backorder_rate, backorder_fill_rate = backorder_fill_rate() AS backorder_fill_rate,
	backorder_cancellation_rate = backorder_cancellation_rate() AS backorder_cancellation_rate,
	average_backorder_duration_days = extract(epoch FROM average_backorder_duration()) / 86400 AS duration,
	average_days_on_backorder = average_days_on_backorder() AS days, average_open_age_days = average_open_age_days() AS open_age
FROM kpi;
-- 2 nuts were opened later, by the raise: 17 units in all.
SELECT lines, lines_filled, units, units_backordered, orders, orders_filled, orders_backordered, opened_units, opened_units_filled, opened_units_cancelled,
	opened_units_open, backorders_filled, round(backorders_filled_days, 6) AS filled_days, fill_units, round(fill_unit_days, 6) AS fill_days
FROM kpi;
SELECT item, lines, lines_filled, units, units_backordered AS short, round(fill_rate, 6) AS fill_rate, opened_units AS opened, opened_units_filled AS filled,
	opened_units_cancelled AS cancelled, opened_units_open AS open, backorders_filled, round(average_backorder_duration_days, 6) AS duration,
	fill_units, round(average_days_on_backorder, 6) AS days
FROM kpi_by_item ORDER BY item;
SELECT customer, lines, units, units_backordered AS short, orders, orders_filled, orders_backordered, backorder_rate, opened_units AS opened, opened_units_filled AS filled,
	opened_units_cancelled AS cancelled, opened_units_open AS open, backorders_filled, round(average_backorder_duration_days, 6) AS duration,
	fill_units, round(average_days_on_backorder, 6) AS days
FROM kpi_by_customer ORDER BY customer;
SELECT month, lines, lines_filled, line_fill_rate, units, units_backordered AS short, fill_rate, orders, orders_filled, round(order_fill_rate, 6) AS order_fill_rate,
	round(backorder_rate, 6) AS backorder_rate
FROM kpi_monthly WHERE month < '2025-01-01';
SELECT month, opened_units AS opened, opened_units_filled AS filled, opened_units_cancelled AS cancelled, opened_units_open AS open,
	round(backorder_fill_rate, 6) AS backorder_fill_rate, round(backorder_cancellation_rate, 6) AS backorder_cancellation_rate,
	backorders_filled, round(average_backorder_duration_days, 6) AS duration, fill_units, round(fill_unit_days, 6) AS fill_days, round(average_days_on_backorder, 6) AS days
FROM kpi_monthly WHERE month < '2025-01-01';
-- The parts of every breakdown add up to the whole.
SELECT bool_and(part = whole) AS adds_up FROM (
	SELECT ARRAY[sum(lines), sum(units), sum(units_backordered), sum(opened_units), sum(opened_units_open), sum(backorders_filled), sum(fill_units), sum(fill_unit_days)] AS part FROM kpi_by_item
	UNION ALL
	SELECT ARRAY[sum(lines), sum(units), sum(units_backordered), sum(opened_units), sum(opened_units_open), sum(backorders_filled), sum(fill_units), sum(fill_unit_days)] FROM kpi_by_customer
	UNION ALL
	SELECT ARRAY[sum(lines), sum(units), sum(units_backordered), sum(opened_units), sum(opened_units_open), sum(backorders_filled), sum(fill_units), sum(fill_unit_days)] FROM kpi_monthly
) AS p, (SELECT ARRAY[lines, units, units_backordered, opened_units, opened_units_open, backorders_filled, fill_units, fill_unit_days] AS whole FROM kpi) AS w;
SELECT sum(c.orders) = k.orders AND sum(c.orders_filled) = k.orders_filled AS orders FROM kpi_by_customer AS c, kpi AS k GROUP BY k.orders, k.orders_filled;

-- The session's time zone changes nothing.
SET timezone = 'Pacific/Auckland';
SELECT order_id, entered_on FROM line_fact WHERE order_id = '3';
SELECT month, units, opened_units, fill_units FROM kpi_monthly WHERE month < '2025-01-01';
SET timezone = 'UTC';

-- Parallel plans say the same.
CREATE TEMP TABLE alone AS
SELECT fill_rate(), line_fill_rate(), order_fill_rate(), backorder_rate(), backorder_fill_rate(), backorder_cancellation_rate(),
	average_backorder_duration(), average_days_on_backorder();
CREATE TEMP TABLE alone_monthly AS SELECT month, units, fill_rate, order_fill_rate, opened_units, average_days_on_backorder FROM kpi_monthly;
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT fill_rate(), line_fill_rate(), order_fill_rate(), backorder_rate(), backorder_fill_rate(), backorder_cancellation_rate(),
	average_backorder_duration(), average_days_on_backorder()
EXCEPT SELECT * FROM alone;
SELECT month, units, fill_rate, order_fill_rate, opened_units, average_days_on_backorder FROM kpi_monthly EXCEPT SELECT * FROM alone_monthly;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET min_parallel_index_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
DROP TABLE alone, alone_monthly;

-- An order of several classes and customers.  It counts once: by its regular
-- lines, or by all; its customer is the first in the alphabet.  It is dated by
-- its first line, also where another line comes months later.
INSERT INTO order_line (order_id, line_no, item, quantity, customer, demand_class, placed_at) VALUES
	('8', 1, 'nut', 1, 'dan', 'internal', '2024-05-01'), ('8', 2, 'bolt', 1, 'eve', 'regular', '2024-05-02');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('bolt', 20, '2024-06-01'), ('nut', 20, '2024-06-01');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES ('8', 3, 'bolt', 1, 'cid', '2024-07-01');
SELECT order_id, entered_at, customer, demand_class, orders, orders_filled, lines, lines_filled FROM order_fact WHERE order_id = '8' ORDER BY demand_class;
SELECT order_fill_rate('2024-05-01', '2024-06-01') AS may, order_fill_rate('2024-07-01') AS july, order_fill_rate(customer => 'cid') AS cid,
	order_fill_rate(customer => 'eve') AS eve, line_fill_rate(customer => 'cid') AS cid_lines,
	order_fill_rate('2024-05-01', '2024-06-01', demand_class => NULL) AS every_class, order_fill_rate('2024-05-02', demand_class => NULL) AS dated_by_its_first;

-- A line held after entry stays in the figures with what it entered as; let go again it is no new demand.
SELECT lines, units, units_backordered, orders FROM kpi;
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '8' AND line_no = 3;
SELECT lines, units, units_backordered, orders FROM kpi;
UPDATE order_line SET not_before = NULL WHERE order_id = '8' AND line_no = 3;
SELECT lines, units, units_backordered, orders FROM kpi;
SELECT * FROM backorder.check_ledger('figures');

-- Who may read: the views ask for rights on what they read, as whoever asks.
GRANT USAGE ON SCHEMA figures TO clerk;
GRANT SELECT ON kpi, line_fact TO clerk;
SET SESSION AUTHORIZATION clerk;
\set VERBOSITY sqlstate
SELECT units FROM figures.kpi;
SELECT figures.fill_rate();
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;
-- With row security the figures are those of the rows one may see: 15 of ann's 19 units were in stock.
GRANT SELECT ON order_line, item, ledger, backorder, journal, kpi_by_customer, order_fact, backorder_fact, fill_fact TO clerk;
ALTER TABLE order_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY ann ON order_line FOR SELECT TO clerk USING (customer = 'ann');
SET SESSION AUTHORIZATION clerk;
SELECT lines, units, units_backordered, orders, opened_units, fill_units, round(figures.fill_rate() * 19, 9) AS of_19 FROM figures.kpi;
SELECT customer, units FROM figures.kpi_by_customer;
SET SESSION AUTHORIZATION merchant;

SET client_min_messages = warning;
DROP SCHEMA figures CASCADE;
