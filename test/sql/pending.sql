-- Users' own triggers around the engine's: what they do to a line that is still being placed is refused, and all else works.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\pset null NULL
SELECT backorder.create_ledger('pending', 'UTC');
SET search_path = pending;
INSERT INTO item (item) VALUES ('a'), ('b'), ('c');
INSERT INTO location (location) VALUES ('north');
CREATE VIEW line AS SELECT order_id, line_no AS no, item, quantity, cancelled, shipped, firm, allocated, backordered AS waiting, backordered_at_entry AS short, state FROM order_line_status ORDER BY order_id, line_no;
CREATE VIEW sums AS SELECT item, location, on_hand, allocated, available, backordered FROM stock ORDER BY item, location;
SELECT quantity FROM receive('a', 5);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('0', 1, 'a', 3), ('0', 2, 'a', 4);
-- a trigger that runs the command given in a setting, with $1 and $2 the line
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	IF pg_trigger_depth() = 1 AND current_setting('pending.act', true) <> '' AND TG_LEVEL = 'ROW' THEN
		EXECUTE current_setting('pending.act') USING NEW.order_id, NEW.line_no;
	ELSIF pg_trigger_depth() = 1 AND current_setting('pending.act', true) <> '' THEN
		EXECUTE current_setting('pending.act') USING 'n', 1::bigint;
	END IF;
	RETURN CASE WHEN TG_LEVEL = 'ROW' THEN NEW END;
