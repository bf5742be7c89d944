-- Lines that are no demand yet, or not any more: not_before in both directions, and release_due().
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('hold', 'UTC');
SET search_path = hold;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, lead_time) VALUES ('a', '3 days'), ('b', NULL), ('c', NULL), ('d', NULL);
CREATE VIEW line AS
	SELECT order_id, line_no AS no, item, location AS loc, quantity, cancelled, shipped, allocated, backordered AS waiting, backordered_at_entry AS short, entered_quantity AS entered, on_hold, state
	FROM order_line_status ORDER BY order_id, line_no;
CREATE VIEW sums AS SELECT item, location, on_hand, allocated, available, backordered FROM stock ORDER BY item, location;
CREATE VIEW story AS SELECT journal_id, kind, cause, order_id, line_no AS no, quantity, happened_at, reason FROM journal;

-- At INSERT: a time to come and infinity hold the line, a time that has come does not.
INSERT INTO stock_move (item, quantity) VALUES ('a', 10);
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, not_before) VALUES
	('1', 1, 'a', 2, '2024-01-01', NULL), ('1', 2, 'a', 2, '2024-01-01', '2024-02-01'), ('1', 3, 'a', 2, '2024-01-01', '2199-12-31'), ('1', 4, 'a', 2, '2024-01-01', 'infinity'),
	('1', 5, 'a', 99, '2024-01-01', '2199-12-31');
SELECT no, quantity, allocated, waiting, short, on_hold, state FROM line;
SELECT line_no, entered_at, expected_at, expected_basis FROM order_line_status ORDER BY line_no;
SELECT * FROM sums;
SELECT count(*) FROM journal;
\set VERBOSITY terse
-- it must be of an item and at a place that exist, all the same
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('2', 1, 'gone', 2, 'infinity');
INSERT INTO order_line (order_id, line_no, item, location, quantity, not_before) VALUES ('2', 1, 'a', 'gone', 2, 'infinity');
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('2', 1, 'a', 2, '-infinity');
\set VERBOSITY default

-- Before entry a line is free: quantity, item, location, time, cancellation, DELETE.
UPDATE order_line SET quantity = 3, item = 'b', location = 'north', placed_at = '2024-01-02', customer = 'ann', priority = 2 WHERE line_no = 3;
UPDATE order_line SET quantity = 1 WHERE line_no = 3;
UPDATE order_line SET item = 'a', location = 'main' WHERE line_no = 3;
DELETE FROM order_line WHERE line_no = 5;
SELECT no, item, quantity, allocated, waiting, short, entered, on_hold FROM line;
SELECT count(*) FROM journal;
\set VERBOSITY terse
UPDATE order_line SET item = 'gone' WHERE line_no = 3;
UPDATE order_line SET firm = 1 WHERE line_no = 3;
UPDATE order_line SET order_id = 'x' WHERE line_no = 3;
UPDATE order_line SET on_hold = false WHERE line_no = 3;
UPDATE order_line SET entered_at = now() WHERE line_no = 3;
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 3, 1);
\set VERBOSITY default
SELECT * FROM backorder.check_ledger('hold');

-- Entering: by a change of not_before. Its time is the later of placed_at and not_before, as the UPDATE says.
UPDATE order_line SET quantity = 9 WHERE line_no = 4;
UPDATE order_line SET not_before = '2024-03-01' WHERE line_no = 4;
UPDATE order_line SET not_before = NULL WHERE line_no = 3;
SELECT no, quantity, allocated, waiting, short, entered, state FROM line;
SELECT line_no, entered_at FROM order_line_status ORDER BY line_no;
SELECT kind, cause, no, quantity, happened_at FROM story ORDER BY journal_id;
-- part of it was cancelled before: what entered is what was left
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, not_before) VALUES ('3', 1, 'b', 5, '2024-01-01', 'infinity'), ('3', 2, 'b', 5, '2024-01-01', 'infinity');
UPDATE order_line SET cancelled = 2, cancel_reason = 'less' WHERE order_id = '3' AND line_no = 1;
UPDATE order_line SET cancelled = 5 WHERE order_id = '3' AND line_no = 2;
SELECT no, quantity, cancelled, state FROM line WHERE order_id = '3';
UPDATE order_line SET not_before = NULL WHERE order_id = '3';
SELECT no, quantity, cancelled, waiting, short, entered, on_hold, state FROM line WHERE order_id = '3';
SELECT kind, cause, no, quantity, reason FROM story WHERE order_id = '3' ORDER BY journal_id;
-- all of it was: it never entered, and may still be deleted
DELETE FROM order_line WHERE order_id = '3' AND line_no = 2;
-- quantity raised and cancelled in the statement that lets the line go
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, not_before) VALUES ('3', 3, 'b', 5, '2024-01-01', 'infinity');
UPDATE order_line SET not_before = NULL, quantity = 8, cancelled = 1 WHERE order_id = '3' AND line_no = 3;
SELECT no, quantity, cancelled, waiting, short, entered FROM line WHERE order_id = '3';
SELECT * FROM backorder.check_ledger('hold');

