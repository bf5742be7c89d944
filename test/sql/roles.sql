-- Who may do what: few rights suffice, strangers reach nothing, and look-alikes of a ledger are errors, not crashes.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\pset null NULL
SELECT backorder.create_ledger('rights', 'UTC');
SET search_path = rights;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, on_short) VALUES ('a', 'backorder'), ('refused', 'refuse');
INSERT INTO item (item, backorder_limit) VALUES ('limited', 1);
SELECT quantity FROM receive('a', 5);
SELECT quantity FROM receive('refused', 2);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('0', 1, 'a', 2);
INSERT INTO priority_rule (name, condition, priority) VALUES ('gold', '$.customer == "gold"', 1);

-- A clerk with INSERT on some columns of order_line, and nothing else, takes orders.
GRANT INSERT (order_id, line_no, item, location, quantity, customer, attributes) ON order_line TO clerk;
SET SESSION AUTHORIZATION clerk;
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 2), ('1', 2, 'a', 2);
\set VERBOSITY sqlstate
INSERT INTO rights.order_line (order_id, line_no, item, quantity, priority) VALUES ('2', 1, 'a', 2, 99);
INSERT INTO rights.order_line (order_id, line_no, item, quantity, placed_at) VALUES ('2', 1, 'a', 2, '2000-01-01');
SELECT * FROM rights.order_line;
SELECT * FROM rights.stock;
SELECT * FROM rights.order_line_status;
UPDATE rights.order_line SET quantity = 1;
DELETE FROM rights.order_line;
INSERT INTO rights.stock_move (item, quantity) VALUES ('a', 100);
SELECT rights.reprioritize();
SELECT rights.reallocate('1', 1, '1', 2, 1);
SELECT * FROM rights.allocate('a');
SELECT * FROM rights.ship('1');
SELECT * FROM rights.cancel('1');
SELECT * FROM rights.receive('a', 1);
SELECT * FROM rights.record_count('a', 1);
SELECT * FROM rights.release_due();
INSERT INTO rights.order_line_status (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 1) RETURNING allocated;
UPDATE rights.item SET auto_allocate = false;
SELECT backorder.upgrade_ledger('rights');
SELECT backorder.empty_ledger('rights');
SELECT backorder.rebuild_ledger('rights');
SELECT * FROM backorder.check_ledger('rights');
SELECT backorder.serve_queue('rights.order_line', 'a', 'main', 1);
SELECT backorder.rerank('rights.order_line', NULL, NULL);
SELECT backorder.move_allocation('rights.order_line', '1', 1, '1', 2, 1, NULL);
\set VERBOSITY default
-- messages do not tell him what he may not know
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'refused', 3);
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'limited', 2);
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', -1);
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
SET SESSION AUTHORIZATION merchant;
GRANT SELECT ON stock TO clerk;
SET SESSION AUTHORIZATION clerk;
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'refused', 3);
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'limited', 2);
SET SESSION AUTHORIZATION merchant;
REVOKE SELECT ON stock FROM clerk;
-- who acted, and for whom
SELECT order_id, line_no, kind, session_user_name, actor FROM journal ORDER BY journal_id;
-- with SELECT on what the view reads, the answer comes at once
GRANT SELECT ON order_line_status, order_line, backorder, item TO clerk;
GRANT INSERT ON order_line_status TO clerk;
SET SESSION AUTHORIZATION clerk;
SET backorder.actor = 'web 17';
INSERT INTO rights.order_line_status (order_id, line_no, item, quantity) VALUES ('2', 1, 'a', 1) RETURNING allocated, backordered;
SELECT line_no, allocated, backordered FROM rights.place_order('3', '[{"item": "a", "quantity": 1}]', customer => 'gold');
INSERT INTO rights.order_line_status (order_id, line_no, item, quantity, priority) VALUES ('2', 2, 'a', 1, 99) RETURNING allocated;
RESET backorder.actor;
SET SESSION AUTHORIZATION merchant;
SELECT order_id, line_no, kind, session_user_name, actor, rules FROM journal WHERE order_id IN ('2', '3') ORDER BY journal_id;
-- a warehouse: INSERT on stock_move; what it ships and loses is not told beyond what it may see
REVOKE ALL ON ALL TABLES IN SCHEMA rights FROM clerk;
GRANT INSERT ON stock_move TO clerk;
SET SESSION AUTHORIZATION clerk;
INSERT INTO rights.stock_move (item, quantity) VALUES ('a', 1);
INSERT INTO rights.stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '0', 1, 1);
INSERT INTO rights.stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '0', 1, 7);
INSERT INTO rights.stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '0', 1, 7);
INSERT INTO rights.stock_move (kind, item, quantity) VALUES ('adjustment', 'a', -100);
\set VERBOSITY sqlstate
SELECT * FROM rights.stock_move;
SELECT * FROM rights.ship('0');
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('4', 1, 'a', 2);
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;
GRANT UPDATE (quantity, firm) ON order_line TO clerk;
GRANT SELECT (order_id) ON order_line TO clerk;
SET SESSION AUTHORIZATION clerk;
UPDATE rights.order_line SET quantity = 3 WHERE order_id = '0';
UPDATE rights.order_line SET firm = 3 WHERE order_id = '0';
\set VERBOSITY sqlstate
UPDATE rights.order_line SET cancelled = 1 WHERE order_id = '0';
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;
REVOKE ALL ON order_line, stock_move FROM clerk;
SELECT * FROM backorder.check_ledger('rights');

