-- What does not use the extension is left alone; what users add to a ledger goes on working.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\pset null NULL
-- a schema whose tables are named like a ledger's, made before any ledger
CREATE SCHEMA lookalike;
CREATE TABLE lookalike.item (item text);
CREATE TABLE lookalike.location (location text);
CREATE TABLE lookalike.order_line (order_id text, line_no bigint, item text, quantity numeric, shipped numeric);
CREATE TABLE lookalike.stock_move (item text, quantity numeric);
CREATE TABLE lookalike.stock_slot (item text, available numeric);
CREATE TABLE lookalike.backorder (order_id text);
CREATE TABLE lookalike.journal (entry text);
CREATE TABLE lookalike.ledger (account text, balance numeric);
CREATE TEMP TABLE objects_before AS
	SELECT 'relation' AS kind, oid, relname::text AS name FROM pg_class WHERE relnamespace NOT IN ('pg_toast'::regnamespace, pg_my_temp_schema())
	UNION ALL SELECT 'function', oid, proname FROM pg_proc UNION ALL SELECT 'trigger', oid, tgname FROM pg_trigger UNION ALL SELECT 'schema', oid, nspname FROM pg_namespace
	UNION ALL SELECT 'type', oid, typname FROM pg_type WHERE typnamespace NOT IN ('pg_toast'::regnamespace, pg_my_temp_schema()) UNION ALL SELECT 'event trigger', oid, evtname FROM pg_event_trigger
	UNION ALL SELECT 'operator', oid, oprname FROM pg_operator UNION ALL SELECT 'cast', oid, NULL FROM pg_cast;
SELECT backorder.create_ledger('beside', 'UTC');
SELECT count(*) > 0 AS made FROM pg_class WHERE relnamespace = 'beside'::regnamespace;
-- nothing but the schema and what is in it
SELECT b.kind, b.name FROM objects_before AS b WHERE b.kind = 'relation' AND NOT EXISTS (SELECT FROM pg_class WHERE oid = b.oid);
SELECT relname FROM pg_class AS c WHERE relnamespace NOT IN ('pg_toast'::regnamespace, 'beside'::regnamespace, pg_my_temp_schema()) AND relname !~ '^pg_toast'
	AND NOT EXISTS (SELECT FROM objects_before AS b WHERE b.kind = 'relation' AND b.oid = c.oid) AND relname <> 'objects_before';
SELECT proname FROM pg_proc AS p WHERE pronamespace <> 'beside'::regnamespace AND NOT EXISTS (SELECT FROM objects_before AS b WHERE b.kind = 'function' AND b.oid = p.oid);
SELECT tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid WHERE relnamespace <> 'beside'::regnamespace AND NOT EXISTS (SELECT FROM objects_before AS b WHERE b.kind = 'trigger' AND b.oid = t.oid);
SELECT nspname FROM pg_namespace AS n WHERE nspname <> 'beside' AND nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM objects_before AS b WHERE b.kind = 'schema' AND b.oid = n.oid);
SELECT count(*) FROM pg_event_trigger;
SELECT schemaname FROM pg_tables WHERE schemaname = 'backorder';

-- the look-alike is a user's own business
INSERT INTO lookalike.order_line VALUES ('1', 1, 'a', -5, 99);
UPDATE lookalike.order_line SET shipped = NULL, order_id = '2';
INSERT INTO lookalike.stock_slot VALUES ('a', -1);
UPDATE lookalike.stock_slot SET available = -2;
INSERT INTO lookalike.ledger VALUES ('cash', 5);
DELETE FROM lookalike.ledger;
TRUNCATE lookalike.order_line, lookalike.journal;
SELECT schema, owner, healthy_triggers FROM backorder.ledger WHERE schema IN ('beside', 'lookalike');
-- functions for ledgers refuse it, and leave it as it is
\set VERBOSITY terse
SELECT backorder.rebuild_ledger('lookalike');
SELECT backorder.empty_ledger('lookalike');
SELECT * FROM backorder.check_ledger('lookalike');
\set VERBOSITY default
SELECT count(*) FROM lookalike.stock_slot;

-- Settings, search_path, role and the rest of the session are as before, also after errors.
SET search_path = beside, public;
INSERT INTO item (item) VALUES ('a'), ('b');
SELECT quantity FROM receive('a', 10);
SET work_mem = '1MB';
SET enable_seqscan = off;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 4), ('1', 2, 'a', 40), ('1', 3, 'b', 1);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 4);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 9, 'gone', 4);
SELECT * FROM backorder.check_ledger('beside');
SELECT current_setting('search_path') AS search_path, current_setting('work_mem') AS work_mem, current_setting('enable_seqscan') AS seqscan, current_setting('enable_sort') AS sort, (SELECT setting = reset_val FROM pg_settings WHERE name = 'jit') AS jit,
	current_user, session_user;
RESET work_mem;
RESET enable_seqscan;
BEGIN;
SET LOCAL search_path = beside, pg_catalog;
SELECT quantity FROM receive('b', 3);
SELECT backorder.upgrade_ledger('beside');
SHOW search_path;
ROLLBACK;
SHOW search_path;
-- inside a function with settings and rights of its own
CREATE FUNCTION ordered(text) RETURNS numeric LANGUAGE sql SECURITY DEFINER SET search_path = beside, pg_temp AS $$
	INSERT INTO beside.order_line_status (order_id, line_no, item, quantity) VALUES ($1, 1, 'a', 1) RETURNING backordered
$$;
GRANT USAGE ON SCHEMA beside TO clerk;
SET SESSION AUTHORIZATION clerk;
SELECT beside.ordered('2');
SELECT current_user;
SET SESSION AUTHORIZATION merchant;

