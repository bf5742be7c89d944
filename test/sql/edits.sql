-- Changing order lines: quantity, cancellation, location, rank, firm; what was frozen at entry.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('edits', 'UTC');
SET search_path = edits;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item) VALUES ('a'), ('b'), ('c'), ('d'), ('e');
CREATE VIEW line AS
	SELECT order_id, line_no AS no, location AS loc, quantity, cancelled, shipped, allocated, backordered AS waiting, firm, backordered_at_entry AS short, entered_quantity AS entered, state
	FROM order_line_status ORDER BY order_id, line_no;
CREATE VIEW sums AS SELECT item, location, on_hand, allocated, available, backordered FROM stock ORDER BY item, location;
CREATE VIEW story AS SELECT journal_id, kind, cause, order_id, line_no AS no, item, quantity, reason FROM journal;

-- Lowering gives up the waiting part first, then the allocation, which serves the queue and never the line itself.
INSERT INTO stock_move (item, quantity) VALUES ('a', 10);
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('1', 1, 'a', 8, '2024-01-01'), ('2', 1, 'a', 5, '2024-01-02'), ('3', 1, 'a', 4, '2024-01-03');
SELECT order_id, quantity, allocated, waiting, short, entered FROM line;
UPDATE order_line SET quantity = 3 WHERE order_id = '2';
SELECT order_id, quantity, allocated, waiting, short, entered FROM line;
UPDATE order_line SET quantity = 1 WHERE order_id = '2';
SELECT order_id, quantity, allocated, waiting, short, entered FROM line;
UPDATE order_line SET quantity = 4 WHERE order_id = '1';
SELECT order_id, quantity, allocated, waiting, short, entered FROM line;
SELECT kind, cause, order_id, quantity FROM story ORDER BY journal_id;
SELECT * FROM sums;
-- raising is a placement of the difference: from stock, or waiting behind those who wait already
UPDATE order_line SET quantity = 6 WHERE order_id = '2';
SELECT order_id, quantity, allocated, waiting, short, entered FROM line;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('4', 1, 'a', 2, '2024-01-04');
UPDATE order_line SET quantity = 7 WHERE order_id = '1';
SELECT order_id, cause, remaining, position FROM open_backorder ORDER BY position;
SELECT kind, cause, order_id, quantity FROM story WHERE order_id = '1' ORDER BY journal_id;
-- what is given up comes before what is asked for, in one statement: 2 gives 3, and 1 asks for 2
UPDATE order_line SET quantity = CASE order_id WHEN '1' THEN 9 ELSE 3 END WHERE order_id IN ('1', '2');
SELECT order_id, quantity, allocated, waiting, short, entered FROM line;
SELECT * FROM sums;
SELECT * FROM backorder.check_ledger('edits');

-- Cancelling.
UPDATE order_line SET cancelled = 1, cancel_reason = 'too many' WHERE order_id = '1';
SELECT order_id, quantity, cancelled, allocated, waiting, short, entered FROM line;
SELECT kind, cause, order_id, quantity, reason FROM story WHERE cause = 'cancel' ORDER BY journal_id;
-- everything of several lines at once, raising another by what is set free, lowering a third
UPDATE order_line SET
	cancelled = CASE order_id WHEN '1' THEN 9 ELSE cancelled END,
	quantity = CASE order_id WHEN '2' THEN 9 WHEN '3' THEN 1 ELSE quantity END
WHERE order_id IN ('1', '2', '3');
SELECT order_id, quantity, cancelled, allocated, waiting, short, entered, state FROM line;
SELECT * FROM sums;
-- cancelled and raised at once: the difference counts
UPDATE order_line SET cancelled = 2, quantity = 4 WHERE order_id = '4';
SELECT order_id, quantity, cancelled, allocated, waiting, short, entered FROM line WHERE order_id = '4';
\set VERBOSITY terse
UPDATE order_line SET cancelled = 1 WHERE order_id = '4';
UPDATE order_line SET cancelled = 5 WHERE order_id = '4';
UPDATE order_line SET cancelled = -1 WHERE order_id = '3';
UPDATE order_line SET cancelled = 'NaN' WHERE order_id = '4';
UPDATE order_line SET quantity = 1 WHERE order_id = '4';
UPDATE order_line SET quantity = 0 WHERE order_id = '4';
UPDATE order_line SET quantity = 'NaN' WHERE order_id = '4';
UPDATE order_line SET quantity = 'Infinity' WHERE order_id = '4';
UPDATE order_line SET quantity = NULL WHERE order_id = '4';
\set VERBOSITY default
SELECT * FROM backorder.check_ledger('edits');