-- Row security of the owner's: the engine sees all rows, the portal its own.
ALTER TABLE order_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_line FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON order_line TO clerk USING (customer = 'ann') WITH CHECK (customer = 'ann');
GRANT SELECT, INSERT, UPDATE ON order_line TO clerk;
GRANT SELECT, INSERT, UPDATE ON order_line_status TO clerk;
GRANT SELECT ON backorder, item, journal TO clerk;
SET SESSION AUTHORIZATION clerk;
INSERT INTO rights.order_line_status (order_id, line_no, item, quantity, customer) VALUES ('5', 1, 'a', 1, 'ann') RETURNING allocated, backordered;
SELECT order_id, allocated, backordered FROM rights.order_line_status;
SELECT order_id, cancelled FROM rights.order_line WHERE order_id = '0';
UPDATE rights.order_line SET cancelled = 1;
\set VERBOSITY sqlstate
INSERT INTO rights.order_line (order_id, line_no, item, quantity, customer) VALUES ('5', 2, 'a', 1, 'bob');
SELECT * FROM rights.cancel('0');
SELECT * FROM rights.ship('0');
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;
ALTER TABLE order_line NO FORCE ROW LEVEL SECURITY;
ALTER TABLE order_line DISABLE ROW LEVEL SECURITY;
DROP POLICY own ON order_line;
REVOKE ALL ON ALL TABLES IN SCHEMA rights FROM clerk;
SELECT * FROM backorder.check_ledger('rights');