-- Held again after entry: what it waits for and what it holds is given up; the facts stay.
SELECT * FROM sums WHERE item = 'a';
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('4', 1, 'a', 3, '2024-04-01');
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '1' AND line_no = 4;
SELECT order_id, no, quantity, allocated, waiting, short, entered, on_hold, state FROM line WHERE item = 'a';
SELECT kind, cause, order_id, no, quantity FROM story WHERE journal_id > (SELECT max(journal_id) FROM story WHERE order_id = '4' AND kind = 'backordered') ORDER BY journal_id;
SELECT line_no, not_before, entered_at FROM order_line WHERE order_id = '1' ORDER BY line_no;
SELECT * FROM sums WHERE item = 'a';
-- while it is held: quantity and cancelled change without effect on stock; no DELETE, no other item
UPDATE order_line SET quantity = 12 WHERE order_id = '1' AND line_no = 4;
UPDATE order_line SET cancelled = 1, cancel_reason = 'a little less' WHERE order_id = '1' AND line_no = 4;
\set VERBOSITY terse
DELETE FROM order_line WHERE order_id = '1' AND line_no = 4;
UPDATE order_line SET item = 'b' WHERE order_id = '1' AND line_no = 4;
UPDATE order_line SET placed_at = now() WHERE order_id = '1' AND line_no = 4;
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 4, 1);
\set VERBOSITY default
SELECT * FROM sums WHERE item = 'a';
SELECT * FROM backorder.check_ledger('hold');
-- let go: a placement, behind those who wait, but no new first-time figure
UPDATE order_line SET not_before = NULL WHERE order_id = '1' AND line_no = 4;
SELECT order_id, no, quantity, cancelled, allocated, waiting, short, entered, on_hold, state FROM line WHERE item = 'a';
SELECT kind, cause, quantity, reason FROM story WHERE order_id = '1' AND no = 4 ORDER BY journal_id;
SELECT line_no, entered_at FROM order_line WHERE order_id = '1' ORDER BY line_no;
SELECT cause, quantity, remaining, outcome FROM backorder WHERE order_id = '1' ORDER BY backorder_id;
-- held and let go by one statement for several lines; held at another place
UPDATE order_line SET not_before = CASE order_id WHEN '4' THEN 'infinity'::timestamptz END, location = CASE order_id WHEN '4' THEN 'north' ELSE location END WHERE order_id IN ('1', '4');
SELECT order_id, no, loc, quantity, allocated, waiting, short, state FROM line WHERE item = 'a';
UPDATE order_line SET not_before = NULL, location = 'main', quantity = 1 WHERE order_id = '4';
SELECT order_id, no, loc, quantity, allocated, waiting, short, entered, state FROM line WHERE order_id = '4';
-- partly shipped, held, let go
SELECT quantity FROM ship('1', 1, 1);
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '1' AND line_no = 1;
SELECT no, shipped, allocated, state FROM line WHERE order_id = '1' AND no = 1;
UPDATE order_line SET not_before = '2024-01-01' WHERE order_id = '1' AND line_no = 1;
SELECT no, shipped, allocated, state FROM line WHERE order_id = '1' AND no = 1;
SELECT * FROM backorder.check_ledger('hold');

-- release_due(): lines whose time has come.  Here "now" is the start of the transaction; a line is due some milliseconds later.
INSERT INTO stock_move (item, quantity) VALUES ('c', 4);
BEGIN;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, not_before) VALUES
	('5', 2, 'c', 3, '2024-01-02', clock_timestamp() + '1 millisecond'), ('5', 1, 'c', 3, '2024-01-01', clock_timestamp() + '2 milliseconds'), ('6', 1, 'c', 1, '2024-01-01', '2199-12-31'),
	('6', 2, 'c', 1, '2024-01-01', 'infinity');
SELECT order_id, no, on_hold FROM line WHERE item = 'c';
SELECT * FROM release_due();
COMMIT;
DO $$ BEGIN WHILE (SELECT max(not_before) FROM order_line WHERE order_id = '5') >= clock_timestamp() LOOP END LOOP; END $$;
-- in the order of their times: 5/2 was to come first
SELECT * FROM release_due();
SELECT * FROM release_due();
SELECT order_id, no, allocated, waiting, short, on_hold FROM line WHERE item = 'c';
SELECT kind, cause, order_id, no, quantity FROM story WHERE order_id IN ('5', '6') ORDER BY journal_id;
-- touching a line whose time has come lets it enter too
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('7', 1, 'c', 1, clock_timestamp() + '1 millisecond');
DO $$ BEGIN WHILE (SELECT not_before FROM order_line WHERE order_id = '7') >= clock_timestamp() LOOP END LOOP; END $$;
SELECT state FROM line WHERE order_id = '7';
UPDATE order_line SET customer = 'ann' WHERE order_id = '7';
SELECT state FROM line WHERE order_id = '7';
SELECT * FROM backorder.check_ledger('hold');

-- Nothing open: shipped, held, let go, and units that come back
INSERT INTO stock_move (item, quantity) VALUES ('d', 5);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('8', 1, 'd', 5);
SELECT quantity FROM ship('8');
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '8';
UPDATE order_line SET not_before = NULL WHERE order_id = '8';
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '8', 1, 2);
SELECT shipped, allocated, waiting, state FROM line WHERE order_id = '8';
SELECT * FROM sums WHERE item = 'd';
SELECT * FROM backorder.check_ledger('hold');

SET client_min_messages = warning;
DROP SCHEMA hold CASCADE;
