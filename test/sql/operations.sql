-- The functions of a ledger: what each returns, several calls in one statement and one transaction, and bad arguments.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('ops', 'UTC');
SET search_path = ops;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item) VALUES ('a'), ('b'), ('c'), ('d');
CREATE VIEW line AS SELECT order_id, line_no AS no, item, location AS loc, quantity, cancelled, shipped, firm, allocated, backordered AS waiting, state FROM order_line_status ORDER BY order_id, line_no;
CREATE VIEW sums AS SELECT item, location, on_hand, allocated, available, backordered FROM stock ORDER BY item, location;

-- receive: who got it, in the order in which they were served, and what is left
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES ('1', 1, 'a', 4, 'ann', '2024-01-01'), ('1', 2, 'a', 3, NULL, '2024-01-02'), ('2', 1, 'a', 2, 'bob', '2023-12-31');
SELECT order_id, line_no, customer, quantity FROM receive('a', 5, reference => 'PO 1', idempotency_key => 'k1', moved_at => '2024-02-01');
UPDATE order_line SET quantity = 6 WHERE order_id = '1' AND line_no = 1;
-- two episodes of one line are one row
SELECT order_id, line_no, customer, quantity FROM receive('a', 10, 'main');
SELECT order_id, line_no, customer, quantity FROM receive('a', 1, 'north');
SELECT kind, item, location, quantity, reference, idempotency_key FROM stock_move ORDER BY move_id;
-- ship: a line, part of it, all that is allocated of an order
SELECT * FROM ship('1', 1, 2, 'DN 1');
SELECT * FROM ship('1', 1);
SELECT * FROM ship('1');
SELECT * FROM ship('1');
SELECT reference FROM stock_move WHERE kind = 'shipment' ORDER BY move_id;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('3', 1, 'a', 2), ('3', 2, 'a', 6), ('3', 3, 'b', 1);
SELECT * FROM ship('3');
SELECT * FROM line WHERE order_id IN ('1', '3');
-- cancel: part of a line, a line, an order; what waited and what was allocated
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('4', 1, 'b', 9), ('4', 2, 'b', 1), ('4', 3, 'a', 1);
SELECT quantity FROM receive('b', 4);
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('4', 4, 'b', 5, 'infinity');
SELECT * FROM cancel('4', 1, 7, 'too many');
SELECT * FROM cancel('4', 1);
SELECT * FROM cancel('4', reason => 'all of it');
SELECT * FROM cancel('4');
SELECT order_id, line_no, cancelled, cancel_reason FROM order_line WHERE order_id = '4' ORDER BY line_no;
SELECT * FROM sums;
-- firm units stay
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('5', 1, 'b', 3);
UPDATE order_line SET firm = 2 WHERE order_id = '5';
\set VERBOSITY terse
SELECT * FROM cancel('5', 1, 2);
\set VERBOSITY default
SELECT * FROM cancel('5', 1);
SELECT * FROM cancel('5', 1);
SELECT * FROM line WHERE order_id = '5';
SELECT * FROM backorder.check_ledger('ops');

-- record_count: the difference to what should be on hand, and who lost; nothing where the count is right
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('6', 1, 'c', 4, '2024-01-01'), ('6', 2, 'c', 4, '2024-01-02');
SELECT quantity FROM receive('c', 10);
SELECT difference, order_id, line_no, quantity FROM record_count('c', 10);
SELECT difference, order_id, line_no, quantity FROM record_count('c', 9, 'main', 'stocktaking');
SELECT difference, order_id, line_no, quantity FROM record_count('c', 3);
SELECT difference, order_id, line_no, quantity FROM record_count('c', 12);
SELECT difference, order_id, line_no, quantity FROM record_count('c', 0);
SELECT difference, order_id, line_no, quantity FROM record_count('c', 2.5, 'north');
SELECT difference, order_id, line_no, quantity FROM record_count('d', 0);
SELECT kind, quantity, reference FROM stock_move WHERE item = 'c' AND kind = 'adjustment' ORDER BY move_id;
SELECT * FROM sums WHERE item = 'c';
-- transfer: both moves, with the lines that lost and got
INSERT INTO order_line (order_id, line_no, item, location, quantity, placed_at) VALUES ('7', 1, 'd', 'main', 3, '2024-01-01'), ('7', 2, 'd', 'north', 3, '2024-01-02'), ('7', 3, 'd', 'north', 3, '2024-01-03');
SELECT quantity FROM receive('d', 5);
SELECT kind, order_id, line_no, quantity FROM transfer('d', 'main', 'north', 1);
SELECT kind, order_id, line_no, quantity FROM transfer('d', 'main', 'north', 4, 'T 1');
SELECT kind, item, location, quantity, reference FROM stock_move WHERE item = 'd' ORDER BY move_id;
SELECT order_id, no, loc, allocated, waiting FROM line WHERE item = 'd';
-- reallocate: by hand, out of turn; the first waits with its old rank
SELECT reallocate('7', 2, '7', 3, 1, 'a favour');
SELECT no, loc, allocated, waiting FROM line WHERE item = 'd';
SELECT kind, cause, line_no, quantity, reason FROM journal WHERE item = 'd' AND cause = 'reallocated' ORDER BY journal_id;
SELECT line_no, cause, quantity, remaining, rank_at FROM backorder WHERE item = 'd' AND cause = 'reallocated';
INSERT INTO order_line (order_id, line_no, item, location, quantity, placed_at) VALUES ('7', 4, 'd', 'north', 1, '2024-01-01 12:00');
SELECT line_no, quantity FROM receive('d', 1, 'north');
SELECT line_no, quantity FROM receive('d', 1, 'north');
INSERT INTO order_line (order_id, line_no, item, location, quantity) VALUES ('7', 5, 'd', 'north', 1);
SELECT * FROM backorder.check_ledger('ops');

