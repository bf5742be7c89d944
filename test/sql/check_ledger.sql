-- check_ledger: nothing to say about what the engine did; every damage done
-- behind its back is named.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT backorder.create_ledger('proof', 'UTC');
SET search_path = proof;
\set check 'SELECT * FROM backorder.check_ledger(''proof'') ORDER BY invariant COLLATE "C", item, location, order_id, line_no, expected COLLATE "C", actual;'
\set check_hammer 'SELECT * FROM backorder.check_ledger(''proof'', ''hammer'');'

-- an empty ledger
:check

-- a history with every kind of move, of edit and of backorder
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, on_short, auto_allocate) VALUES
	('hammer', 'backorder', true), ('nail', 'cancel', true), ('glue', 'backorder', false), ('saw', 'backorder', true);
INSERT INTO priority_rule (name, condition, head_start) VALUES ('gold', '$.customer == "gold"', '2 days');
INSERT INTO stock_move (item, quantity, moved_at) VALUES
	('hammer', 10, '2024-01-01'), ('nail', 100, '2024-01-01'), ('saw', 8, '2024-01-01');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES
	('a1', 1, 'hammer', 8, 'blue', '2024-01-02'),
	('a1', 2, 'nail', 60, 'blue', '2024-01-02'),
	('a2', 1, 'hammer', 5, 'blue', '2024-01-03'),
	('a2', 2, 'nail', 60, 'blue', '2024-01-03'),
	('a3', 1, 'hammer', 4, 'gold', '2024-01-04'),
	('a3', 2, 'saw', 6, 'gold', '2024-01-04');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, not_before) VALUES
	('a4', 1, 'hammer', 2, '2024-01-04', 'infinity'),
	('a4', 2, 'saw', 1, '2024-01-04', 'infinity');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('hammer', 5, '2024-01-05');
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES
	('shipment', 'a1', 1, 6, '2024-01-06'), ('shipment', 'a3', 2, 4, '2024-01-06');
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES ('shipment_reversal', 'a1', 1, 1, '2024-01-07');
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'saw', -3, '2024-01-08');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('a5', 1, 'glue', 3, '2024-01-08');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('glue', 2, '2024-01-09');
UPDATE order_line SET quantity = 11 WHERE order_id = 'a1' AND line_no = 1;
UPDATE order_line SET cancelled = 1, cancel_reason = 'too slow' WHERE order_id = 'a2' AND line_no = 1;
UPDATE order_line SET not_before = NULL WHERE order_id = 'a4' AND line_no = 2;
UPDATE order_line SET not_before = 'infinity' WHERE order_id = 'a3' AND line_no = 2;
UPDATE order_line SET firm = 1 WHERE order_id = 'a1' AND line_no = 1;
INSERT INTO inbound (item, quantity) VALUES ('hammer', 20);
:check
:check_hammer
SELECT order_id, line_no, item, quantity, cancelled, shipped, on_hold, allocated, backordered
FROM order_line_status ORDER BY order_id, line_no;
SELECT backorder_id, order_id, line_no, item, cause, quantity, remaining, cancelled, priority, claim_at - rank_at AS head_start, rules, outcome
FROM backorder ORDER BY backorder_id;
SELECT journal_id, kind, cause, order_id, line_no, quantity, backorder_id, move_id FROM journal ORDER BY journal_id;

-- the item that is asked for need not exist; the ledger must
SELECT * FROM backorder.check_ledger('proof', 'no such item');
\set VERBOSITY sqlstate
SELECT * FROM backorder.check_ledger('no such ledger');
SELECT * FROM backorder.check_ledger('pg_catalog');
\set VERBOSITY default

-- others than the owner
SET SESSION AUTHORIZATION stranger;
\set VERBOSITY sqlstate
SELECT * FROM backorder.check_ledger('proof');
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;

-- it writes nothing: a read-only transaction will do
BEGIN READ ONLY;
:check
COMMIT;

-- From here on a superuser does the damage, with no triggers in the way.
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;

