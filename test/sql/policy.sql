-- What an item says about running short: on_short, backorder_limit, auto_allocate.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('policy', 'UTC');
SET search_path = policy;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, on_short) VALUES ('patient', 'backorder'), ('now', 'cancel'), ('never', 'refuse');
CREATE VIEW line AS
	SELECT order_id, line_no AS no, item, quantity, cancelled, allocated, backordered AS waiting, backordered_at_entry AS short, entered_quantity AS entered, state FROM order_line_status ORDER BY order_id, line_no;
CREATE VIEW sums AS SELECT item, location, on_hand, allocated, available, backordered FROM stock ORDER BY item, location;
INSERT INTO stock_move (item, quantity) VALUES ('patient', 5), ('now', 5), ('never', 5);

-- The item's default, and the line's own word before it
INSERT INTO order_line (order_id, line_no, item, quantity, on_short) VALUES
	('1', 1, 'patient', 3, NULL), ('1', 2, 'patient', 3, NULL), ('1', 3, 'patient', 3, 'cancel'),
	('2', 1, 'now', 3, NULL), ('2', 2, 'now', 3, NULL), ('2', 3, 'now', 3, 'backorder'), ('2', 4, 'now', 2.5, NULL),
	('3', 1, 'never', 5, NULL), ('3', 2, 'never', 1, 'backorder'), ('3', 3, 'never', 1, 'cancel');
SELECT * FROM line;
SELECT order_id, line_no, quantity, remaining, cancelled, cause, outcome, opened_at = closed_at AS at_once FROM backorder ORDER BY backorder_id;
SELECT kind, cause, order_id, line_no, quantity FROM journal ORDER BY journal_id;
-- lost sales count: they were demand, short, and cancelled
SELECT fill_rate(item => 'now'), backorder_cancellation_rate(item => 'now');
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('4', 1, 'never', 1);
INSERT INTO order_line (order_id, line_no, item, quantity, on_short) VALUES ('4', 1, 'patient', 1, 'refuse');
INSERT INTO order_line (order_id, line_no, item, quantity, on_short) VALUES ('4', 1, 'patient', 1, 'perhaps');
\set VERBOSITY default
-- one line refused, the whole statement fails; enough for one of two goes by who is first, and the other one is refused
INSERT INTO stock_move (item, quantity) VALUES ('never', 9);
SELECT * FROM sums;
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('4', 1, 'patient', 1), ('4', 2, 'never', 9);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('4', 1, 'never', 4), ('4', 2, 'never', 5);
\set VERBOSITY default
SELECT count(*) FROM order_line WHERE order_id = '4';
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('4', 1, 'never', 4), ('4', 2, 'never', 4);
SELECT * FROM sums;
SELECT * FROM backorder.check_ledger('policy');

-- It holds for every placement: a raise, a line that enters, one let go again, one that moves.
\set VERBOSITY terse
UPDATE order_line SET quantity = 5 WHERE order_id = '4' AND line_no = 1;
UPDATE order_line SET location = 'north' WHERE order_id = '4' AND line_no = 1;
\set VERBOSITY default
UPDATE order_line SET quantity = 6 WHERE order_id = '2' AND line_no = 1;
SELECT quantity, cancelled, allocated, waiting, short, entered FROM line WHERE order_id = '2' AND no = 1;
UPDATE order_line SET quantity = 8, on_short = 'backorder' WHERE order_id = '2' AND line_no = 1;
SELECT quantity, cancelled, allocated, waiting, short, entered FROM line WHERE order_id = '2' AND no = 1;
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('5', 1, 'never', 2, 'infinity'), ('5', 2, 'now', 2, 'infinity');
\set VERBOSITY terse
UPDATE order_line SET not_before = NULL WHERE order_id = '5';
\set VERBOSITY default
UPDATE order_line SET not_before = NULL WHERE order_id = '5' AND line_no = 2;
SELECT no, quantity, cancelled, allocated, waiting, short, entered, state FROM line WHERE order_id = '5';
UPDATE order_line SET location = 'north' WHERE order_id = '2' AND line_no = 2;
SELECT no, quantity, cancelled, allocated, waiting, short, entered, state FROM line WHERE order_id = '2';
-- but not for what is taken away later: a loss opens a backorder whatever the line says
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'never', -1);
SELECT order_id, no, allocated, waiting, short FROM line WHERE item = 'never';
SELECT * FROM backorder.check_ledger('policy');

