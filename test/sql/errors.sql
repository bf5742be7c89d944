-- Messages as a user reads them, whole: message, detail, hint; then SQLSTATE, table and constraint as an application sees them.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\pset null NULL
SELECT backorder.create_ledger('err', 'UTC');
SET search_path = err;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, on_short, backorder_limit) VALUES ('a', 'backorder', NULL), ('refused', 'refuse', NULL), ('limited', 'backorder', 2);
SELECT quantity FROM receive('a', 5, idempotency_key => 'k');
SELECT quantity FROM receive('refused', 1);
SELECT quantity FROM receive('limited', 1);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 3), ('1', 2, 'a', 3), ('1', 3, 'limited', 2);
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('1', 4, 'a', 3, 'infinity');

-- unknown things
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'gone', 1);
INSERT INTO order_line (order_id, line_no, item, location, quantity) VALUES ('2', 1, 'a', 'gone', 1);
INSERT INTO stock_move (item, quantity) VALUES ('gone', 1);
INSERT INTO stock_move (item, location, quantity) VALUES ('a', 'gone', 1);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '2', 1, 1);
INSERT INTO stock_move (kind, item, location, order_id, line_no, quantity) VALUES ('shipment', 'a', 'main', '2', 1, 1);
SELECT * FROM ship('2');
SELECT * FROM ship('1', 9);
-- what is wanted cannot be had
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'refused', 4);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'limited', 1.5);
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'a', -6);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 1, 4);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 4, 1);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '1', 1, 1);
INSERT INTO stock_move (kind, item, location, order_id, line_no, quantity) VALUES ('shipment', 'limited', 'main', '1', 1, 1);
INSERT INTO stock_move (kind, item, location, order_id, line_no, quantity) VALUES ('shipment', 'a', 'north', '1', 1, 1);
SELECT * FROM receive('a', 5, idempotency_key => 'k');
UPDATE order_line SET firm = 3 WHERE order_id = '1' AND line_no = 2;
SELECT reallocate('1', 1, '1', 2, 2);
SELECT reallocate('1', 1, '1', 2, 9);
SELECT reallocate('1', 1, '1', 3, 1);
SELECT reallocate('1', 1, '1', 1, 1);
SELECT * FROM allocate('a', quantity => -1);
SELECT * FROM transfer('a', 'main', 'main', 1);
-- what cannot be changed any more, or not like this
UPDATE order_line SET shipped = 1 WHERE order_id = '1' AND line_no = 1;
UPDATE order_line SET item = 'limited' WHERE order_id = '1' AND line_no = 1;
UPDATE order_line SET placed_at = '2000-01-01' WHERE order_id = '1' AND line_no = 1;
UPDATE order_line SET order_id = '2' WHERE order_id = '1' AND line_no = 1;
DELETE FROM order_line WHERE order_id = '1' AND line_no = 1;
UPDATE order_line SET cancelled = 1 WHERE order_id = '1' AND line_no = 4;
UPDATE order_line SET cancelled = 0 WHERE order_id = '1' AND line_no = 4;
INSERT INTO order_line (order_id, line_no, item, quantity, shipped) VALUES ('2', 1, 'a', 1, 1);
UPDATE stock_slot SET available = 1;
UPDATE backorder SET remaining = 1;
UPDATE journal SET quantity = 1;
DELETE FROM stock_move;
INSERT INTO ledger (version, time_zone) VALUES ('1', 'UTC');
UPDATE ledger SET version = '7';
TRUNCATE journal;
UPDATE item SET item = 'b' WHERE item = 'a';
UPDATE location SET location = 'south' WHERE location = 'north';
DELETE FROM item WHERE item = 'a';
-- wrong values
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 0);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 'NaN');
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('', 1, 'a', 1);
INSERT INTO order_line (order_id, line_no, item, quantity, attributes) VALUES ('2', 1, 'a', 1, '[1]');
INSERT INTO order_line (order_id, line_no, item, quantity, on_short) VALUES ('2', 1, 'a', 1, 'perhaps');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('2', 1, 'a', 1, 'infinity');
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('2', 1, 'a', 1, '-infinity');
INSERT INTO order_line (order_id, line_no, item, quantity, unit_price) VALUES ('2', 1, 'a', 1, 'NaN');
UPDATE order_line SET cancelled = 4 WHERE order_id = '1' AND line_no = 2;
UPDATE order_line SET firm = -1 WHERE order_id = '1' AND line_no = 2;
INSERT INTO priority_rule (name, condition) VALUES ('vip', '$.attributes.vip');
INSERT INTO priority_rule (name, condition) VALUES ('vip', '$.customer == $vip');
INSERT INTO priority_rule (name, condition) VALUES ('vip', '$.customer = "x"');
-- looking after ledgers
SELECT backorder.create_ledger('err');
SELECT backorder.create_ledger('mars', 'Mars');
SELECT backorder.upgrade_ledger('public');
SELECT * FROM backorder.check_ledger('nowhere');
SET SESSION AUTHORIZATION stranger;
SELECT backorder.empty_ledger('err');
SELECT err.reprioritize();
-- the view or the table below it: not the same in every version
\set VERBOSITY sqlstate
SELECT * FROM err.ship('1');
\set VERBOSITY default
SELECT * FROM err.receive('a', 1);
SET SESSION AUTHORIZATION merchant;