-- Planted functions, operators and tables in the caller's search_path are not looked at.
RESET SESSION AUTHORIZATION;
CREATE SCHEMA planted;
GRANT ALL ON SCHEMA planted TO stranger;
GRANT USAGE ON SCHEMA planted TO PUBLIC;
SET SESSION AUTHORIZATION stranger;
CREATE FUNCTION planted.bark() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'planted code ran as %', current_user;
END
$$;
CREATE FUNCTION planted.text_equal(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT planted.bark()';
CREATE FUNCTION planted.numeric_less(numeric, numeric) RETURNS boolean LANGUAGE sql AS 'SELECT planted.bark()';
CREATE FUNCTION planted.now() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'planted code ran as %', current_user;
END
$$;
CREATE FUNCTION planted.sum(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 0::numeric WHERE planted.bark()';
CREATE OPERATOR planted.= (leftarg = text, rightarg = text, function = planted.text_equal);
CREATE OPERATOR planted.< (leftarg = numeric, rightarg = numeric, function = planted.numeric_less);
CREATE TABLE planted.stock_slot (item text, location text, slot integer, available numeric, allocated numeric, backordered numeric);
CREATE TABLE planted.journal (kind text);
CREATE TABLE planted.item (item text);
CREATE VIEW planted.backorder AS SELECT planted.bark();
SET SESSION AUTHORIZATION merchant;
GRANT INSERT, SELECT, UPDATE ON order_line, order_line_status TO clerk;
GRANT SELECT ON backorder, item, stock, journal, open_backorder, rule_input TO clerk;
GRANT INSERT, SELECT ON stock_move TO clerk;
-- the owner's own row trigger on the slots: it too runs with a search_path that nobody can plant in
CREATE FUNCTION rights.note_path() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'slot written as % with search_path %', current_user, pg_catalog.current_setting('search_path');
	RETURN NEW;
END
$$;
CREATE TRIGGER note_path BEFORE INSERT OR UPDATE ON stock_slot FOR EACH ROW EXECUTE FUNCTION rights.note_path();
SET SESSION AUTHORIZATION clerk;
SET search_path = planted, pg_catalog;
SET backorder.max_slots = 1;
INSERT INTO rights.stock_move (item, quantity) VALUES ('a', 20);
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('6', 1, 'a', 1);
INSERT INTO rights.order_line (order_id, line_no, item, quantity) VALUES ('6', 2, 'a', 1000);
INSERT INTO rights.order_line_status (order_id, line_no, item, quantity) VALUES ('6', 3, 'a', 1) RETURNING backordered;
UPDATE rights.order_line_status SET quantity = 2 WHERE order_id OPERATOR(pg_catalog.=) '6' AND line_no OPERATOR(pg_catalog.=) 3 RETURNING backordered;
UPDATE rights.order_line SET cancelled = 1, customer = 'gold' WHERE order_id OPERATOR(pg_catalog.=) '6' AND line_no OPERATOR(pg_catalog.=) 2;
INSERT INTO rights.stock_move (kind, item, quantity) VALUES ('adjustment', 'a', -5);
SELECT order_id, line_no, quantity FROM rights.ship('6', 1);
SELECT order_id, line_no, cancelled FROM rights.cancel('6', 3);
SELECT line_no, backordered FROM rights.place_order('6', '[{"item": "a", "quantity": 1, "line_no": 9}]');
SELECT rights.reprioritize();
SELECT count(*) FROM rights.preview_rule('$.customer == "gold"');
SHOW search_path;
SET SESSION AUTHORIZATION merchant;
SET search_path = planted, pg_catalog;
SELECT * FROM backorder.check_ledger('rights');
SELECT backorder.rebuild_ledger('rights');
SELECT backorder.upgrade_ledger('rights');
SELECT backorder.create_ledger('brief', 'UTC');
SET client_min_messages = warning;
DROP SCHEMA brief CASCADE;
RESET client_min_messages;
SET search_path = rights;
DROP TRIGGER note_path ON stock_slot;
RESET backorder.max_slots;
REVOKE ALL ON ALL TABLES IN SCHEMA rights FROM clerk;

-- A stranger's look-alike: his own tables and triggers, acting as himself.
RESET SESSION AUTHORIZATION;
CREATE SCHEMA fake AUTHORIZATION stranger;
SET SESSION AUTHORIZATION stranger;
SET search_path = fake;
CREATE TABLE order_line (order_id text, line_no bigint, item text, location text DEFAULT 'main', quantity numeric, customer text, attributes jsonb, unit_price numeric, required_by timestamptz,
	placed_at timestamptz DEFAULT now(), not_before timestamptz, priority integer, on_short text, demand_class text, firm numeric DEFAULT 0, cancelled numeric DEFAULT 0, cancel_reason text,
	backordered_at_entry numeric DEFAULT 0, entered_quantity numeric, entered_at timestamptz, on_hold boolean DEFAULT false, shipped numeric DEFAULT 0);
CREATE TRIGGER b BEFORE INSERT ON order_line FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_before_insert();
CREATE TRIGGER i AFTER INSERT ON order_line REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_insert();
CREATE TRIGGER u AFTER UPDATE ON order_line REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_update();
CREATE TRIGGER d AFTER DELETE ON order_line REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_delete();
\set VERBOSITY sqlstate
-- no slots: no ledger
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
CREATE TABLE stock_slot (item text COLLATE "C", location text COLLATE "C", slot integer, available numeric, allocated numeric, backordered numeric);
-- piece by piece
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
CREATE TABLE item (item text COLLATE "C", on_short text, backorder_limit numeric, auto_allocate boolean);
CREATE TABLE location (location text COLLATE "C");
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
ALTER TABLE item ADD PRIMARY KEY (item);
ALTER TABLE location ADD PRIMARY KEY (location);
INSERT INTO item VALUES ('a', NULL, NULL, NULL);
INSERT INTO location VALUES ('main');
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
ALTER TABLE stock_slot ADD PRIMARY KEY (item, location, slot);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
-- NULLs where a ledger has none
INSERT INTO stock_slot VALUES ('a', 'main', 0, NULL, NULL, NULL);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
UPDATE stock_slot SET available = 5;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
UPDATE stock_slot SET allocated = 0, backordered = 0;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', NULL);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES (NULL, 1, 'a', 1);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, NULL, 1);
INSERT INTO order_line (order_id, line_no, item, quantity, cancelled) VALUES ('1', 1, 'a', 1, NULL);
INSERT INTO order_line (order_id, line_no, item, quantity, firm) VALUES ('1', 1, 'a', 1, NULL);
INSERT INTO order_line (order_id, line_no, item, quantity, shipped) VALUES ('1', 1, 'a', 1, NULL);
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, on_hold, attributes) VALUES ('1', NULL, 'a', 1, NULL, NULL, NULL);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 'NaN');
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
SELECT available, allocated FROM stock_slot;
-- short: tables that are not there, and then there with other columns
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 2, 'a', 10);
UPDATE order_line SET quantity = 3 WHERE line_no = 1;
UPDATE order_line SET quantity = 0.5 WHERE line_no = 1;
UPDATE order_line SET quantity = NULL WHERE line_no = 1;
UPDATE order_line SET order_id = NULL, item = NULL;
DELETE FROM order_line WHERE line_no = 1;
CREATE TABLE backorder (order_id text, line_no text, item integer, closed_at text, remaining text, backorder_id text, location text);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 2, 'a', 10);
DROP TABLE backorder;
CREATE TABLE backorder (backorder_id bigint, order_id text, line_no bigint, item text, location text, quantity numeric, remaining numeric, cancelled numeric, cause text, claim_at timestamptz,
	priority integer, rank_at timestamptz, rules text[], opened_at timestamptz, closed_at timestamptz, outcome text);