-- backorder_limit: open backordered units of an item at a location; beyond it the order fails.
INSERT INTO item (item, backorder_limit) VALUES ('few', 3), ('none', 0);
INSERT INTO stock_move (item, quantity) VALUES ('few', 2), ('none', 2);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 1, 'few', 4);
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 2, 'few', 2);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 2, 'few', 0.5), ('6', 3, 'few', 0.6);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 2, 'none', 3);
UPDATE order_line SET quantity = 6 WHERE order_id = '6';
\set VERBOSITY default
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 2, 'few', 0.5), ('6', 3, 'few', 0.5);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 4, 'none', 2);
-- each location counts by itself; what is cancelled at once does not count; the limit is on what waits
INSERT INTO order_line (order_id, line_no, item, location, quantity) VALUES ('6', 5, 'few', 'north', 3);
INSERT INTO order_line (order_id, line_no, item, quantity, on_short) VALUES ('6', 6, 'few', 5, 'cancel');
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 7, 'few', 0.001);
\set VERBOSITY default
UPDATE order_line SET cancelled = 1 WHERE order_id = '6' AND line_no = 1;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 7, 'few', 1);
SELECT no, item, quantity, cancelled, allocated, waiting, state FROM line WHERE order_id = '6';
-- lines on hold do not wait, and are refused when they enter; a loss goes beyond the limit
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('6', 8, 'few', 9, 'infinity');
\set VERBOSITY terse
UPDATE order_line SET not_before = NULL WHERE order_id = '6' AND line_no = 8;
\set VERBOSITY default
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'few', -2), ('adjustment', 'none', -1);
SELECT item, location, units FROM shortage WHERE item IN ('few', 'none') ORDER BY 1, 2;
-- a limit that is lowered under what waits already lets nobody else wait, and takes nobody out
UPDATE item SET backorder_limit = 1 WHERE item = 'few';
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 9, 'few', 1);
UPDATE item SET backorder_limit = -1;
UPDATE item SET backorder_limit = 'NaN';
UPDATE item SET on_short = 'perhaps';
\set VERBOSITY default
UPDATE item SET backorder_limit = NULL WHERE item = 'few';
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 9, 'few', 1000);
SELECT * FROM backorder.check_ledger('policy');

-- auto_allocate = false: what comes in stays available, and an entering line takes nothing while anybody waits.
INSERT INTO item (item, auto_allocate) VALUES ('dealt', false);
INSERT INTO stock_move (item, quantity) VALUES ('dealt', 3);
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('7', 1, 'dealt', 2, '2024-01-01'), ('7', 2, 'dealt', 3, '2024-01-02');
SELECT no, allocated, waiting, short FROM line WHERE order_id = '7';
INSERT INTO stock_move (item, quantity) VALUES ('dealt', 4);
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('7', 3, 'dealt', 2, '2024-01-03');
SELECT no, allocated, waiting, short FROM line WHERE order_id = '7';
UPDATE order_line SET quantity = 1 WHERE order_id = '7' AND line_no = 1;
UPDATE order_line SET quantity = 2 WHERE order_id = '7' AND line_no = 1;
SELECT no, allocated, waiting FROM line WHERE order_id = '7';
SELECT * FROM sums WHERE item = 'dealt';
-- by hand: the head of the queue, as far as the quantity goes
SELECT * FROM allocate('dealt', quantity => 1.5);
SELECT * FROM allocate('dealt', 'north');
SELECT * FROM allocate('dealt', 'main', 1);
SELECT no, allocated, waiting FROM line WHERE order_id = '7';
SELECT kind, cause, line_no, quantity, move_id FROM journal WHERE order_id = '7' AND kind = 'filled' ORDER BY journal_id;
-- back to automatic: what is available serves the queue at once
UPDATE item SET description = 'x' WHERE item = 'dealt';
SELECT * FROM sums WHERE item = 'dealt';
UPDATE item SET auto_allocate = true WHERE item = 'dealt';
SELECT no, allocated, waiting FROM line WHERE order_id = '7';
SELECT * FROM sums WHERE item = 'dealt';
SELECT * FROM allocate('dealt');
-- and off again, with a queue that is empty: entering lines take what there is
UPDATE item SET auto_allocate = false WHERE item = 'dealt';
INSERT INTO stock_move (item, quantity) VALUES ('dealt', 5);
SELECT * FROM allocate('dealt');
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('8', 1, 'dealt', 2);
SELECT no, allocated, waiting FROM line WHERE order_id = '8';
SELECT * FROM sums WHERE item = 'dealt';
-- several items at once, some of them with nothing to give
INSERT INTO item (item, auto_allocate) SELECT 'item ' || n, false FROM generate_series(1, 20) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT '9', n, 'item ' || n, 2 FROM generate_series(1, 20) AS n;
INSERT INTO stock_move (item, quantity) SELECT 'item ' || n, n % 4 FROM generate_series(1, 20) AS n WHERE n % 4 > 0;
UPDATE item SET auto_allocate = true;
SELECT sum(allocated) AS allocated, sum(waiting) AS waiting FROM line WHERE order_id = '9';
SELECT sum(least(2, n % 4)) AS expected FROM generate_series(1, 20) AS n;
SELECT * FROM backorder.check_ledger('policy');

SET client_min_messages = warning;
DROP SCHEMA policy CASCADE;