-- slots
BEGIN;
UPDATE stock_slot SET available = available + 2 WHERE item = 'hammer' AND slot = 0;
:check
ROLLBACK;
BEGIN;
UPDATE stock_slot SET allocated = allocated - 1 WHERE item = 'hammer' AND slot = 0;
:check
ROLLBACK;
BEGIN;
UPDATE stock_slot SET backordered = backordered + 1 WHERE item = 'hammer' AND slot = 0;
:check
ROLLBACK;
BEGIN;
INSERT INTO stock_slot (item, location, slot, available, allocated) VALUES ('nail', 'main', 77, -1, 1), ('nail', 'main', 78, 1, -1);
:check
ROLLBACK;
BEGIN;
DELETE FROM stock_slot WHERE item = 'nail';
:check
-- one item only
:check_hammer
ROLLBACK;

-- backorders
BEGIN;
UPDATE backorder SET remaining = remaining - 1 WHERE order_id = 'a5';
:check
ROLLBACK;
BEGIN;
UPDATE backorder SET quantity = quantity + 1 WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE backorder SET priority = 5, rules = '{silver}' WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE backorder SET claim_at = '2024-01-01' WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE backorder SET opened_at = '2024-01-04', cause = 'loss' WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE backorder SET outcome = 'filled', closed_at = '2024-02-01' WHERE order_id = 'a2' AND line_no = 2;
:check
ROLLBACK;
BEGIN;
UPDATE backorder SET location = 'north' WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE backorder SET order_id = 'nobody' WHERE order_id = 'a2' AND line_no = 2;
:check
ROLLBACK;
BEGIN;
DELETE FROM backorder WHERE order_id = 'a2' AND line_no = 2;
:check
ROLLBACK;

-- the journal
BEGIN;
UPDATE journal SET quantity = quantity + 1 WHERE kind = 'backordered' AND order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
DELETE FROM journal WHERE kind = 'backordered' AND order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
DELETE FROM journal WHERE kind = 'filled' AND order_id = 'a3' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE journal SET happened_at = '2023-12-31' WHERE kind = 'filled' AND order_id = 'a3' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE journal SET backorder_id = NULL WHERE kind = 'cancelled' AND order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE journal SET order_id = 'nobody' WHERE kind = 'shipped' AND order_id = 'a1';
:check
ROLLBACK;
BEGIN;
UPDATE journal SET move_id = 1000 WHERE kind = 'shipped' AND order_id = 'a1';
:check
ROLLBACK;
BEGIN;
UPDATE journal SET item = 'saw' WHERE kind = 'filled' AND order_id = 'a3' AND line_no = 1;
:check
ROLLBACK;

BEGIN;
UPDATE journal SET priority = 7 WHERE kind = 'filled' AND order_id = 'a3' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE journal SET cause = 'transfer_in' WHERE kind = 'filled' AND order_id = 'a3' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
INSERT INTO journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id, priority, rank_at, rules, happened_at, recorded_at, session_user_name, transaction_id, horizon)
SELECT kind, cause, order_id, line_no, item, location, quantity, backorder_id, priority, rank_at, rules, happened_at, recorded_at, session_user_name, transaction_id, '1000000000'
FROM journal WHERE kind = 'backordered' AND order_id = 'a5';
:check
ROLLBACK;
BEGIN;
DELETE FROM journal WHERE kind = 'released' AND order_id = 'a3';
DELETE FROM journal WHERE kind = 'changed' AND order_id = 'a1';
:check
ROLLBACK;

-- a fill that went past somebody better ranked
BEGIN;
UPDATE journal SET backorder_id = b.backorder_id, order_id = b.order_id, line_no = b.line_no, rank_at = b.rank_at
FROM backorder AS b
WHERE kind = 'filled' AND journal.order_id = 'a3' AND journal.line_no = 1 AND b.order_id = 'a1' AND b.line_no = 1;
SELECT * FROM backorder.check_ledger('proof') WHERE invariant = 'queue order';
ROLLBACK;

-- order lines
BEGIN;
UPDATE order_line SET quantity = quantity + 1 WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET shipped = shipped - 1 WHERE order_id = 'a1' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET backordered_at_entry = 0 WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET entered_quantity = 1 WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET placed_at = '2024-01-03' WHERE order_id = 'a4' AND line_no = 2;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET firm = 6 WHERE order_id = 'a1' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET on_hold = true WHERE order_id = 'a2' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET on_hold = false WHERE order_id = 'a4' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET entered_quantity = 2 WHERE order_id = 'a4' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
UPDATE order_line SET item = 'anvil', location = 'south' WHERE order_id = 'a4' AND line_no = 1;
:check
ROLLBACK;
BEGIN;
DELETE FROM order_line WHERE order_id = 'a1' AND line_no = 1;
:check
ROLLBACK;