-- The latest episode of waiting is given up first: 5 of entry, 3 of a raise.
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('5', 1, 'b', 5, '2024-01-01');
UPDATE order_line SET quantity = 8 WHERE order_id = '5';
UPDATE order_line SET cancelled = 4 WHERE order_id = '5';
SELECT cause, quantity, remaining, cancelled, outcome, closed_at IS NULL AS open FROM backorder WHERE item = 'b' ORDER BY backorder_id;
INSERT INTO stock_move (item, quantity) VALUES ('b', 3);
UPDATE order_line SET cancelled = 5 WHERE order_id = '5';
SELECT cause, quantity, remaining, cancelled, outcome, closed_at IS NULL AS open FROM backorder WHERE item = 'b' ORDER BY backorder_id;
-- a shipped part stays
SELECT quantity FROM ship('5', 1, 2);
\set VERBOSITY terse
UPDATE order_line SET cancelled = 7 WHERE order_id = '5';
UPDATE order_line SET quantity = 6 WHERE order_id = '5';
\set VERBOSITY default
UPDATE order_line SET cancelled = 6 WHERE order_id = '5';
SELECT order_id, quantity, cancelled, shipped, allocated, waiting, short, entered, state FROM line WHERE order_id = '5';
SELECT * FROM sums WHERE item = 'b';
SELECT * FROM backorder.check_ledger('edits');

-- Location: given up here, asked for there; what is set free serves those who wait here.
INSERT INTO stock_move (item, location, quantity) VALUES ('c', 'main', 5), ('c', 'north', 2);
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('6', 1, 'c', 4, '2024-01-01'), ('6', 2, 'c', 3, '2024-01-02');
UPDATE order_line SET location = 'north' WHERE order_id = '6' AND line_no = 1;
SELECT no, loc, quantity, allocated, waiting, short FROM line WHERE order_id = '6';
SELECT kind, cause, no, quantity FROM story WHERE order_id = '6' ORDER BY journal_id;
SELECT * FROM sums WHERE item = 'c';
-- both change places, one with a smaller quantity
UPDATE order_line SET location = CASE location WHEN 'main' THEN 'north' ELSE 'main' END, quantity = CASE line_no WHEN 1 THEN 4 ELSE 2 END WHERE order_id = '6';
SELECT no, loc, quantity, allocated, waiting, short, entered FROM line WHERE order_id = '6';
SELECT * FROM sums WHERE item = 'c';
\set VERBOSITY terse
UPDATE order_line SET location = 'nowhere' WHERE order_id = '6';
UPDATE order_line SET location = NULL WHERE order_id = '6';
\set VERBOSITY default
SELECT quantity FROM ship('6', 1, 1);
UPDATE order_line SET location = 'north' WHERE order_id = '6' AND line_no = 1;
SELECT no, loc, quantity, shipped, allocated, waiting FROM line WHERE order_id = '6';
-- a closed line moves too, to a place that exists
UPDATE order_line SET cancelled = quantity WHERE order_id = '6' AND line_no = 2;
UPDATE order_line SET location = 'main' WHERE order_id = '6' AND line_no = 2;
\set VERBOSITY terse
UPDATE order_line SET location = 'nowhere' WHERE order_id = '6' AND line_no = 2;
\set VERBOSITY default
SELECT * FROM backorder.check_ledger('edits');

-- What ranks a line re-ranks what waits, the line's backorders of whatever cause; what is in stock has no rank.
INSERT INTO priority_rule (name, condition, priority, head_start) VALUES
	('gold', '$.attributes.tier == "gold"', 2, '0'), ('urgent', '$.required_by.datetime() < "2024-03-01".datetime()', 1, '0'), ('ann', '$.customer == "ann"', 0, '10 days');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('7', 1, 'd', 1, '2024-01-01'), ('8', 1, 'd', 1, '2024-01-02'), ('9', 1, 'd', 1, '2024-01-03'), ('9', 2, 'd', 1, '2024-01-04');
