-- The past, loaded in bulk: orders, receipts, shipments with their own times; durations come out right.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
\pset null NULL
SELECT backorder.create_ledger('past', 'UTC');
SET search_path = past;
INSERT INTO item (item) VALUES ('a'), ('b'), ('c'), ('d'), ('e');

-- Orders of a month in one statement, in any order; the opening stock goes to who came first.
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'a', 10, '2023-12-31');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES
	('3', 1, 'a', 5, '2024-01-03'), ('1', 1, 'a', 4, '2024-01-01'), ('4', 1, 'a', 3, '2024-01-04'), ('2', 1, 'a', 4, '2024-01-02');
SELECT order_id, allocated, backordered, backordered_at_entry AS short FROM order_line_status ORDER BY order_id;
SELECT order_id, quantity, opened_at, claim_at, rank_at FROM backorder ORDER BY backorder_id;
-- Receipts of the month in one statement, in any order: what came first goes to who was first.
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('a', 2, '2024-01-20'), ('a', 2, '2024-01-10'), ('a', 4, '2024-01-15');
SELECT order_id, quantity, outcome, opened_at, closed_at, closed_at - opened_at AS waited FROM backorder ORDER BY backorder_id;
SELECT order_id, quantity, happened_at FROM journal WHERE kind = 'filled' ORDER BY journal_id;
-- 3: 2 units for 7 days, 1 for 12; 4: 3 for 11.  By backorder 12 and 11 days, by unit (14 + 12 + 33) / 6.
SELECT average_backorder_duration(item => 'a'), round(average_days_on_backorder(item => 'a'), 6) AS days_by_unit, round(59 / 6.0, 6) AS expected;
SELECT item, available FROM stock WHERE item = 'a';
-- shipments, at their times
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES ('shipment', '4', 1, 3, '2024-01-16'), ('shipment', '1', 1, 4, '2024-01-02'), ('shipment', '3', 1, 2, '2024-01-05'), ('shipment', '3', 1, 3, '2024-01-17');
SELECT order_id, quantity, happened_at FROM journal WHERE kind = 'shipped' ORDER BY happened_at;
SELECT order_id, completed_at FROM line_fact ORDER BY order_id;
SELECT * FROM backorder.check_ledger('past');

-- Receipts that are older than the order count as of its entry: no wait is negative.
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('5', 1, 'b', 5, '2024-03-01'), ('6', 1, 'b', 5, '2024-03-10');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('b', 3, '2024-02-01'), ('b', 4, '2024-03-05');
SELECT order_id, quantity, remaining, opened_at, closed_at, closed_at - opened_at AS waited FROM backorder WHERE item = 'b' ORDER BY backorder_id;
SELECT order_id, quantity, happened_at FROM journal WHERE item = 'b' AND kind = 'filled' ORDER BY journal_id;
SELECT average_backorder_duration(item => 'b'), round(average_days_on_backorder(item => 'b') * 7, 6) AS unit_days;
-- in statements that come out of order: closed when the last of its units came, not when the last was recorded
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('b', 2, '2024-03-20');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('b', 1, '2024-03-15');
SELECT order_id, quantity, remaining, outcome, opened_at, closed_at, closed_at - opened_at AS waited FROM backorder WHERE item = 'b' ORDER BY backorder_id;
SELECT * FROM backorder.check_ledger('past');

-- A loss, a shipment of what was not allocated and a reversal in the past
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('c', 10, '2024-01-01');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('7', 1, 'c', 6, '2024-01-05'), ('8', 1, 'c', 4, '2024-01-06');
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'c', -3, '2024-02-01'), ('receipt', 'c', 1, '2024-02-03');
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES ('shipment', '8', 1, 4, '2024-02-05');
INSERT INTO stock_move (kind, item, order_id, line_no, quantity, moved_at) VALUES ('shipment_reversal', NULL, '8', 1, 1, '2024-02-07'), ('receipt', 'c', NULL, NULL, 2, '2024-02-08');
SELECT kind, cause, order_id, quantity, happened_at FROM journal WHERE item = 'c' ORDER BY journal_id;
SELECT order_id, cause, quantity, outcome, opened_at, closed_at FROM backorder WHERE item = 'c' ORDER BY backorder_id;
-- a loss before an order has entered takes from it at its entry
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('d', 5, '2024-01-01');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('9', 1, 'd', 5, '2024-06-01');
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'd', -2, '2024-02-01');
SELECT order_id, cause, quantity, opened_at FROM backorder WHERE item = 'd';
SELECT * FROM backorder.check_ledger('past');

-- Moves of one statement are done as they happened, whatever their order in it: a loss between two receipts, a shipment before the stock for it was recorded.
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('10', 1, 'e', 4, '2024-01-01');
INSERT INTO stock_move (kind, item, order_id, line_no, quantity, moved_at) VALUES
	('shipment', 'e', '10', 1, 4, '2024-01-09'), ('receipt', 'e', NULL, NULL, 5, '2024-01-07'), ('adjustment', 'e', NULL, NULL, -2, '2024-01-05'), ('receipt', 'e', NULL, NULL, 2, '2024-01-03');
SELECT kind, cause, quantity, happened_at FROM journal WHERE item = 'e' ORDER BY journal_id;
SELECT on_hand, allocated, available, backordered FROM stock WHERE item = 'e';
SELECT * FROM backorder.check_ledger('past');

-- Years of it: 3,000 lines in one statement, 2,400 receipts in another; nobody was passed over, and time runs forward.
INSERT INTO item (item) SELECT 'item ' || n FROM generate_series(0, 9) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at)
SELECT 'bulk', n, 'item ' || n % 10, 1 + n % 3, '2020-01-01'::timestamptz + (n * 7919 % 3000) * interval '8 hours' FROM generate_series(1, 3000) AS n;
INSERT INTO stock_move (item, quantity, moved_at)
SELECT 'item ' || n % 10, 1 + n % 4, '2020-01-01'::timestamptz + (n * 6007 % 2400) * interval '10 hours' FROM generate_series(1, 2400) AS n;
SELECT count(*) AS lines, sum(backordered_at_entry) AS short FROM order_line WHERE order_id = 'bulk';
SELECT outcome, count(*), sum(quantity) AS units, min(closed_at - opened_at) >= '0' AS forward FROM backorder WHERE order_id = 'bulk' GROUP BY 1 ORDER BY 1;
-- closed at the last fill, and each fill at the later of receipt and opening
SELECT bool_and(b.closed_at = j.last) AS closed_at_last_fill, bool_and(j.each) AS filled_when_it_came
FROM backorder AS b JOIN (
	SELECT f.backorder_id, max(f.happened_at) AS last, bool_and(f.happened_at = greatest(m.moved_at, o.opened_at)) AS each
	FROM journal AS f JOIN stock_move AS m USING (move_id) JOIN backorder AS o USING (backorder_id) WHERE f.kind = 'filled' GROUP BY 1
) AS j USING (backorder_id) WHERE b.closed_at IS NOT NULL AND b.order_id = 'bulk';
-- within an item the queue was served in its order: the fills go by rank, and each begins where the one before it ended
SELECT count(*) AS out_of_turn FROM (
	SELECT rank_at, lag(rank_at) OVER (PARTITION BY item ORDER BY journal_id) AS rank_before FROM journal WHERE kind = 'filled' AND order_id = 'bulk'
) AS f WHERE rank_at < rank_before;
SELECT * FROM backorder.check_ledger('past');

SET client_min_messages = warning;
DROP SCHEMA past CASCADE;