-- moves
BEGIN;
UPDATE stock_move SET quantity = quantity - 1 WHERE kind = 'shipment' AND order_id = 'a1';
:check
ROLLBACK;
BEGIN;
UPDATE stock_move SET quantity = 2 WHERE item = 'hammer' AND moved_at = '2024-01-05';
:check
ROLLBACK;
BEGIN;
DELETE FROM stock_move WHERE item = 'hammer' AND moved_at = '2024-01-05';
:check
ROLLBACK;
BEGIN;
UPDATE stock_move SET line_no = 2 WHERE kind = 'shipment' AND order_id = 'a1';
:check
ROLLBACK;

BEGIN;
UPDATE stock_move SET moved_at = '2024-01-02' WHERE item = 'hammer' AND moved_at = '2024-01-05';
:check
ROLLBACK;
BEGIN;
UPDATE stock_move SET kind = 'gift', line_no = 1 WHERE item = 'glue';
UPDATE stock_move SET quantity = 0 WHERE item = 'nail';
UPDATE stock_move SET quantity = -quantity WHERE item = 'hammer' AND moved_at = '2024-01-05';
:check
ROLLBACK;
BEGIN;
UPDATE stock_move SET quantity = 'NaN' WHERE item = 'nail';
UPDATE stock_move SET quantity = '-Infinity' WHERE kind = 'adjustment';
:check
ROLLBACK;

-- items and locations that are gone
BEGIN;
DELETE FROM item WHERE item = 'saw';
:check
ROLLBACK;

-- sequences and settings
BEGIN;
ALTER SEQUENCE stock_move_move_id_seq RESTART WITH 4;
ALTER SEQUENCE journal_journal_id_seq RESTART WITH 1000;
:check
-- a sequence is no item's
:check_hammer
ROLLBACK;
-- one that has given its last number has nothing to tell
BEGIN;
ALTER SEQUENCE stock_move_move_id_seq RESTART WITH 9223372036854775807;
SELECT nextval('stock_move_move_id_seq');
:check
ROLLBACK;
BEGIN;
DELETE FROM ledger;
:check
ROLLBACK;
BEGIN;
UPDATE ledger SET version = '0.0.1';
SELECT invariant, item, actual FROM backorder.check_ledger('proof');
ROLLBACK;

-- triggers
SET session_replication_role = origin;
BEGIN;
ALTER TABLE stock_move DISABLE TRIGGER USER;
:check
ROLLBACK;
BEGIN;
ALTER TABLE order_line ENABLE REPLICA TRIGGER backorder_insert;
:check
ROLLBACK;
-- a user's own trigger is no concern
BEGIN;
CREATE TRIGGER mine BEFORE UPDATE ON order_line FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE order_line DISABLE TRIGGER mine;
:check
ROLLBACK;
-- each trigger of the engine, dropped, is missed; each is put back
DO $$
DECLARE
	t record;
	missed boolean;
	number integer := 0;
BEGIN
	FOR t IN
		SELECT tgrelid::regclass AS relation, tgname AS name
		FROM pg_trigger JOIN pg_class AS c ON c.oid = tgrelid
		WHERE relnamespace = 'proof'::regnamespace AND NOT tgisinternal
	LOOP
		BEGIN
			EXECUTE format('DROP TRIGGER %I ON %s', t.name, t.relation);
			missed := EXISTS (SELECT FROM backorder.check_ledger('proof') AS c WHERE c::text LIKE '%' || t.name || '%');
			RAISE SQLSTATE 'ZZ001';
		EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
			number := number + 1;
		END;
		IF NOT missed THEN
			RAISE WARNING 'nobody misses trigger % on %', t.name, t.relation;
		END IF;
	END LOOP;
	IF number < 10 THEN
		RAISE WARNING 'there were only % triggers', number;
	END IF;
END
$$;

-- all of it was undone
RESET session_replication_role;
SET SESSION AUTHORIZATION merchant;
:check

SET client_min_messages = warning;
DROP SCHEMA proof CASCADE;