-- Several calls in one statement, in one transaction and in a block: each tells what it did itself.
SELECT n, order_id, quantity FROM generate_series(1, 3) AS n, LATERAL receive('a', n) ORDER BY n, order_id;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('8', 1, 'a', 5), ('9', 1, 'a', 5);
SELECT ship('8', 1, 1), ship('8', 1, 2);
SELECT n, s.* FROM generate_series(1, 2) AS n, LATERAL ship('9', 1, n) AS s ORDER BY n;
BEGIN;
SELECT order_id, cancelled FROM cancel('8', 1, 1);
SELECT order_id, cancelled FROM cancel('8', 1, 1);
SELECT difference FROM record_count('a', 100);
SELECT difference FROM record_count('a', 100);
SELECT difference FROM record_count('a', 99);
SELECT kind, quantity FROM transfer('a', 'main', 'north', 1);
SELECT kind, quantity FROM transfer('a', 'main', 'north', 2);
COMMIT;
DO $$
DECLARE
	r record;
BEGIN
	FOR i IN 1..2 LOOP
		FOR r IN SELECT * FROM receive('a', i) LOOP
			RAISE NOTICE 'received %', r.quantity;
		END LOOP;
		FOR r IN SELECT * FROM ship('9', 1, 0.5) LOOP
			RAISE NOTICE 'shipped %, open %', r.quantity, r.open;
		END LOOP;
		FOR r IN SELECT * FROM cancel('9', 1, 0.25) LOOP
			RAISE NOTICE 'cancelled %', r.cancelled;
		END LOOP;
		FOR r IN SELECT * FROM place_order('in a block ' || i, '[{"item": "d", "quantity": 1}]') LOOP
			RAISE NOTICE 'placed %/%, % backordered', r.order_id, r.line_no, r.backordered;
		END LOOP;
	END LOOP;
END
$$;
SELECT * FROM line WHERE order_id IN ('8', '9');
SELECT * FROM backorder.check_ledger('ops');