-- what an application catches
CREATE FUNCTION caught(command text, OUT state text, OUT "table" text, OUT "constraint" text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	state := 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, "table" = TABLE_NAME, "constraint" = CONSTRAINT_NAME;
END
$$;
SELECT command, c.* FROM unnest(ARRAY[
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'gone', 1)$$,
	$$INSERT INTO order_line (order_id, line_no, item, location, quantity) VALUES ('2', 1, 'a', 'gone', 1)$$,
	$$INSERT INTO stock_move (item, quantity) VALUES ('gone', 1)$$,
	$$INSERT INTO stock_move (item, location, quantity) VALUES ('a', 'gone', 1)$$,
	$$INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '2', 1, 1)$$,
	$$INSERT INTO stock_move (kind, item, location, order_id, line_no, quantity) VALUES ('shipment', 'a', 'main', '2', 1, 1)$$,
	$$SELECT ship('2')$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'refused', 4)$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'limited', 1.5)$$,
	$$INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'a', -6)$$,
	$$INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 1, 4)$$,
	$$INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 4, 1)$$,
	$$INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '1', 1, 1)$$,
	$$INSERT INTO stock_move (kind, item, location, order_id, line_no, quantity) VALUES ('shipment', 'limited', 'main', '1', 1, 1)$$,
	$$INSERT INTO stock_move (kind, item, location, order_id, line_no, quantity) VALUES ('shipment', 'a', 'north', '1', 1, 1)$$,
	$$SELECT receive('a', 5, idempotency_key => 'k')$$,
	$$UPDATE order_line SET firm = 3 WHERE order_id = '1' AND line_no = 2$$,
	$$SELECT reallocate('1', 1, '1', 2, 2)$$,
	$$SELECT reallocate('1', 1, '1', 2, 9)$$,
	$$SELECT reallocate('1', 1, '1', 3, 1)$$,
	$$SELECT allocate('a', quantity => -1)$$,
	$$UPDATE order_line SET shipped = 1 WHERE order_id = '1' AND line_no = 1$$,
	$$DELETE FROM order_line WHERE order_id = '1' AND line_no = 1$$,
	$$TRUNCATE journal$$,
	$$DELETE FROM item WHERE item = 'a'$$,
	$$DELETE FROM location WHERE location = 'main'$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 0)$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 'NaN')$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 'Infinity')$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('', 1, 'a', 1)$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1)$$,
	$$INSERT INTO order_line (order_id, line_no, quantity) VALUES ('2', 1, 1)$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity, attributes) VALUES ('2', 1, 'a', 1, '[1]')$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity, on_short) VALUES ('2', 1, 'a', 1, 'perhaps')$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('2', 1, 'a', 1, 'infinity')$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('2', 1, 'a', 1, '-infinity')$$,
	$$INSERT INTO order_line (order_id, line_no, item, quantity, unit_price) VALUES ('2', 1, 'a', 1, 'NaN')$$,
	$$UPDATE order_line SET cancelled = 4 WHERE order_id = '1' AND line_no = 2$$,
	$$UPDATE order_line SET cancelled = -1 WHERE order_id = '1' AND line_no = 2$$,
	$$UPDATE order_line SET firm = -1 WHERE order_id = '1' AND line_no = 2$$,
	$$INSERT INTO stock_move (item, quantity) VALUES ('a', 0)$$,
	$$INSERT INTO priority_rule (name, condition) VALUES ('vip', '$.attributes.vip')$$,
	$$INSERT INTO item (item) VALUES ('')$$
]) AS command, LATERAL caught(command) AS c;
-- line 1/4 has one unit cancelled, which succeeded above; nothing else happened
SELECT order_id, line_no, quantity, cancelled, allocated, backordered FROM order_line_status ORDER BY order_id, line_no;
SELECT * FROM backorder.check_ledger('err');

SET client_min_messages = warning;
DROP SCHEMA err CASCADE;
