-- rebuild_ledger: balances recomputed from facts and journal, and nothing decided anew.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT backorder.create_ledger('mended', 'UTC');
SET search_path = mended;
\set check 'SELECT * FROM backorder.check_ledger(''mended'');'
\set rebuild 'SELECT backorder.rebuild_ledger(''mended'');'

-- rebuilding nothing
:rebuild
:check

-- a history
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, on_short) VALUES ('hammer', 'backorder'), ('nail', 'cancel'), ('saw', 'backorder');
INSERT INTO priority_rule (name, condition, head_start) VALUES ('gold', '$.customer == "gold"', '2 days');
INSERT INTO stock_move (item, location, quantity, moved_at) VALUES
	('hammer', 'main', 10, '2024-01-01'), ('nail', 'main', 100, '2024-01-01'), ('saw', 'main', 8, '2024-01-01'), ('hammer', 'north', 3, '2024-01-01');
INSERT INTO order_line (order_id, line_no, item, location, quantity, customer, placed_at) VALUES
	('a1', 1, 'hammer', 'main', 8, 'blue', '2024-01-02'),
	('a1', 2, 'nail', 'main', 60, 'blue', '2024-01-02'),
	('a2', 1, 'hammer', 'main', 5, 'blue', '2024-01-03'),
	('a2', 2, 'nail', 'main', 60, 'blue', '2024-01-03'),
	('a3', 1, 'hammer', 'main', 4, 'gold', '2024-01-04'),
	('a3', 2, 'saw', 'main', 6, 'gold', '2024-01-04'),
	('a6', 1, 'hammer', 'main', 4, 'blue', '2024-01-05');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, not_before) VALUES
	('a4', 1, 'hammer', 2, '2024-01-04', 'infinity'),
	('a4', 2, 'saw', 1, '2024-01-04', 'infinity');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('hammer', 5, '2024-01-05');
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES
	('shipment', 'a1', 1, 6, '2024-01-06'), ('shipment', 'a3', 2, 4, '2024-01-06');
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES ('shipment_reversal', 'a1', 1, 1, '2024-01-07');
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'saw', -3, '2024-01-08');
UPDATE order_line SET quantity = 11 WHERE order_id = 'a1' AND line_no = 1;
UPDATE order_line SET cancelled = 1 WHERE order_id = 'a2' AND line_no = 1;
UPDATE order_line SET not_before = NULL WHERE order_id = 'a4' AND line_no = 2;
UPDATE order_line SET not_before = 'infinity' WHERE order_id = 'a3' AND line_no = 2;
UPDATE order_line SET location = 'north' WHERE order_id = 'a6' AND line_no = 1;
UPDATE order_line SET customer = 'gold' WHERE order_id = 'a2' AND line_no = 1;
INSERT INTO inbound (item, quantity) VALUES ('hammer', 20);
-- users' own columns, with names that other tables of the ledger have or queries use
ALTER TABLE backorder ADD COLUMN note text DEFAULT 'mine', ADD COLUMN filled numeric, ADD COLUMN kind text;
ALTER TABLE item ADD COLUMN location text, ADD COLUMN line_no bigint, ADD COLUMN quantity numeric;
ALTER TABLE location ADD COLUMN item text, ADD COLUMN priority integer;
ALTER TABLE order_line ADD COLUMN filled numeric, ADD COLUMN waiting numeric, ADD COLUMN kind text, ADD COLUMN allocated numeric;
ALTER TABLE journal ADD COLUMN last_entry bigint, ADD COLUMN opening text;
ALTER TABLE stock_move ADD COLUMN allocated numeric, ADD COLUMN available numeric;
:check

