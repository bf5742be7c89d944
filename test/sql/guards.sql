-- What nobody writes by hand: the engine's tables, the engine's columns, history, keys.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\pset null NULL
SELECT backorder.create_ledger('guarded', 'UTC');
SET search_path = guarded;
INSERT INTO location (location) VALUES ('north'), ('unused');
INSERT INTO item (item) VALUES ('a'), ('unused');
SELECT quantity FROM receive('a', 5);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 4), ('1', 2, 'a', 4);
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('1', 3, 'a', 4, 'infinity');
SELECT quantity FROM ship('1', 1, 1);
CREATE TEMP TABLE before AS SELECT to_jsonb(l) AS row FROM order_line AS l UNION ALL SELECT to_jsonb(s) FROM stock_slot AS s UNION ALL SELECT to_jsonb(b) FROM backorder AS b
	UNION ALL SELECT to_jsonb(j) FROM journal AS j UNION ALL SELECT to_jsonb(m) FROM stock_move AS m UNION ALL SELECT to_jsonb(i) FROM item AS i UNION ALL SELECT to_jsonb(p) FROM location AS p;

-- the engine's tables
INSERT INTO stock_slot VALUES ('a', 'main', 7, 100, 0);
UPDATE stock_slot SET available = 100;
DELETE FROM stock_slot;
UPDATE backorder SET priority = 9;
DELETE FROM journal;
\set VERBOSITY sqlstate
INSERT INTO stock_slot VALUES ('a', 'main', 7, 100, 0);
UPDATE stock_slot SET available = 100;
UPDATE stock_slot SET available = 100 WHERE false;
DELETE FROM stock_slot;
MERGE INTO stock_slot USING (VALUES (1)) AS v ON true WHEN MATCHED THEN DELETE;
COPY stock_slot FROM stdin;
\.
INSERT INTO backorder (order_id, line_no, item, location, quantity, remaining, cause, claim_at, priority, rank_at, opened_at) VALUES ('1', 1, 'a', 'main', 1, 1, 'x', now(), 0, now(), now());
UPDATE backorder SET priority = 9;
DELETE FROM backorder;
INSERT INTO journal (kind, cause, order_id, line_no, item, location, quantity, happened_at) VALUES ('filled', 'x', '1', 1, 'a', 'main', 1, now());
UPDATE journal SET reason = 'x';
DELETE FROM journal;
-- history
\set VERBOSITY default
UPDATE stock_move SET quantity = 7;
\set VERBOSITY sqlstate
UPDATE stock_move SET reference = 'x';
DELETE FROM stock_move;
INSERT INTO stock_move (move_id, item, quantity) VALUES (1, 'a', 5) ON CONFLICT (move_id) DO UPDATE SET quantity = 5;
-- TRUNCATE, of each and of all
\set VERBOSITY default
TRUNCATE order_line;
\set VERBOSITY sqlstate
TRUNCATE order_line;
TRUNCATE stock_move;
TRUNCATE stock_slot;
TRUNCATE backorder;
TRUNCATE journal;
TRUNCATE item CASCADE;
TRUNCATE location CASCADE;
TRUNCATE ledger;
TRUNCATE order_line, stock_move, inbound, stock_slot, backorder, journal;
-- the engine's columns, in an INSERT …
\set VERBOSITY default
INSERT INTO order_line (order_id, line_no, item, quantity, shipped) VALUES ('2', 1, 'a', 4, 1);
\set VERBOSITY sqlstate
INSERT INTO order_line (order_id, line_no, item, quantity, shipped) VALUES ('2', 1, 'a', 4, 1);
INSERT INTO order_line (order_id, line_no, item, quantity, cancelled) VALUES ('2', 1, 'a', 4, 1);
INSERT INTO order_line (order_id, line_no, item, quantity, firm) VALUES ('2', 1, 'a', 4, 1);
INSERT INTO order_line (order_id, line_no, item, quantity, backordered_at_entry) VALUES ('2', 1, 'a', 4, 4);
INSERT INTO order_line (order_id, line_no, item, quantity, entered_quantity) VALUES ('2', 1, 'a', 4, 4);
INSERT INTO order_line (order_id, line_no, item, quantity, entered_at) VALUES ('2', 1, 'a', 4, now());
INSERT INTO order_line (order_id, line_no, item, quantity, on_hold) VALUES ('2', 1, 'a', 4, true);
INSERT INTO order_line (order_id, line_no, item, quantity, on_hold, not_before) VALUES ('2', 1, 'a', 4, true, 'infinity');
INSERT INTO order_line (order_id, line_no, item, quantity, backordered_at_entry) VALUES ('2', 1, 'a', 4, NULL);
-- … and in an UPDATE, of a line that entered and of one that did not
\set VERBOSITY default
UPDATE order_line SET shipped = 2 WHERE line_no = 1;
\set VERBOSITY sqlstate
UPDATE order_line SET shipped = 2 WHERE line_no = 1;
UPDATE order_line SET shipped = 0 WHERE line_no = 1;
UPDATE order_line SET shipped = 1 WHERE line_no = 3;
UPDATE order_line SET backordered_at_entry = 0;
UPDATE order_line SET entered_quantity = 4 WHERE line_no = 1;
UPDATE order_line SET entered_at = now() WHERE line_no = 1;
UPDATE order_line SET entered_at = now() WHERE line_no = 3;
UPDATE order_line SET on_hold = true WHERE line_no = 1;
UPDATE order_line SET on_hold = false WHERE line_no = 3;
UPDATE order_line SET on_hold = true, not_before = 'infinity' WHERE line_no = 1;
UPDATE order_line SET on_hold = false, not_before = NULL WHERE line_no = 3;
UPDATE order_line SET shipped = 4, cancelled = 0 WHERE line_no = 2;
-- keys
UPDATE order_line SET order_id = '2';
UPDATE order_line SET line_no = line_no + 1;
UPDATE order_line SET order_id = '2' WHERE line_no = 3;
-- two lines that exchange their keys
UPDATE order_line SET line_no = 5 - line_no WHERE line_no > 1;
\set VERBOSITY default
UPDATE item SET item = 'b' WHERE item = 'a';
UPDATE location SET location = 'south' WHERE location = 'north';
DELETE FROM item WHERE item = 'a';
DELETE FROM location WHERE location = 'main';
\set VERBOSITY sqlstate
UPDATE item SET item = 'b' WHERE item = 'a';
UPDATE item SET item = 'b' WHERE item = 'unused';
UPDATE location SET location = 'south' WHERE location = 'north';
DELETE FROM item WHERE item = 'a';
DELETE FROM item;
DELETE FROM location WHERE location = 'main';
DELETE FROM order_line WHERE line_no = 1;
DELETE FROM order_line;
\set VERBOSITY default