CREATE TABLE priority_rule (name text PRIMARY KEY, condition jsonpath, priority integer, head_start interval, valid_from timestamptz, valid_to timestamptz);
INSERT INTO priority_rule VALUES ('r', '$.customer == "x"');
CREATE VIEW rule_input AS SELECT order_id, line_no, priority, '{}'::jsonb AS line FROM order_line;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 2, 'a', 10);
-- a priority that is NULL, and a view that says 7 rows where there is one
INSERT INTO order_line (order_id, line_no, item, quantity, priority) VALUES ('1', 2, 'a', 10, 1);
CREATE OR REPLACE VIEW rule_input AS SELECT order_id, line_no, priority, '{}'::jsonb AS line FROM order_line, generate_series(1, 7);
INSERT INTO order_line (order_id, line_no, item, quantity, priority) VALUES ('1', 3, 'a', 10, 1);
-- wrong types
DROP VIEW rule_input;
ALTER TABLE order_line ALTER quantity TYPE double precision;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
ALTER TABLE order_line ALTER quantity TYPE numeric, ALTER line_no TYPE integer;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
ALTER TABLE order_line ALTER line_no TYPE bigint;
ALTER TABLE order_line RENAME shipped TO sent;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
ALTER TABLE order_line RENAME sent TO shipped;
ALTER TABLE stock_slot ALTER available TYPE integer;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
ALTER TABLE stock_slot ALTER available TYPE numeric, DROP CONSTRAINT stock_slot_pkey, ADD PRIMARY KEY (location, item, slot);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
ALTER TABLE stock_slot DROP CONSTRAINT stock_slot_pkey, ALTER item TYPE text COLLATE "POSIX", ADD PRIMARY KEY (item, location, slot);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
ALTER TABLE stock_slot ALTER item TYPE text COLLATE "C";
ALTER TABLE item ALTER auto_allocate TYPE text;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
-- views, an index, a sequence in the place of tables
DROP TABLE item;
CREATE VIEW item AS SELECT 'a'::text AS item, NULL::text AS on_short, NULL::numeric AS backorder_limit, true AS auto_allocate;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
DROP VIEW item;
CREATE SEQUENCE item;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
DROP SEQUENCE item;
CREATE INDEX item ON order_line (order_id);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
DROP INDEX item;
CREATE TYPE item AS (item text);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
DROP TYPE item;
CREATE TABLE item (item text COLLATE "C" PRIMARY KEY, on_short text, backorder_limit numeric, auto_allocate boolean) PARTITION BY LIST (item);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
DROP TABLE item;
-- another's table in the middle of it: clerk's slots
CREATE TABLE item (item text COLLATE "C" PRIMARY KEY, on_short text, backorder_limit numeric, auto_allocate boolean);
INSERT INTO item VALUES ('a');
RESET SESSION AUTHORIZATION;
ALTER TABLE fake.stock_slot OWNER TO clerk;
GRANT USAGE ON SCHEMA fake TO clerk;
SET SESSION AUTHORIZATION stranger;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
RESET SESSION AUTHORIZATION;
ALTER TABLE fake.stock_slot OWNER TO stranger;
-- merchant's ledger through a stranger's view of its name: the stranger's rights
SET SESSION AUTHORIZATION stranger;
DROP TABLE item, stock_slot;
CREATE VIEW stock_slot AS SELECT * FROM rights.stock_slot;
CREATE VIEW item AS SELECT * FROM rights.item;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 4, 'a', 1);
DROP VIEW stock_slot, item;

