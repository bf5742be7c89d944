-- How suppliers keep what they promise, who waits for what is late, and what is available to promise.
SET SESSION AUTHORIZATION merchant;
SELECT backorder.create_ledger('supply', 'UTC');
SET search_path = supply;
SET timezone = 'UTC';
SET datestyle = 'ISO';
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item) VALUES ('a'), ('b'), ('c');
INSERT INTO item (item, auto_allocate) VALUES ('hand', false);

-- Suppliers. Lumen: early in two parts; late, and less; over, moved and in time by the new date, but not by the first.
INSERT INTO inbound (item, quantity, ordered_at, expected_at, supplier) VALUES
	('a', 10, '2024-01-01', '2024-01-11', 'Lumen'), ('a', 20, '2024-01-01', '2024-01-21', 'Lumen'), ('a', 30, '2024-02-01', '2024-02-11', 'Lumen');
UPDATE inbound SET expected_at = '2024-02-15' WHERE inbound_id = 3;
SELECT count(*) FROM receive('a', 4, inbound_id => 1, moved_at => '2024-01-08');
SELECT count(*) FROM receive('a', 6, inbound_id => 1, moved_at => '2024-01-10');
SELECT count(*) FROM receive('a', 15, inbound_id => 2, moved_at => '2024-01-25');
UPDATE inbound SET cancelled = 5 WHERE inbound_id = 2;
SELECT count(*) FROM receive('a', 33, inbound_id => 3, moved_at => '2024-02-14');
-- Ohm: on the day promised, though after its midnight; nothing came at all; overdue; still to come; without a date; cancelled
INSERT INTO inbound (item, quantity, ordered_at, expected_at, supplier) VALUES
	('b', 1, '2024-01-01', '2024-01-03', 'Ohm'), ('b', 1, '2024-01-01', '2024-01-03', 'Ohm'), ('b', 2, '2024-01-01', '2124-01-01', 'Ohm'), ('b', 4, '2024-01-01', NULL, 'Ohm'),
	('b', 8, '2024-01-01', '2024-01-04', 'Ohm'), ('c', 1, '2024-01-01', NULL, NULL);
SELECT count(*) FROM receive('b', 1, inbound_id => 4, moved_at => '2024-01-03 17:00');
UPDATE inbound SET cancelled = 8 WHERE quantity = 8;
SELECT supplier, item, orders, orders_finished, units_promised, units_ordered, units_received, units_cancelled, units_open, round(quantity_ratio, 3) AS quantity_ratio
FROM supplier_performance ORDER BY supplier, item;
SELECT supplier, item, orders_on_time AS on_time, orders_late AS late, round(on_time_ratio, 3) AS on_time_ratio, orders_moved AS moved,
	round(promised_lead_days, 2) AS promised, round(actual_lead_days, 2) AS actual, round(average_days_late, 2) AS days_late, last_received_at
FROM supplier_performance ORDER BY supplier, item;

-- Late: the queue is 3 + 4 + 5 + 6, overdue 5, 2 and 20; the last serves what is left; one to come and one without a date do not count
SELECT backorder.empty_ledger('supply');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('1', 1, 'a', 3, '2024-01-01'), ('2', 1, 'a', 4, '2024-01-02'), ('3', 1, 'a', 5, '2024-01-03'), ('3', 2, 'a', 6, '2024-01-04');
INSERT INTO inbound (item, quantity, expected_at, supplier, reference) VALUES
	('a', 5, now() - interval '3 days', 'Lumen', 'PO-1'), ('a', 2, now() - interval '2 days', 'Lumen', 'PO-2'), ('a', 20, now() - interval '1 day', 'Ohm', 'PO-3'),
	('a', 7, now() + interval '1 day', 'Ohm', 'PO-4'), ('a', 7, NULL, 'Ohm', 'PO-5'), ('b', 9, now() - interval '9 days', 'Ohm', 'PO-6');
-- given out by hand: what is available comes first
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('4', 1, 'hand', 3, '2024-01-01'), ('4', 2, 'hand', 3, '2024-01-01'), ('4', 3, 'hand', 3, '2024-01-01');
INSERT INTO stock_move (item, quantity) VALUES ('hand', 4);
INSERT INTO inbound (item, quantity, expected_at, reference) VALUES ('hand', 2, now() - interval '1 day', 'PO-7'), ('hand', 9, now() - interval '1 hour', 'PO-8');
SELECT reference, supplier, open, round(days_late) AS days_late, units_waiting, backorders_waiting FROM late_inbound ORDER BY reference;
-- the same by going through all pairs
WITH supply AS (
	SELECT n.reference, n.item, n.quantity, sum(n.quantity) OVER (PARTITION BY n.item ORDER BY n.expected_at, n.inbound_id) + CASE n.item WHEN 'hand' THEN 4 ELSE 0 END AS upto
	FROM inbound AS n WHERE n.expected_at < now()
), demand AS (
	SELECT item, remaining, sum(remaining) OVER (PARTITION BY item ORDER BY priority DESC, rank_at, backorder_id) AS upto FROM backorder
)
SELECT s.reference, coalesce(sum(least(s.upto, d.upto) - greatest(s.upto - s.quantity, d.upto - d.remaining)) FILTER (WHERE d.item IS NOT NULL), 0) AS units_waiting, count(d.item) AS backorders_waiting
FROM supply AS s LEFT JOIN demand AS d ON d.item = s.item AND d.upto > s.upto - s.quantity AND d.upto - d.remaining < s.upto
GROUP BY s.reference ORDER BY s.reference;
SELECT item, units, next_inbound_at < now() AS overdue, next_inbound_units, inbound_units FROM shortage ORDER BY item;

