-- A small shop's week, for ./run demo.  The first six days are told with their
-- dates, as an import of history would; the seventh is today.
SET client_min_messages = warning;
\set ON_ERROR_STOP on
\pset null '-'
\pset footer off
SELECT
	date_trunc('day', now()) - interval '6 days' + interval '8 hours' AS day1,
	date_trunc('day', now()) - interval '5 days' AS day2,
	date_trunc('day', now()) - interval '4 days' AS day3,
	date_trunc('day', now()) - interval '3 days' AS day4,
	date_trunc('day', now()) - interval '2 days' + interval '9 hours' AS day5
\gset
SELECT
	to_char(:'day1'::timestamptz, 'FMDay') AS name1, to_char(:'day2'::timestamptz, 'FMDay') AS name2,
	to_char(:'day3'::timestamptz, 'FMDay') AS name3, to_char(:'day4'::timestamptz, 'FMDay') AS name4,
	to_char(:'day5'::timestamptz, 'FMDay') AS name5
\gset

\echo
\echo '1. Opening the shop'
\echo '   The extension, a ledger for the shop, two things to sell. And a rule: gold customers'
\echo '   go before whoever ordered up to three days earlier, and before nobody else.'
\echo
\set ECHO queries
CREATE EXTENSION backorder;
SELECT backorder.create_ledger('shop', 'UTC') \gset
SET search_path = shop;
INSERT INTO item (item, description, unit_price, lead_time) VALUES
	('kettle', 'Copper kettle', 49.00, '5 days'),
	('mug', 'Stoneware mug', 9.50, '2 days');
INSERT INTO priority_rule (name, condition, head_start) VALUES
	('gold customers', '$.attributes.tier == "gold"', '3 days');
\set ECHO none

\echo
\echo '2.' :name1 '(six days ago): stock comes in'
\echo '   Ten kettles and forty mugs. Nobody waits, so all of it can be sold.'
\echo
INSERT INTO stock_move (item, quantity, moved_at, reference) VALUES
	('kettle', 10, :'day1', 'delivery 501'),
	('mug', 40, :'day1', 'delivery 501');
\set ECHO queries
SELECT item, on_hand, allocated, available, backordered FROM stock ORDER BY item;
\set ECHO none

\echo
\echo '3.' :name2 'to' :name4': orders'
\echo '   Each order knows at once what it gets. What stock cannot cover is flagged as a backorder,'
\echo '   with a date to tell the customer. Dora is a gold customer.'
\echo
\echo 'INSERT INTO order_line_status (order_id, line_no, item, quantity, customer, placed_at, attributes) VALUES'
\echo '    (''1001'', 1, ''kettle'', 6, ''Anna'', …), (''1001'', 2, ''mug'', 12, ''Anna'', …), …'
\echo 'RETURNING order_id, customer, item, quantity, allocated, backordered, expected_at;'
INSERT INTO order_line_status (order_id, line_no, item, quantity, customer, placed_at, attributes) VALUES
	('1001', 1, 'kettle', 6, 'Anna', :'day2'::timestamptz + interval '10 hours', '{}'),
	('1001', 2, 'mug', 12, 'Anna', :'day2'::timestamptz + interval '10 hours', '{}'),
	('1002', 1, 'kettle', 6, 'Bruno', :'day2'::timestamptz + interval '15 hours', '{}'),
	('1003', 1, 'kettle', 3, 'Carla', :'day3'::timestamptz + interval '11 hours', '{}'),
	('1003', 2, 'mug', 4, 'Carla', :'day3'::timestamptz + interval '11 hours', '{}'),
	('1004', 1, 'kettle', 4, 'Dora', :'day4'::timestamptz + interval '16 hours', '{"tier": "gold"}'),
	('1005', 1, 'mug', 30, 'Emil', :'day4'::timestamptz + interval '17 hours', '{}')
RETURNING order_id, customer, item, quantity, allocated, backordered,
	CASE expected_basis WHEN 'stock' THEN 'in stock' ELSE to_char(expected_at, 'Dy DD Mon') END AS expected;

\echo
\echo '4.' :name4 'evening: who is waiting?'
\echo '   The queue for kettles. Dora ordered last and stands first: her three days'' head start'
\echo '   carries her past Bruno and Carla.'
\echo
\set ECHO queries
SELECT position AS place, customer, remaining AS waits_for, value, to_char(opened_at, 'Dy HH24:MI') AS since, rules
FROM open_backorder WHERE item = 'kettle' ORDER BY position;
SELECT item, units AS units_short, value, orders, customers FROM shortage;
\set ECHO none