-- stock_move and the others likewise
CREATE TABLE stock_slot (item text COLLATE "C", location text COLLATE "C", slot integer, available numeric, allocated numeric, backordered numeric, PRIMARY KEY (item, location, slot));
CREATE TABLE item (item text COLLATE "C" PRIMARY KEY, on_short text, backorder_limit numeric, auto_allocate boolean);
INSERT INTO item VALUES ('a');
CREATE TABLE stock_move (move_id bigint, kind text, item text, location text, quantity numeric, order_id text, line_no bigint, moved_at timestamptz, inbound_id bigint, attributes jsonb DEFAULT '{}');
CREATE TABLE inbound (inbound_id bigint, item text, location text);
CREATE TRIGGER c BEFORE INSERT ON stock_move FOR EACH ROW EXECUTE FUNCTION backorder.stock_move_complete();
CREATE TRIGGER i AFTER INSERT ON stock_move REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION backorder.stock_move_insert();
INSERT INTO stock_move VALUES (1, 'receipt', 'a', NULL, 5, NULL, NULL, now());
CREATE TABLE ledger (default_location integer, time_zone text, version text);
INSERT INTO stock_move VALUES (1, 'receipt', 'a', NULL, 5, NULL, NULL, now());
INSERT INTO ledger VALUES (1, 'UTC', '1');
INSERT INTO stock_move VALUES (1, 'receipt', 'a', NULL, 5, NULL, NULL, now());
INSERT INTO stock_move VALUES (NULL, 'receipt', 'a', 'main', 5, NULL, NULL, now());
INSERT INTO stock_move VALUES (1, NULL, 'a', 'main', 5, NULL, NULL, now());
INSERT INTO stock_move VALUES (1, 'receipt', 'a', 'main', NULL, NULL, NULL, now());
INSERT INTO stock_move VALUES (1, 'shipment', 'a', 'main', 1, NULL, NULL, now());
INSERT INTO stock_move VALUES (1, 'shipment', 'a', 'main', 1, '1', NULL, now());
INSERT INTO stock_move VALUES (1, 'shipment_reversal', 'a', 'main', 1, NULL, NULL, now());
INSERT INTO stock_move VALUES (1, 'receipt', 'a', 'main', 0, NULL, NULL, now());
INSERT INTO stock_move VALUES (1, 'receipt', 'a', 'main', 'NaN', NULL, NULL, now());
INSERT INTO stock_move VALUES (1, 'nonsense', 'a', 'main', 1, NULL, NULL, NULL);
CREATE TRIGGER u AFTER UPDATE ON item REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION backorder.item_update();
CREATE TRIGGER d AFTER DELETE ON item REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION backorder.item_delete();
UPDATE item SET auto_allocate = NULL;
UPDATE item SET auto_allocate = true;
ALTER TABLE item DROP CONSTRAINT item_pkey, ALTER item DROP NOT NULL;
INSERT INTO item VALUES (NULL);
UPDATE item SET auto_allocate = false;
DELETE FROM item;
ALTER TABLE priority_rule DROP CONSTRAINT priority_rule_pkey, ALTER name DROP NOT NULL;
CREATE TRIGGER i AFTER INSERT ON priority_rule REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION backorder.priority_rule_check();
INSERT INTO priority_rule VALUES (NULL, NULL), ('x', '$.customer');
ALTER TABLE priority_rule ALTER condition TYPE text;
INSERT INTO priority_rule VALUES ('x', '$.customer');
CREATE TRIGGER u AFTER UPDATE ON ledger REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION backorder.ledger_update();
UPDATE ledger SET version = NULL;
UPDATE ledger SET time_zone = NULL;
UPDATE ledger SET default_location = 2;
CREATE VIEW order_line_status AS SELECT order_id, line_no FROM order_line;
CREATE TRIGGER w INSTEAD OF INSERT OR UPDATE OR DELETE ON order_line_status FOR EACH ROW EXECUTE FUNCTION backorder.order_line_status_write();
INSERT INTO order_line_status VALUES ('1', 1);
DROP VIEW order_line_status;
CREATE VIEW order_line_status AS SELECT order_id, line_no, item, location, quantity, customer, attributes, unit_price, required_by, placed_at, not_before, priority, on_short, demand_class, firm FROM order_line WHERE false;
CREATE TRIGGER w INSTEAD OF INSERT OR UPDATE OR DELETE ON order_line_status FOR EACH ROW EXECUTE FUNCTION backorder.order_line_status_write();
INSERT INTO order_line_status (order_id) VALUES ('1') RETURNING order_id;
INSERT INTO order_line_status (line_no) VALUES (1) RETURNING order_id;
\set VERBOSITY default

