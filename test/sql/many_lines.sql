-- Statements with more lines than the engine ranks, opens and fills at a time: the
-- end is the same as if it had done all at once, shown by SQL that does.
SET SESSION AUTHORIZATION merchant;
SELECT backorder.create_ledger('many', 'UTC');
SET search_path = many;
INSERT INTO item (item) VALUES ('lamp'), ('desk');
INSERT INTO priority_rule (name, condition, priority) VALUES ('gold', '$.customer == "gold"', 5);
INSERT INTO stock_move (item, quantity) VALUES ('lamp', 9000), ('desk', 10);

-- what is noted of so many goes to disk
SET work_mem = '64kB';
-- 20,000 lines, two items by turns, four times of entry, every seventh line goes first
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at)
SELECT 'o' || n / 2, n % 2, CASE n % 2 WHEN 0 THEN 'lamp' ELSE 'desk' END, 1 + n % 3,
	CASE WHEN n % 7 = 0 THEN 'gold' END, timestamptz '2030-01-01' - n % 4 * interval '1 day'
FROM generate_series(1, 20000) AS n;

-- what each line should have: stock goes to the lines in the order in which they entered, then by rank
CREATE TEMP TABLE ordered AS
SELECT order_id, line_no, item, quantity, CASE customer WHEN 'gold' THEN 5 ELSE 0 END AS priority, placed_at,
	row_number() OVER (PARTITION BY item ORDER BY placed_at, customer = 'gold' DESC NULLS LAST, substr(order_id, 2)::integer) AS place
FROM order_line;
CREATE TEMP TABLE should AS
SELECT *, greatest(least(quantity, sum(quantity) OVER (PARTITION BY item ORDER BY place)
	- CASE item WHEN 'lamp' THEN 9000 ELSE 10 END), 0) AS short
FROM ordered;
SELECT item, count(*) AS lines, sum(short) AS short, count(*) FILTER (WHERE short > 0) AS short_lines,
	count(*) FILTER (WHERE short > 0 AND short < quantity) AS partly
FROM should GROUP BY item ORDER BY item;
SELECT count(*) AS different FROM should AS s JOIN order_line_status AS l USING (order_id, line_no)
WHERE (l.backordered_at_entry, l.backordered, l.allocated) <> (s.short, s.short, s.quantity - s.short);
SELECT count(*) AS different
FROM (SELECT order_id, line_no, row_number() OVER (PARTITION BY item ORDER BY place) AS place FROM should WHERE short > 0) AS s
JOIN (SELECT order_id, line_no, row_number() OVER (PARTITION BY item ORDER BY backorder_id) AS place FROM backorder) AS b USING (order_id, line_no)
WHERE s.place <> b.place;
SELECT kind, count(*), sum(quantity) FROM journal GROUP BY kind;

-- a receipt fills thousands of them in the order of the queue, the last one partly
INSERT INTO stock_move (item, quantity) VALUES ('desk', 11111);
SELECT count(*) AS different, sum(filled) AS filled
FROM (SELECT s.order_id, s.line_no, greatest(least(short, 11111 - (sum(short) OVER (ORDER BY s.priority DESC, s.placed_at, b.backorder_id) - short)), 0) AS filled
	FROM should AS s JOIN backorder AS b USING (order_id, line_no) WHERE s.item = 'desk' AND short > 0) AS s
JOIN backorder AS b USING (order_id, line_no)
WHERE b.quantity - b.remaining <> s.filled OR (b.remaining = 0) <> (b.outcome IS NOT DISTINCT FROM 'filled');
SELECT count(*), sum(quantity) FROM journal WHERE kind = 'filled';

-- thousands of lines are raised, and ranked anew, in one statement
UPDATE order_line SET quantity = quantity + 1, customer = 'gold' WHERE item = 'lamp';
SELECT cause, count(*), sum(quantity), min(priority) FROM backorder WHERE item = 'lamp' GROUP BY cause ORDER BY cause;
SELECT count(*), min(priority), max(priority) FROM backorder WHERE closed_at IS NULL AND item = 'lamp';
SELECT (SELECT count(*) FROM journal WHERE kind = 'reranked')
	= (SELECT count(*) FROM should WHERE item = 'lamp' AND short > 0 AND priority = 0) AS each_once;

-- thousands are cancelled: what waits is given up first
UPDATE order_line SET cancelled = quantity WHERE item = 'lamp';
SELECT outcome, count(*), sum(cancelled) AS cancelled, sum(remaining) AS remaining FROM backorder WHERE item = 'lamp' GROUP BY outcome ORDER BY outcome;
SELECT kind, count(*), sum(quantity) FROM journal WHERE item = 'lamp' AND cause = 'cancel' GROUP BY kind ORDER BY kind;

-- the limit counts all of a statement, however late it is reached
\set VERBOSITY sqlstate
INSERT INTO item (item, backorder_limit) VALUES ('rug', 9999);
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'r' || n, 1, 'rug', 1 FROM generate_series(1, 10000) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'r' || n, 1, 'rug', 1 FROM generate_series(1, 9999) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('r', 1, 'rug', 1);
-- and the last line can refuse all
INSERT INTO order_line (order_id, line_no, item, quantity, on_short) SELECT 's' || n, 1, 'desk', 1, CASE WHEN n = 9000 THEN 'refuse' END FROM generate_series(1, 9000) AS n;
\set VERBOSITY default
SELECT item, on_hand, allocated, available, backordered FROM stock ORDER BY item;
SELECT * FROM backorder.check_ledger('many');
SET client_min_messages = warning;
DROP SCHEMA many CASCADE;