CREATE VIEW ranking AS SELECT order_id, line_no AS no, priority, rank_at, rules, position FROM open_backorder WHERE item = 'd' ORDER BY position;
UPDATE order_line SET customer = 'ann' WHERE order_id = '8';
UPDATE order_line SET attributes = '{"tier": "gold"}' WHERE order_id = '9' AND line_no = 2;
UPDATE order_line SET required_by = '2024-02-01' WHERE order_id = '9' AND line_no = 1;
SELECT * FROM ranking;
UPDATE order_line SET priority = 3 WHERE order_id = '7';
UPDATE order_line SET customer = NULL WHERE order_id = '8';
SELECT * FROM ranking;
SELECT kind, cause, order_id, line_no, priority, rules FROM journal WHERE kind = 'reranked' ORDER BY journal_id;
-- nothing changes, nothing is written
UPDATE order_line SET priority = 3, customer = NULL WHERE order_id = '7';
SELECT count(*) FROM journal WHERE kind = 'reranked';
SELECT order_id, line_no, quantity FROM receive('d', 2);
UPDATE order_line SET priority = 100 WHERE order_id = '7';
SELECT count(*) FROM journal WHERE kind = 'reranked';
-- raised and ranked anew at once: both episodes
UPDATE order_line SET priority = 50, quantity = 3 WHERE order_id = '8';
SELECT order_id, no, priority, position FROM ranking;
SELECT * FROM backorder.check_ledger('edits');

-- Firm: no more than is allocated, and nobody's to take, not even the line's own editor's.
INSERT INTO stock_move (item, quantity) VALUES ('e', 3);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('10', 1, 'e', 5), ('10', 2, 'e', 5);
\set VERBOSITY terse
UPDATE order_line SET firm = 4 WHERE order_id = '10' AND line_no = 1;
UPDATE order_line SET firm = 1 WHERE order_id = '10' AND line_no = 2;
UPDATE order_line SET firm = -1 WHERE order_id = '10' AND line_no = 1;
UPDATE order_line SET firm = 'NaN' WHERE order_id = '10' AND line_no = 1;
\set VERBOSITY default
UPDATE order_line SET firm = 2 WHERE order_id = '10' AND line_no = 1;
UPDATE order_line SET cancelled = 2 WHERE order_id = '10' AND line_no = 1;
\set VERBOSITY terse
UPDATE order_line SET cancelled = 4 WHERE order_id = '10' AND line_no = 1;
UPDATE order_line SET quantity = 3 WHERE order_id = '10' AND line_no = 1;
UPDATE order_line SET location = 'north' WHERE order_id = '10' AND line_no = 1;
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '10' AND line_no = 1;
\set VERBOSITY default
UPDATE order_line SET cancelled = 3, firm = 2 WHERE order_id = '10' AND line_no = 1;
SELECT no, quantity, cancelled, firm, allocated, waiting FROM line WHERE order_id = '10';
UPDATE order_line SET location = 'north', firm = 0 WHERE order_id = '10' AND line_no = 1;
SELECT no, loc, quantity, cancelled, firm, allocated, waiting FROM line WHERE order_id = '10';
SELECT * FROM backorder.check_ledger('edits');

-- Frozen: the key always, the item and the time from entry on, and no DELETE then.
\set VERBOSITY terse
UPDATE order_line SET order_id = '11' WHERE order_id = '10';
UPDATE order_line SET line_no = 3 WHERE order_id = '10' AND line_no = 2;
UPDATE order_line SET item = 'a' WHERE order_id = '10';
UPDATE order_line SET placed_at = '2020-01-01' WHERE order_id = '10';
UPDATE order_line SET not_before = '-infinity' WHERE order_id = '10';
DELETE FROM order_line WHERE order_id = '10';
DELETE FROM order_line WHERE order_id = '1';
\set VERBOSITY default
-- the same values are no change; a column of the user's own is his
UPDATE order_line SET order_id = order_id, item = item, placed_at = placed_at, shipped = shipped, on_hold = on_hold, quantity = quantity + 0.00;
ALTER TABLE order_line ADD COLUMN note text;
UPDATE order_line SET note = 'x', demand_class = 'preorder', unit_price = 5, on_short = 'refuse';
UPDATE order_line SET quantity = 1 WHERE false;
DELETE FROM order_line WHERE false;
SELECT count(*) FILTER (WHERE note = 'x') AS noted, count(*) AS lines FROM order_line;
-- a time that is given later does not change when a line entered
UPDATE order_line SET not_before = '2024-06-01' WHERE order_id = '9';
SELECT line_no, placed_at, not_before, entered_at FROM order_line_status WHERE order_id = '9' ORDER BY line_no;
SELECT * FROM backorder.check_ledger('edits');

SET client_min_messages = warning;
DROP SCHEMA edits CASCADE;