-- Functions for owners, on a look-alike and on what is not his
\set VERBOSITY sqlstate
SELECT backorder.upgrade_ledger('fake');
SELECT * FROM backorder.check_ledger('fake');
SELECT backorder.rebuild_ledger('fake');
SELECT backorder.empty_ledger('fake');
\set VERBOSITY default
SELECT backorder.upgrade_ledger('rights');
SELECT * FROM backorder.check_ledger('rights');
-- nobody who reads the list of ledgers runs a stranger's code, or is kept from reading it
DROP TABLE ledger;
CREATE TABLE ledger (version text);
INSERT INTO ledger VALUES ('1');
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY bark ON ledger USING (planted.bark());
GRANT SELECT ON ledger TO PUBLIC;
GRANT USAGE ON SCHEMA fake TO PUBLIC;
SET SESSION AUTHORIZATION merchant;
SELECT schema FROM backorder.ledger WHERE schema = 'rights' AND version = backorder.version();
SELECT count(version) >= 0 AS readable FROM backorder.ledger WHERE schema = 'fake';
SET SESSION AUTHORIZATION stranger;
DROP TABLE fake.ledger;
CREATE TABLE fake.ledger (only_row boolean);
GRANT SELECT ON fake.ledger TO PUBLIC;
SET SESSION AUTHORIZATION merchant;
SELECT schema FROM backorder.ledger WHERE schema = 'rights' AND version = backorder.version();
SELECT count(version) >= 0 AS readable FROM backorder.ledger WHERE schema = 'fake';
SET SESSION AUTHORIZATION stranger;
DROP TABLE fake.ledger;
CREATE TABLE fake.ledger (version integer);
INSERT INTO fake.ledger VALUES (1), (2);
GRANT SELECT ON fake.ledger TO PUBLIC;
SET SESSION AUTHORIZATION merchant;
SELECT schema FROM backorder.ledger WHERE schema = 'rights' AND version = backorder.version();
SELECT count(version) >= 0 AS readable FROM backorder.ledger WHERE schema = 'fake';

-- The owner's own ledger, damaged: errors, not crashes
SET search_path = rights;
ALTER TABLE stock_slot DISABLE TRIGGER ALL, ALTER available DROP NOT NULL, ALTER allocated DROP NOT NULL;
SELECT backorder.empty_ledger('rights');
SELECT quantity FROM receive('a', 5);
UPDATE stock_slot SET available = NULL;
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
SELECT quantity FROM receive('a', 5);
SELECT * FROM record_count('a', 5);
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'a', -1);
\set VERBOSITY default
UPDATE stock_slot SET available = 5, allocated = NULL;
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1);
\set VERBOSITY default
SELECT backorder.rebuild_ledger('rights');
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 1) RETURNING allocated;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA fake CASCADE;
DROP SCHEMA planted CASCADE;
SET SESSION AUTHORIZATION merchant;
DROP SCHEMA rights CASCADE;