-- Available to promise. Stock 10; 20 come in February and 5 in April; 25 are wanted in March: 5 of the 10 stay free.
SELECT backorder.empty_ledger('supply');
INSERT INTO stock_move (item, quantity) VALUES ('a', 10);
INSERT INTO inbound (item, quantity, expected_at) VALUES ('a', 20, '2124-02-01'), ('a', 5, '2124-04-01'), ('a', 100, NULL);
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('1', 1, 'a', 25, '2124-03-01'), ('1', 2, 'a', 50, 'infinity');
CREATE FUNCTION promised(item text, location text DEFAULT NULL, horizon timestamptz DEFAULT NULL)
RETURNS TABLE (location text, available_at timestamptz, supply numeric, demand numeric, available numeric, cumulative numeric) LANGUAGE sql STABLE AS $$
	SELECT location, nullif(available_at, now()), supply, demand, available, cumulative FROM supply.available_to_promise($1, $2, $3)
$$;
SELECT * FROM promised('a');
-- beyond the horizon nothing counts
SELECT * FROM promised('a', horizon => '2124-02-15');
SELECT * FROM promised('a', horizon => '2000-01-01');
-- what waits comes first, at each location by itself; what is overdue counts as now
INSERT INTO order_line (order_id, line_no, item, quantity, location) VALUES ('2', 1, 'a', 8, 'north'), ('2', 2, 'a', 3, 'main');
INSERT INTO inbound (item, quantity, location, expected_at) VALUES ('a', 6, 'north', '2024-01-01'), ('a', 6, 'north', '2124-01-01');
SELECT * FROM promised('a');
SELECT * FROM promised('a', 'north');
SELECT * FROM promised('unknown');
-- more is asked for than will ever come
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('3', 1, 'a', 500, '2124-05-01');
SELECT * FROM promised('a', 'main');

/*
 * By the textbook, step by step: each supply less the demand before the next;
 * what is missing is taken from the nearest earlier time that has some, and what
 * is missing from the start from whatever comes next.
 */
CREATE FUNCTION textbook(wanted text) RETURNS TABLE (available_at timestamptz, available numeric) LANGUAGE plpgsql STABLE AS $$
DECLARE
	times timestamptz[];
	free numeric[];
	lacking numeric;
BEGIN
	SELECT array_agg(t ORDER BY t) INTO times FROM (SELECT now() AS t UNION SELECT expected_at FROM supply.inbound WHERE item = wanted AND expected_at > now() AND quantity > received + cancelled) AS s;
	FOR i IN 1 .. array_length(times, 1) LOOP
		free[i] := coalesce((SELECT sum(quantity - received - cancelled) FROM supply.inbound AS n
				WHERE n.item = wanted AND greatest(n.expected_at, now()) = times[i] AND quantity > received + cancelled), 0)
			- coalesce((SELECT sum(quantity - cancelled) FROM supply.order_line AS l
				WHERE l.item = wanted AND l.on_hold AND l.not_before >= times[i] AND l.not_before < coalesce(times[i + 1], 'infinity')), 0);
	END LOOP;
	free[1] := free[1] + (SELECT sum(s.available) - sum(s.backordered) FROM supply.stock AS s WHERE s.item = wanted);
	FOR i IN REVERSE array_length(times, 1) .. 1 LOOP
		lacking := greatest(-free[i], 0);
		free[i] := greatest(free[i], 0);
		IF i > 1 THEN
			free[i - 1] := free[i - 1] - lacking;
		END IF;
	END LOOP;
	FOR i IN 2 .. array_length(times, 1) LOOP
		free[i] := free[i] - lacking;
		lacking := greatest(-free[i], 0);
		free[i] := greatest(free[i], 0);
	END LOOP;
	RETURN QUERY SELECT * FROM unnest(times, free);
END
$$;
SELECT setseed(0.4);
INSERT INTO item (item) SELECT 'r' || n FROM generate_series(1, 60) AS n;
INSERT INTO stock_move (item, quantity) SELECT 'r' || n, ceil(random() * 50) FROM generate_series(1, 60) AS n;
INSERT INTO inbound (item, quantity, expected_at, cancelled)
SELECT 'r' || 1 + n % 60, ceil(random() * 30), '2123-12-20'::timestamptz + floor(random() * 40) * interval '1 day', floor(random() * 4) FROM generate_series(1, 400) AS n;
INSERT INTO inbound (item, quantity, expected_at) SELECT 'r' || n, 5, '2024-01-01' FROM generate_series(1, 60, 3) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity, not_before)
SELECT 'r', n, 'r' || 1 + n % 60, ceil(random() * 25), CASE WHEN random() < 0.7 THEN '2123-12-15'::timestamptz + floor(random() * 60) * interval '1 day' END FROM generate_series(1, 500) AS n;
SELECT count(*) > 400 AS rows, count(*) FILTER (WHERE a.available <> t.available OR a.available IS NULL OR t.available IS NULL) AS different,
	count(*) FILTER (WHERE a.available > 0) > 50 AS some_free, count(*) FILTER (WHERE a.available < 0 OR a.cumulative <> a.sum) AS wrong
FROM generate_series(1, 60) AS n,
LATERAL (
	SELECT p.*, sum(p.available) OVER (ORDER BY p.available_at) AS sum FROM available_to_promise('r' || n) AS p
) AS a
FULL JOIN LATERAL textbook('r' || n) AS t ON t.available_at = a.available_at;
SELECT * FROM backorder.check_ledger('supply');
SET client_min_messages = warning;
DROP SCHEMA supply CASCADE;