-- Bad arguments: a clear error, and nothing is done.
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('10', 1, 'a', 1, 'infinity');
\set VERBOSITY terse
SELECT * FROM receive('a', 0);
SELECT * FROM receive('a', -1);
SELECT * FROM receive('a', NULL);
SELECT * FROM receive('a', 'NaN');
SELECT * FROM receive('a', 'Infinity');
SELECT * FROM receive(NULL, 1);
SELECT * FROM receive('gone', 1);
SELECT * FROM receive('a', 1, 'gone');
SELECT * FROM receive('a', 1, moved_at => NULL);
SELECT * FROM receive('a', 1, moved_at => 'infinity');
SELECT * FROM receive('a', 1, idempotency_key => 'k1');
SELECT * FROM ship('gone');
SELECT * FROM ship('1', 99);
SELECT * FROM ship(NULL);
SELECT * FROM ship('9', 1, 0);
SELECT * FROM ship('9', 1, -1);
SELECT * FROM ship('9', 1, 'NaN');
SELECT * FROM ship('9', 1, 'Infinity');
SELECT * FROM ship('9', 1, 1000);
SELECT * FROM ship('10', 1, 1);
SELECT * FROM cancel('gone');
SELECT * FROM cancel('1', 99);
SELECT * FROM cancel(NULL);
SELECT * FROM cancel('9', 1, 1000);
SELECT * FROM cancel('9', 1, 0);
SELECT * FROM cancel('9', 1, -1);
SELECT * FROM cancel('9', 1, 'NaN');
SELECT * FROM cancel('9', 1, 'Infinity');
SELECT * FROM record_count('gone', 1);
SELECT * FROM record_count('a', 1, 'gone');
SELECT * FROM record_count(NULL, 1);
SELECT * FROM record_count('a', -1);
SELECT * FROM record_count('a', 'NaN');
SELECT * FROM record_count('a', 'Infinity');
SELECT * FROM record_count('a', NULL);
SELECT * FROM record_count('a', 1, moved_at => 'infinity');
SELECT * FROM transfer('gone', 'main', 'north', 1);
SELECT * FROM transfer('a', 'main', 'gone', 1);
SELECT * FROM transfer('a', 'gone', 'main', 1);
SELECT * FROM transfer('a', 'main', 'north', 0);
SELECT * FROM transfer('a', 'main', 'north', -1);
SELECT * FROM transfer('a', 'main', 'north', NULL);
SELECT * FROM transfer('a', 'main', 'north', 'NaN');
SELECT * FROM transfer('a', 'main', 'north', 100000);
SELECT * FROM transfer(NULL, 'main', 'north', 1);
SELECT * FROM transfer('a', 'main', 'main', 1);
SELECT reallocate('9', 1, '9', 1, 1);
SELECT reallocate('9', 1, 'gone', 1, 1);
SELECT reallocate('gone', 1, '9', 1, 1);
SELECT reallocate('9', 1, '7', 1, 1);
SELECT reallocate('7', 2, '7', 1, 1);
SELECT reallocate('7', 3, '7', 5, 100);
SELECT reallocate('7', 3, '7', 5, 2);
SELECT reallocate('7', 2, '7', 3, 1);
SELECT reallocate('7', 3, '7', 5, 0);
SELECT reallocate('7', 3, '7', 5, -1);
SELECT reallocate('7', 3, '7', 5, 'NaN');
SELECT reallocate('7', 3, '7', 5, 'Infinity');
SELECT reallocate('7', 3, '7', 5, NULL);
SELECT reallocate(NULL, 3, '7', 5, 1);
UPDATE order_line SET firm = 3 WHERE order_id = '7' AND line_no = 3;
SELECT reallocate('7', 3, '7', 5, 1);
SELECT * FROM allocate('gone');
SELECT * FROM allocate('a', 'gone');
SELECT * FROM allocate(NULL);
SELECT * FROM allocate('a', quantity => 0);
SELECT * FROM allocate('a', quantity => -1);
SELECT * FROM allocate('a', quantity => 'NaN');
SELECT * FROM allocate('a', quantity => 'Infinity');
-- and their SQLSTATEs
\set VERBOSITY sqlstate
SELECT * FROM receive('a', 0);
SELECT * FROM receive('a', NULL);
SELECT * FROM receive('gone', 1);
SELECT * FROM receive('a', 1, idempotency_key => 'k1');
SELECT * FROM ship('gone');
SELECT * FROM ship(NULL);
SELECT * FROM ship('9', 1, 0);
SELECT * FROM ship('9', 1, 1000);
SELECT * FROM ship('10', 1, 1);
SELECT * FROM cancel('gone');
SELECT * FROM cancel('9', 1, 1000);
SELECT * FROM cancel('9', 1, 'NaN');
SELECT * FROM record_count('gone', 1);
SELECT * FROM record_count('a', -1);
SELECT * FROM record_count('a', NULL);
SELECT * FROM transfer('a', 'main', 'gone', 1);
SELECT * FROM transfer('a', 'main', 'north', -1);
SELECT * FROM transfer('a', 'main', 'north', 100000);
SELECT * FROM transfer('a', 'main', 'main', 1);
SELECT reallocate('9', 1, '9', 1, 1);
SELECT reallocate('9', 1, 'gone', 1, 1);
SELECT reallocate('9', 1, '7', 1, 1);
SELECT reallocate('7', 2, '7', 5, 100);
SELECT reallocate('7', 2, '7', 5, 2);
SELECT reallocate('7', 3, '7', 5, 1);
SELECT reallocate('7', 3, '7', 5, 0);
SELECT reallocate(NULL, 3, '7', 5, 1);
SELECT * FROM allocate('gone');
SELECT * FROM allocate('a', quantity => 0);
\set VERBOSITY default
-- a simple expression of PL/pgSQL, with a trigger of the user's on the slots
CREATE FUNCTION slot_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN NULL;
END
$$;
CREATE TRIGGER slot_written AFTER INSERT OR UPDATE ON stock_slot FOR EACH ROW EXECUTE FUNCTION slot_written();
UPDATE item SET auto_allocate = false WHERE item = 'd';
SELECT quantity FROM receive('d', 1, 'north');
DO $$
DECLARE
	given numeric;
BEGIN
	given := backorder.serve_queue('ops.order_line', 'd', 'north', 1);
	RAISE NOTICE 'given %', given;
	given := ops.reallocate('7', 2, '7', 3, 1);
EXCEPTION WHEN check_violation THEN
	RAISE NOTICE '%', sqlerrm;
END
$$;
SELECT * FROM backorder.check_ledger('ops');

SET client_min_messages = warning;
DROP SCHEMA ops CASCADE;