\echo
\echo '5.' :name5 '(two days ago): six kettles come in'
\echo '   They go to the waiting lines in the order of the queue, in the same transaction.'
\echo '   Dora gets all four of hers, Bruno the two he was short of. Carla waits on.'
\echo
\echo 'SELECT customer, order_id, quantity AS got FROM receive(''kettle'', 6, reference => ''delivery 502'', moved_at => …);'
SELECT customer, order_id, quantity AS got
FROM receive('kettle', 6, reference => 'delivery 502', moved_at => :'day5');

\echo
\echo '6. Today: Anna cancels her kettles'
\echo '   What she gives up does not lie idle: Carla gets her three, the rest can be sold again.'
\echo
\set ECHO queries
SELECT item, cancelled, allocated AS of_these_from_stock FROM cancel('1001', 1, reason => 'found one in the attic');
SELECT order_id, customer, item, quantity, cancelled, allocated, backordered, state
FROM order_line_status WHERE item = 'kettle' ORDER BY order_id;
SELECT item, on_hand, allocated, available, backordered FROM stock ORDER BY item;
\set ECHO none

\echo
\echo '7. Today: packing'
\echo '   What can leave, and Bruno''s and Dora''s parcels do.'
\echo
\set ECHO queries
SELECT order_id, line_no, customer, item, allocated, order_ready FROM ready_to_ship ORDER BY order_id, line_no;
SELECT order_id, item, quantity AS shipped, open AS left FROM ship('1002') UNION ALL
SELECT order_id, item, quantity, open FROM ship('1004');
\set ECHO none

\echo
\echo '8. Today: a shelf falls down'
\echo '   There should be six kettles; somebody counts two. Three were free to sell. One was Carla''s: she'
\echo '   is told today, not when her parcel should leave, and she keeps her place in the queue.'
\echo
\set ECHO queries
SELECT difference, order_id, quantity AS lost FROM record_count('kettle', 2, reference => 'count 7');
SELECT order_id, customer, item, quantity, allocated, backordered, state
FROM order_line_status WHERE order_id = '1003' ORDER BY line_no;
\set ECHO none

\echo
\echo '9. How did the week go?'
\echo
\echo 'SELECT … FROM kpi;'
SELECT figure, value, meaning FROM kpi, LATERAL (VALUES
	(1, 'fill_rate', to_char(100 * fill_rate, 'FM990.0') || ' %', units - units_backordered || ' of ' || units || ' units were in stock when ordered'),
	(2, 'line_fill_rate', to_char(100 * line_fill_rate, 'FM990.0') || ' %', lines_filled || ' of ' || lines || ' order lines'),
	(3, 'order_fill_rate', to_char(100 * order_fill_rate, 'FM990.0') || ' %', orders_filled || ' of ' || orders || ' whole orders'),
	(4, 'backorder_rate', to_char(100 * backorder_rate, 'FM990.0') || ' %', orders_backordered || ' of ' || orders || ' orders had to wait for something'),
	(5, 'backorder_fill_rate', to_char(100 * backorder_fill_rate, 'FM990.0') || ' %', opened_units_filled || ' of ' || opened_units || ' backordered units have come'),
	(6, 'average_days_on_backorder', to_char(average_days_on_backorder, 'FM990.0'), 'days a unit waited that has come'),
	(7, 'average_open_age_days', to_char(average_open_age_days, 'FM990.0'), 'days the units wait that have not')
) AS f (n, figure, value, meaning) ORDER BY n;
\set ECHO queries
SELECT item, units, units_backordered, round(fill_rate, 3) AS fill_rate FROM kpi_by_item ORDER BY item;
\set ECHO none

\echo
\echo '10. What is still owed?'
\echo '   The planner''s first screen, and who to call.'
\echo
\set ECHO queries
SELECT item, units AS units_short, value, customers, round(oldest_age_days, 1) AS oldest_days FROM shortage ORDER BY item;
SELECT customer, item, remaining AS waits_for, cause, round(age_days, 1) AS days FROM open_backorder ORDER BY opened_at;
\set ECHO none

\echo
\echo '11. The story of one line: Carla''s kettles'
\echo
\set ECHO queries
SELECT step, to_char(happened_at, 'Dy HH24:MI') AS happened, event, quantity
FROM history WHERE order_id = '1003' AND line_no = 1 ORDER BY step;
\set ECHO none

\echo
\echo '12. Does it all add up?'
\echo '   check_ledger recomputes every balance from the facts and lists what disagrees: nothing.'
\echo
\set ECHO queries
\pset footer on
SELECT * FROM backorder.check_ledger('shop');