-- none of it did anything
SELECT row FROM before EXCEPT (SELECT to_jsonb(l) FROM order_line AS l UNION ALL SELECT to_jsonb(s) FROM stock_slot AS s UNION ALL SELECT to_jsonb(b) FROM backorder AS b
	UNION ALL SELECT to_jsonb(j) FROM journal AS j UNION ALL SELECT to_jsonb(m) FROM stock_move AS m UNION ALL SELECT to_jsonb(i) FROM item AS i UNION ALL SELECT to_jsonb(p) FROM location AS p);
SELECT * FROM backorder.check_ledger('guarded');

-- What is the user's: items and places that nothing refers to, expected supply, rules, a line that never entered.
DELETE FROM item WHERE item = 'unused';
DELETE FROM location WHERE location IN ('north', 'unused');
UPDATE item SET description = 'x', item = item;
INSERT INTO inbound (item, quantity) VALUES ('a', 3);
UPDATE inbound SET quantity = 5, cancelled = 1;
DELETE FROM inbound;
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.quantity > 1');
UPDATE priority_rule SET name = 'y';
TRUNCATE priority_rule;
DELETE FROM order_line WHERE line_no = 3;
-- an item whose expected supply is there is not deleted either
INSERT INTO item (item) VALUES ('expected');
INSERT INTO inbound (item, quantity) VALUES ('expected', 3);
\set VERBOSITY sqlstate
DELETE FROM item WHERE item = 'expected';
\set VERBOSITY default
-- a journal whose rows nothing numbers is damage; numbered again, in the same session, it goes on
INSERT INTO item (item) VALUES ('unnumbered');
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('unnumbered', 1, 'unnumbered', 1);
BEGIN;
ALTER TABLE journal ALTER journal_id DROP IDENTITY;
SAVEPOINT s;
\set VERBOSITY sqlstate
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('unnumbered', 2, 'unnumbered', 1);
\set VERBOSITY default
ROLLBACK TO s;
ALTER TABLE journal ALTER journal_id ADD GENERATED BY DEFAULT AS IDENTITY (START 1000);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('unnumbered', 3, 'unnumbered', 1);
SELECT journal_id, line_no FROM journal WHERE order_id = 'unnumbered' AND line_no > 1;
ROLLBACK;
SELECT * FROM backorder.check_ledger('guarded');

SET client_min_messages = warning;
DROP SCHEMA guarded CASCADE;