-- Users' columns (also generated, not null, in front), indexes, constraints, defaults, foreign keys, triggers, views, publications
ALTER TABLE order_line ADD COLUMN gift boolean NOT NULL DEFAULT false, ADD COLUMN total numeric GENERATED ALWAYS AS (quantity * coalesce(unit_price, 0)) STORED,
	ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN row_no bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE stock_move ADD COLUMN truck text, ADD COLUMN doubled numeric GENERATED ALWAYS AS (quantity * 2) STORED;
ALTER TABLE item ADD COLUMN shelf text;
ALTER TABLE item ADD COLUMN brief text;
ALTER TABLE item DROP COLUMN brief;
ALTER TABLE stock_slot ADD COLUMN note text DEFAULT 'x', ADD COLUMN total numeric GENERATED ALWAYS AS (available + allocated) STORED;
ALTER TABLE backorder ADD COLUMN told boolean NOT NULL DEFAULT false;
ALTER TABLE journal ADD COLUMN sent_at timestamptz;
CREATE UNIQUE INDEX order_line_row ON order_line (row_no);
CREATE INDEX slot_total ON stock_slot (total);
CREATE INDEX ON backorder ((lower(item))) WHERE NOT told;
ALTER TABLE order_line ADD CONSTRAINT no_more_than_a_thousand CHECK (quantity <= 1000);
CREATE TABLE line_note (order_id text COLLATE "C", line_no bigint, note text, FOREIGN KEY (order_id, line_no) REFERENCES order_line ON DELETE CASCADE);
CREATE VIEW gifts AS SELECT s.* FROM order_line_status AS s JOIN order_line AS l USING (order_id, line_no) WHERE gift;
CREATE TABLE heard (what text);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO beside.heard VALUES (pg_catalog.concat_ws(' ', TG_TABLE_NAME, TG_WHEN, TG_OP, TG_LEVEL));
	RETURN coalesce(NEW, OLD);
END
$$;
CREATE TRIGGER hear_before BEFORE INSERT OR UPDATE ON order_line FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear_after AFTER INSERT OR UPDATE ON order_line FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear_before BEFORE INSERT OR UPDATE ON stock_slot FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear_after AFTER INSERT OR UPDATE ON stock_slot FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear_before BEFORE INSERT OR UPDATE ON backorder FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear_after AFTER INSERT OR UPDATE ON backorder FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear_after AFTER INSERT ON journal FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear_after AFTER INSERT ON stock_move FOR EACH ROW EXECUTE FUNCTION hear();
INSERT INTO order_line (order_id, line_no, item, quantity, unit_price, gift) VALUES ('3', 1, 'b', 4, 2.5, true);
INSERT INTO line_note VALUES ('3', 1, 'with ribbon');
SELECT quantity FROM receive('b', 20);
UPDATE order_line SET quantity = 6 WHERE order_id = '3';
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('4', 1, 'b', 2) RETURNING allocated;
SELECT quantity FROM ship('4');
INSERT INTO stock_move (kind, item, quantity, truck) VALUES ('adjustment', 'b', -2, 'T 1');
UPDATE order_line SET gift = false WHERE order_id = '4';
SELECT order_id, total, gift, row_no > 0 AS numbered FROM order_line WHERE order_id IN ('3', '4') ORDER BY order_id;
SELECT bool_and(total = available + allocated) AS kept, count(*) > 0 AS some FROM stock_slot;
SELECT what, count(*) > 0 AS heard FROM heard GROUP BY what ORDER BY what;
-- a line saved again unchanged, or changed in a column of the user's, costs the engine nothing
TRUNCATE heard;
UPDATE order_line SET gift = true;
SELECT what, count(*) FROM heard GROUP BY what ORDER BY what;
-- a user's constraint holds for the engine's writes too, and fails the statement as a whole
ALTER TABLE order_line ADD CONSTRAINT never_more_than_three_shipped CHECK (shipped <= 3);
\set VERBOSITY sqlstate
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '3', 1, 4);
\set VERBOSITY default
SELECT shipped, allocated FROM order_line_status WHERE order_id = '3';
ALTER TABLE order_line DROP CONSTRAINT never_more_than_three_shipped;
-- a line that never entered goes with what the user hung on it
INSERT INTO order_line (order_id, line_no, item, quantity, not_before) VALUES ('5', 1, 'b', 1, 'infinity');
INSERT INTO line_note VALUES ('5', 1, 'perhaps');
DELETE FROM order_line WHERE order_id = '5';
SELECT count(*) FROM line_note;
SELECT * FROM backorder.check_ledger('beside');
SELECT backorder.rebuild_ledger('beside');
SELECT * FROM backorder.check_ledger('beside');

-- The schema goes, and everything is as it was.
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA beside CASCADE;
SELECT relname FROM pg_class AS c WHERE relnamespace NOT IN ('pg_toast'::regnamespace, pg_my_temp_schema()) AND relname !~ '^pg_toast' AND NOT EXISTS (SELECT FROM objects_before AS b WHERE b.kind = 'relation' AND b.oid = c.oid);
SELECT proname FROM pg_proc AS p WHERE NOT EXISTS (SELECT FROM objects_before AS b WHERE b.kind = 'function' AND b.oid = p.oid);
SELECT nspname FROM pg_namespace AS n WHERE nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM objects_before AS b WHERE b.kind = 'schema' AND b.oid = n.oid);
SELECT b.kind, b.name FROM objects_before AS b WHERE b.kind = 'relation' AND NOT EXISTS (SELECT FROM pg_class WHERE oid = b.oid) OR b.kind = 'function' AND NOT EXISTS (SELECT FROM pg_proc WHERE oid = b.oid);
DROP SCHEMA lookalike CASCADE;