-- what was right before
CREATE TEMP TABLE order_line_before AS TABLE order_line;
CREATE TEMP TABLE backorder_before AS TABLE backorder;
CREATE TEMP TABLE journal_before AS TABLE journal;
CREATE TEMP TABLE stock_move_before AS TABLE stock_move;
CREATE TEMP TABLE slots_before AS
SELECT item, location, sum(available) AS available, sum(allocated) AS allocated FROM stock_slot GROUP BY item, location;
CREATE TEMP VIEW difference AS
SELECT 'order_line' AS relation, to_jsonb(d) AS row FROM (TABLE order_line EXCEPT TABLE order_line_before) AS d
UNION ALL SELECT 'order_line before', to_jsonb(d) FROM (TABLE order_line_before EXCEPT TABLE order_line) AS d
UNION ALL SELECT 'backorder', to_jsonb(d) FROM (TABLE backorder EXCEPT TABLE backorder_before) AS d
UNION ALL SELECT 'backorder before', to_jsonb(d) FROM (TABLE backorder_before EXCEPT TABLE backorder) AS d
UNION ALL SELECT 'journal', to_jsonb(d) FROM (TABLE journal EXCEPT TABLE journal_before) AS d
UNION ALL SELECT 'journal before', to_jsonb(d) FROM (TABLE journal_before EXCEPT TABLE journal) AS d
UNION ALL SELECT 'stock_move', to_jsonb(d) FROM (TABLE stock_move EXCEPT TABLE stock_move_before) AS d
UNION ALL SELECT 'stock_move before', to_jsonb(d) FROM (TABLE stock_move_before EXCEPT TABLE stock_move) AS d
UNION ALL SELECT 'stock_slot', to_jsonb(d) FROM (
	SELECT item, location, sum(available), sum(allocated) FROM stock_slot GROUP BY item, location
	HAVING sum(available) <> 0 OR sum(allocated) <> 0
	EXCEPT TABLE slots_before) AS d
UNION ALL SELECT 'stock_slot before', to_jsonb(d) FROM (
	SELECT * FROM slots_before WHERE available <> 0 OR allocated <> 0
	EXCEPT SELECT item, location, sum(available), sum(allocated) FROM stock_slot GROUP BY item, location) AS d;

-- rebuilding what is right changes nothing
:rebuild
:check
TABLE difference;

-- every balance lost at once: no slots, backorders gone, wrong and invented, sums of lines wrong, sequences behind
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;
DELETE FROM stock_slot;
INSERT INTO stock_slot (item, location, slot, available, allocated) VALUES ('saw', 'north', 3, 40, 2);
DELETE FROM backorder WHERE order_id = 'a2';
UPDATE backorder SET remaining = 1, quantity = 1, cancelled = 0, closed_at = NULL, outcome = NULL, priority = 9, rules = '{}', cause = 'loss'
WHERE order_id = 'a3';
INSERT INTO backorder (backorder_id, order_id, line_no, item, location, quantity, remaining, cause, claim_at, priority, rank_at, opened_at)
VALUES (1000, 'a1', 2, 'nail', 'main', 5, 5, 'entry', '2024-01-02', 0, '2024-01-02', '2024-01-02');
UPDATE order_line SET shipped = 0, backordered_at_entry = 1 WHERE order_id <> 'a2';
ALTER SEQUENCE stock_move_move_id_seq RESTART WITH 1;
ALTER SEQUENCE backorder_backorder_id_seq RESTART WITH 2;
ALTER SEQUENCE journal_journal_id_seq RESTART WITH 3;
ALTER SEQUENCE inbound_inbound_id_seq RESTART WITH 1;
RESET session_replication_role;
SET SESSION AUTHORIZATION merchant;
SELECT count(*) > 10 AS much_is_wrong FROM backorder.check_ledger('mended');
:rebuild
:check
-- all is as it was
TABLE difference;

-- and life goes on
SET client_min_messages = warning;
SELECT backorder.upgrade_ledger('mended');
RESET client_min_messages;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('a7', 1, 'hammer', 3, '2024-01-10'), ('a7', 2, 'nail', 100, '2024-01-10');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('hammer', 7, '2024-01-11');
SELECT order_id, line_no, backordered, allocated FROM order_line_status WHERE item IN ('hammer', 'nail') ORDER BY order_id, line_no;
:check

-- facts that disagree with each other are not guessed at: the rebuild fails as a whole
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;
BEGIN;
DELETE FROM stock_move WHERE item = 'hammer' AND kind = 'receipt';
SET LOCAL session_replication_role = origin;
SET SESSION AUTHORIZATION merchant;
\set VERBOSITY terse
:rebuild
ROLLBACK;
\set VERBOSITY default
RESET session_replication_role;
SET SESSION AUTHORIZATION merchant;
:check

-- the engine's guards are back after a rebuild, and after one that failed
\set VERBOSITY sqlstate
UPDATE stock_slot SET available = 1;
UPDATE order_line SET shipped = 0 WHERE order_id = 'a1';
DELETE FROM journal;
\set VERBOSITY default

-- only the owner may
SET SESSION AUTHORIZATION stranger;
\set VERBOSITY sqlstate
:rebuild
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;
\set VERBOSITY sqlstate
SELECT backorder.rebuild_ledger('no such ledger');
BEGIN READ ONLY;
:rebuild
ROLLBACK;
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA mended CASCADE;