END
$$;
CREATE FUNCTION try(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('pending.act', what, true);
	INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('n', 1, 'a', 2);
	RAISE EXCEPTION 'done: %', (SELECT concat_ws(' ', 'quantity', quantity, 'cancelled', cancelled, 'shipped', shipped, 'allocated', allocated, 'backordered', backordered)
		FROM order_line_status WHERE order_id = 'n' AND line_no = 1) || (SELECT coalesce(string_agg(concat_ws(' ', '', invariant, expected, actual), ','), '') FROM backorder.check_ledger('pending'));
EXCEPTION WHEN OTHERS THEN
	RETURN CASE WHEN sqlstate = 'P0001' THEN sqlerrm ELSE sqlstate || ': ' || sqlerrm END;
END
$$;
CREATE TABLE attempt (n integer PRIMARY KEY, what text, command text);
INSERT INTO attempt VALUES
	(1, 'cancel', 'UPDATE order_line SET cancelled = 1 WHERE order_id = $1 AND line_no = $2'),
	(2, 'lower', 'UPDATE order_line SET quantity = 1 WHERE order_id = $1 AND line_no = $2'),
	(3, 'raise', 'UPDATE order_line SET quantity = 9 WHERE order_id = $1 AND line_no = $2'),
	(4, 'hold', 'UPDATE order_line SET not_before = ''infinity'' WHERE order_id = $1 AND line_no = $2'),
	(5, 'move', 'UPDATE order_line SET location = ''north'' WHERE order_id = $1 AND line_no = $2'),
	(6, 'firm', 'UPDATE order_line SET firm = 1 WHERE order_id = $1 AND line_no = $2'),
	(7, 'rank', 'UPDATE order_line SET priority = 5 WHERE order_id = $1 AND line_no = $2'),
	(8, 'delete', 'DELETE FROM order_line WHERE order_id = $1 AND line_no = $2'),
	(9, 'ship', 'INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES (''shipment'', $1, $2, 1)'),
	(10, 'ship()', 'SELECT ship($1, $2, 1)'),
	(11, 'cancel()', 'SELECT cancel($1, $2)'),
	(12, 'reallocate from', 'SELECT reallocate($1, $2, ''0'', 2, 1)'),
	(13, 'reallocate to', 'SELECT reallocate(''0'', 1, $1, $2, 1)'),
	(14, 'lose', 'INSERT INTO stock_move (kind, item, quantity) SELECT ''adjustment'', ''a'', -1 WHERE $1 <> '''' AND $2 > 0'),
	(15, 'receive', 'INSERT INTO stock_move (item, quantity) SELECT ''a'', 4 WHERE $1 <> '''' AND $2 > 0'),
	(16, 'another line', 'INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ($1, $2 + 1, ''a'', 1)'),
	(17, 'cancel another', 'UPDATE order_line SET cancelled = 1 WHERE order_id = ''0'' AND line_no = 1 AND $1 <> '''' AND $2 > 0'),
	(18, 'ship another', 'SELECT ship(''0'', 1, 1) WHERE $1 <> '''' AND $2 > 0'),
	(19, 'a column of no interest', 'UPDATE order_line SET cancel_reason = ''x'' WHERE order_id = $1 AND line_no = $2'),
	(20, 'through the view', 'UPDATE order_line_status SET quantity = 1 WHERE order_id = $1 AND line_no = $2'),
	(21, 'reprioritize()', 'SELECT reprioritize() WHERE $1 <> '''' AND $2 > 0'),
	(22, 'return', 'INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES (''customer_return'', $1, $2, 1)');
-- from an AFTER ROW trigger, which runs before the line is placed: refused, or harmless
CREATE TRIGGER act AFTER INSERT ON order_line FOR EACH ROW EXECUTE FUNCTION act();
SELECT n, what, try(command) FROM attempt ORDER BY n;
DROP TRIGGER act ON order_line;
-- also when a user's own trigger has written before the engine's first trigger ran
CREATE TABLE log (entry text);
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	INSERT INTO log VALUES ('insert');
	INSERT INTO log VALUES ('insert');
	RETURN NULL;
END
$$;
CREATE TRIGGER a_log BEFORE INSERT ON order_line FOR EACH STATEMENT EXECUTE FUNCTION log();
CREATE TRIGGER act AFTER INSERT ON order_line FOR EACH ROW EXECUTE FUNCTION act();
SELECT n, what, try(command) FROM attempt ORDER BY n;
DROP TRIGGER a_log ON order_line;
DROP TRIGGER act ON order_line;
-- from an AFTER STATEMENT trigger whose name comes before the engine's
CREATE TRIGGER act AFTER INSERT ON order_line FOR EACH STATEMENT EXECUTE FUNCTION act();
SELECT n, what, try(command) FROM attempt ORDER BY n;
-- and from one whose name comes after it: the line is placed, everything works
ALTER TRIGGER act ON order_line RENAME TO z_act;
SELECT n, what, try(command) FROM attempt ORDER BY n;
DROP TRIGGER z_act ON order_line;
-- from a BEFORE ROW trigger: there is no line yet
CREATE TRIGGER act BEFORE INSERT ON order_line FOR EACH ROW EXECUTE FUNCTION act();
SELECT n, what, try(command) FROM attempt ORDER BY n;
DROP TRIGGER act ON order_line;
SELECT * FROM backorder.check_ledger('pending');
-- the whole message
CREATE TRIGGER act AFTER INSERT ON order_line FOR EACH ROW EXECUTE FUNCTION act();
SET pending.act = 'UPDATE order_line SET cancelled = 1 WHERE order_id = $1 AND line_no = $2';
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('n', 1, 'a', 2);
RESET pending.act;
DROP TRIGGER act ON order_line;

-- A BEFORE ROW trigger may change the row, on INSERT and on UPDATE: what is placed is what it says.
CREATE FUNCTION by_the_dozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.quantity := ceil(NEW.quantity / 12) * 12;
	IF NEW.customer = 'nobody' THEN
		RETURN NULL;
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER by_the_dozen BEFORE INSERT OR UPDATE ON order_line FOR EACH ROW WHEN (NEW.item = 'b') EXECUTE FUNCTION by_the_dozen();
INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('1', 1, 'b', 5, 'ann'), ('1', 2, 'b', 5, 'nobody'), ('1', 3, 'b', 13, 'ann');
UPDATE order_line SET quantity = 25 WHERE order_id = '1';
SELECT no, quantity, waiting, short FROM line WHERE order_id = '1';
SELECT * FROM sums WHERE item = 'b';
DROP TRIGGER by_the_dozen ON order_line;
-- but a trigger that keeps the engine's own write from happening fails the statement
SELECT quantity FROM receive('b', 72);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN NULL;
END
$$;
CREATE TRIGGER keep BEFORE UPDATE ON order_line FOR EACH ROW EXECUTE FUNCTION keep();
\set VERBOSITY sqlstate
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 1, 5);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'c', 5);
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('2', 1, 'c', 5, 'infinity');
DROP TRIGGER keep ON order_line;
CREATE TRIGGER keep BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION keep();
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'c', 5);
DROP TRIGGER keep ON journal;
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON backorder FOR EACH ROW EXECUTE FUNCTION keep();
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'c', 5);
INSERT INTO stock_move (item, quantity) VALUES ('a', 1);
DROP TRIGGER keep ON backorder;
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON stock_slot FOR EACH ROW EXECUTE FUNCTION keep();
INSERT INTO stock_move (item, quantity) VALUES ('c', 1);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '1', 1, 5);
DROP TRIGGER keep ON stock_slot;
\set VERBOSITY default
SELECT * FROM backorder.check_ledger('pending');
-- Triggers that answer to what the engine writes
SELECT backorder.empty_ledger('pending');
-- give up what is not in stock: the column says so
CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	UPDATE order_line SET cancelled = NEW.backordered_at_entry, cancel_reason = 'not in stock' WHERE order_id = NEW.order_id AND line_no = NEW.line_no;
	RETURN NULL;
END
$$;
CREATE TRIGGER give_up AFTER UPDATE OF backordered_at_entry ON order_line FOR EACH ROW WHEN (NEW.backordered_at_entry > OLD.backordered_at_entry AND NEW.customer = 'hasty') EXECUTE FUNCTION give_up();
-- the rest of a line is closed when some of it is shipped
CREATE FUNCTION close_rest() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	UPDATE order_line SET cancelled = quantity - shipped WHERE order_id = NEW.order_id AND line_no = NEW.line_no;
	RETURN NULL;
END
$$;
CREATE TRIGGER close_rest AFTER UPDATE OF shipped ON order_line FOR EACH ROW WHEN (NEW.shipped > OLD.shipped AND NEW.customer = 'once') EXECUTE FUNCTION close_rest();
SELECT quantity FROM receive('a', 3);
INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('1', 1, 'a', 5, 'hasty'), ('1', 2, 'a', 1, 'patient'), ('1', 3, 'a', 1, 'hasty');
SELECT no, quantity, cancelled, allocated, waiting, short, state FROM line WHERE order_id = '1';
SELECT quantity FROM receive('b', 5);
INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('2', 1, 'b', 4, 'once'), ('2', 2, 'b', 4, 'once'), ('2', 3, 'b', 2, 'patient');
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '2', 1, 2);
INSERT INTO stock_move (kind, item, order_id, line_no, quantity) VALUES ('shipment', NULL, '2', 2, 1), ('receipt', 'b', NULL, NULL, 0.5);
SELECT no, quantity, cancelled, shipped, allocated, waiting, short, state FROM line WHERE order_id = '2';
SELECT * FROM sums;
SELECT * FROM backorder.check_ledger('pending');
DROP TRIGGER give_up ON order_line;
DROP TRIGGER close_rest ON order_line;
-- triggers on the journal: an outbox that ships what is filled, and cancels what waits
SELECT backorder.empty_ledger('pending');
CREATE FUNCTION on_journal() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	IF NEW.kind = 'filled' AND NEW.line_no = 1 THEN
		PERFORM ship(NEW.order_id, NEW.line_no, NEW.quantity);
	ELSIF NEW.kind = 'backordered' AND NEW.line_no = 2 THEN
		PERFORM cancel(NEW.order_id, NEW.line_no, NEW.quantity, 'by trigger');
	ELSIF NEW.kind = 'backordered' AND NEW.line_no = 3 THEN
		PERFORM receive(NEW.item, NEW.quantity + 1);
	ELSIF NEW.kind = 'filled' AND NEW.line_no = 4 THEN
		UPDATE order_line SET not_before = 'infinity' WHERE order_id = NEW.order_id AND line_no = NEW.line_no;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER on_journal AFTER INSERT ON journal FOR EACH ROW EXECUTE FUNCTION on_journal();
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 2);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 2), ('2', 4, 'a', 2);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 2, 'a', 4);
SELECT order_id, no, quantity, cancelled, shipped, allocated, waiting, state FROM line;
INSERT INTO stock_move (item, quantity) VALUES ('a', 3);
SELECT order_id, no, quantity, cancelled, shipped, allocated, waiting, state FROM line;
INSERT INTO stock_move (item, quantity) VALUES ('a', 2);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('3', 3, 'a', 5), ('3', 1, 'b', 2), ('3', 2, 'b', 2);
SELECT order_id, no, quantity, cancelled, shipped, allocated, waiting, state FROM line;
SELECT * FROM sums;
SELECT * FROM backorder.check_ledger('pending');
DROP TRIGGER on_journal ON journal;

-- Nested INSERTs, and errors that are caught: nothing is forgotten, nothing left over.
SELECT backorder.empty_ledger('pending');
CREATE FUNCTION gift_wrap() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	INSERT INTO order_line (order_id, line_no, item, quantity) VALUES (NEW.order_id, NEW.line_no + 100, 'c', 1);
	-- this line is placed already
	UPDATE order_line SET priority = 1 WHERE order_id = NEW.order_id AND line_no = NEW.line_no + 100;
	BEGIN
		INSERT INTO order_line (order_id, line_no, item, quantity) VALUES (NEW.order_id, NEW.line_no + 200, 'gone', 1);
	EXCEPTION WHEN foreign_key_violation THEN
		NULL;
	END;
	BEGIN
		UPDATE order_line SET cancelled = 1 WHERE order_id = NEW.order_id AND line_no = NEW.line_no;
	EXCEPTION WHEN object_not_in_prerequisite_state THEN
		RAISE NOTICE '%', sqlerrm;
	END;
	RETURN NULL;
END
$$;
CREATE TRIGGER gift_wrap AFTER INSERT ON order_line FOR EACH ROW WHEN (NEW.customer = 'ann') EXECUTE FUNCTION gift_wrap();
INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ('1', 1, 'a', 1, 'ann'), ('1', 2, 'a', 1, 'bob');
SELECT no, item, quantity, waiting, short FROM line;
DROP TRIGGER gift_wrap ON order_line;
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			INSERT INTO pending.order_line (order_id, line_no, item, quantity) VALUES ('2', i, CASE i WHEN 2 THEN 'gone' ELSE 'a' END, 1);
		EXCEPTION WHEN foreign_key_violation THEN
			RAISE NOTICE 'caught: %', sqlerrm;
		END;
		UPDATE pending.order_line SET quantity = 2 WHERE order_id = '2' AND line_no = i;
	END LOOP;
END
$$;
SELECT no, quantity, waiting, short FROM line WHERE order_id = '2';
-- a statement that fails half-way leaves nothing pending in its transaction
BEGIN;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('3', 1, 'a', 1);
SAVEPOINT s;
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT '3', n, 'a', 1 / (3 - n) FROM generate_series(2, 3) AS n;
ROLLBACK TO s;
UPDATE order_line SET cancelled = 1 WHERE order_id = '3';
SAVEPOINT t;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('3', 2, 'a', 1);
RELEASE t;
UPDATE order_line SET quantity = 3 WHERE order_id = '3' AND line_no = 2;
SAVEPOINT u;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('3', 3, 'a', 1);
SAVEPOINT v;
UPDATE order_line SET quantity = 3 WHERE order_id = '3' AND line_no = 3;
ROLLBACK TO v;
ROLLBACK TO u;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('3', 4, 'a', 1);
COMMIT;
SELECT no, quantity, cancelled, waiting, short, state FROM line WHERE order_id = '3';
-- a deferred trigger comes when all is placed
CREATE FUNCTION deferred() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	UPDATE order_line SET cancelled = 1 WHERE order_id = NEW.order_id AND line_no = NEW.line_no;
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER a_deferred AFTER INSERT ON order_line DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.order_id = '4') EXECUTE FUNCTION deferred();
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('4', 1, 'a', 2);
BEGIN;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('4', 2, 'a', 2);
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
SELECT no, quantity, cancelled, waiting FROM line WHERE order_id = '4';
DROP TRIGGER a_deferred ON order_line;
-- users' triggers on stock_move: before it is done, after it is done
CREATE FUNCTION on_move() RETURNS trigger LANGUAGE plpgsql SET search_path = pending, pg_temp AS $$
BEGIN
	IF TG_WHEN = 'BEFORE' THEN
		NEW.quantity := NEW.quantity + 1;
		RETURN NEW;
	END IF;
	INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('made by ' || lower(TG_LEVEL), (SELECT count(*) + 1 FROM order_line), 'b', 1);
	UPDATE order_line SET quantity = 3 WHERE order_id = 'made by ' || lower(TG_LEVEL);
	RETURN NULL;
END
$$;
CREATE TRIGGER before BEFORE INSERT ON stock_move FOR EACH ROW EXECUTE FUNCTION on_move();
CREATE TRIGGER after AFTER INSERT ON stock_move FOR EACH ROW EXECUTE FUNCTION on_move();
CREATE TRIGGER a_statement AFTER INSERT ON stock_move FOR EACH STATEMENT EXECUTE FUNCTION on_move();
CREATE TRIGGER z_statement AFTER INSERT ON stock_move FOR EACH STATEMENT EXECUTE FUNCTION on_move();
INSERT INTO stock_move (item, quantity) VALUES ('b', 6);
SELECT order_id, quantity, allocated, waiting FROM line WHERE item = 'b' ORDER BY no;
SELECT * FROM sums WHERE item = 'b';
SELECT * FROM backorder.check_ledger('pending');

SET client_min_messages = warning;
DROP SCHEMA pending CASCADE;
