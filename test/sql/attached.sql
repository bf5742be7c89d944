-- The engine writes backorders and the journal directly, or by SQL where something
-- of the user's is attached to the table.  Both write the same rows, and what is
-- attached gets its due.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\pset null NULL
CREATE SCHEMA attached;
SET search_path = attached;

-- a day of orders, of which every kind of row comes
CREATE PROCEDURE play(ledger text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', quote_ident(ledger), true);
	INSERT INTO item (item, on_short) VALUES ('a', 'backorder'), ('b', 'cancel'), ('c', 'backorder');
	INSERT INTO priority_rule (name, condition, priority) VALUES ('gold', '$.customer == "gold"', 5);
	INSERT INTO stock_move (item, quantity) VALUES ('a', 3), ('b', 1);
	INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES
		('1', 1, 'a', 5, 'tin'), ('1', 2, 'b', 4, 'tin'), ('2', 1, 'a', 2.5, 'gold'), ('3', 1, 'a', 7, NULL), ('4', 1, 'c', 1, 'tin');
	INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'many', n, 'c', n % 3 + 1 FROM generate_series(1, 700) AS n;
	INSERT INTO stock_move (item, quantity, moved_at) VALUES ('a', 1, '2030-01-01');
	INSERT INTO stock_move (item, quantity) VALUES ('a', 3), ('c', 1000);
	UPDATE order_line SET cancelled = 2 WHERE order_id = '3';
	UPDATE order_line SET cancelled = quantity, cancel_reason = 'too late' WHERE (order_id, line_no) IN (('many', 699), ('many', 700));
	UPDATE order_line SET customer = 'gold' WHERE order_id = '3';
	PERFORM set_config('backorder.actor', 'auditor', true);
	INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'a', -2);
	INSERT INTO stock_move (item, quantity) VALUES ('a', 100), ('c', 5000);
	PERFORM set_config('backorder.actor', '', true);
	UPDATE order_line SET quantity = quantity + 200 WHERE order_id = '2';
	UPDATE order_line SET quantity = 4 WHERE order_id = '2';
END
$$;

-- What a ledger has at the end, without the columns that tell of the moment.
CREATE FUNCTION rows_of(ledger text) RETURNS TABLE (table_name text, content jsonb) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT 'backorder', to_jsonb(b) - ARRAY['own', 'told'] FROM %1$I.backorder AS b
		UNION ALL SELECT 'journal', to_jsonb(j) - ARRAY['own', 'recorded_at', 'horizon'] FROM %1$I.journal AS j
		UNION ALL SELECT 'order_line', to_jsonb(l) FROM %1$I.order_line AS l$q$, ledger);
END
$$;
CREATE TABLE played (ledger text, table_name text, content jsonb);

-- Plays on a ledger of its own to which something has been attached.
CREATE PROCEDURE try(what text, attach text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM backorder.create_ledger(what, 'UTC');
	PERFORM set_config('search_path', quote_ident(what) || ', attached', true);
	EXECUTE attach;
	CALL attached.play(what);
	IF EXISTS (SELECT FROM backorder.check_ledger(what)) THEN
		RAISE 'check_ledger finds something in %', what;
	END IF;
	INSERT INTO attached.played SELECT what, r.* FROM attached.rows_of(what) AS r;
	PERFORM set_config('search_path', 'attached', true);
END
$$;
CREATE TABLE heard (ledger name, event text, rows bigint);
CREATE FUNCTION hear_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO attached.heard VALUES (TG_TABLE_SCHEMA, pg_catalog.concat_ws(' ', TG_TABLE_NAME, TG_WHEN, TG_OP, TG_LEVEL), 1);
	RETURN NEW;
END
$$;
CREATE FUNCTION hear_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO attached.heard SELECT TG_TABLE_SCHEMA, pg_catalog.concat_ws(' ', TG_TABLE_NAME, TG_WHEN, TG_OP, TG_LEVEL), pg_catalog.count(*) FROM news;
	RETURN NULL;
END
$$;
CREATE FUNCTION positive(numeric) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 > 0; END $$;
CREATE FUNCTION in_capitals(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN pg_catalog.upper($1); END $$;
CREATE DOMAIN told AS text CHECK (positive(pg_catalog.length(VALUE)));

-- all in one transaction: every now() is the same
BEGIN;
CALL try('plain', '');
CALL try('own columns', 'ALTER TABLE backorder ADD COLUMN own jsonb; ALTER TABLE journal ADD COLUMN brief text; ALTER TABLE journal DROP COLUMN brief');
CALL try('own checks', 'ALTER TABLE backorder ADD CHECK (quantity < 1000 AND order_id <> ''''); ALTER TABLE journal ADD CHECK (happened_at > ''2000-01-01''), ADD COLUMN own text');
CALL try('own indexes', 'CREATE INDEX ON backorder (lower(order_id)) WHERE quantity > 1; CREATE INDEX ON journal USING hash (kind); CREATE INDEX ON journal USING gin (rules)');
CALL try('row triggers', 'CREATE TRIGGER hear BEFORE INSERT OR UPDATE ON backorder FOR EACH ROW EXECUTE FUNCTION hear_row();
	CREATE TRIGGER hear AFTER INSERT ON journal FOR EACH ROW EXECUTE FUNCTION hear_row()');
CALL try('column trigger', 'CREATE TRIGGER hear AFTER UPDATE OF closed_at ON backorder FOR EACH ROW WHEN (NEW.closed_at IS NOT NULL) EXECUTE FUNCTION hear_row()');
CALL try('statement triggers', 'CREATE TRIGGER hear_new AFTER INSERT ON backorder REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION hear_rows();
	CREATE TRIGGER hear_change AFTER UPDATE ON backorder REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION hear_rows();
	CREATE TRIGGER hear AFTER INSERT ON journal REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION hear_rows()');
CALL try('defaults', 'ALTER TABLE backorder ADD COLUMN told boolean NOT NULL DEFAULT false; ALTER TABLE journal ADD COLUMN own text DEFAULT current_user');
CALL try('generated', 'ALTER TABLE backorder ADD COLUMN own numeric GENERATED ALWAYS AS (quantity - remaining) STORED; ALTER TABLE journal ADD COLUMN own text GENERATED ALWAYS AS (lower(kind)) STORED');
CALL try('numbered', 'ALTER TABLE journal ADD COLUMN own bigint GENERATED ALWAYS AS IDENTITY');
CALL try('own functions', 'ALTER TABLE backorder ADD CHECK (positive(quantity)); CREATE INDEX ON journal (in_capitals(order_id)); ALTER TABLE backorder ADD COLUMN own told');
CALL try('foreign key', 'CREATE TABLE note (backorder_id bigint REFERENCES backorder)');
CALL try('rule', 'CREATE RULE tell AS ON INSERT TO journal DO ALSO NOTIFY news');
CALL try('child', 'CREATE TABLE elsewhere () INHERITS (backorder)');
COMMIT;

SELECT table_name, count(*) FROM played WHERE ledger = 'plain' GROUP BY table_name ORDER BY table_name;
SELECT content ->> 'outcome' AS outcome, count(*) FROM played WHERE ledger = 'plain' AND table_name = 'backorder' GROUP BY 1 ORDER BY 1;
SELECT content ->> 'kind' AS kind, content ->> 'cause' AS cause, content ->> 'actor' AS actor, count(*) FROM played WHERE ledger = 'plain' AND table_name = 'journal' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- rows that are not the same as without anything attached
SELECT coalesce(a.ledger, 'plain') AS ledger, p.content AS plain, a.content AS attached
FROM (SELECT l.ledger, p.table_name, p.content, row_number() OVER (PARTITION BY l.ledger, p.table_name, p.content) AS n FROM played AS p, (SELECT DISTINCT ledger FROM played) AS l WHERE p.ledger = 'plain') AS p
FULL JOIN (SELECT *, row_number() OVER (PARTITION BY ledger, table_name, content) AS n FROM played) AS a USING (ledger, table_name, content, n)
WHERE p.content IS NULL OR a.content IS NULL LIMIT 5;
-- what was attached got its due
SELECT ledger, event, sum(rows) FROM heard GROUP BY ledger, event ORDER BY ledger, event;
SELECT count(*) FILTER (WHERE own = quantity - remaining), count(*) FROM generated.backorder;
SELECT count(*) FILTER (WHERE own = kind), count(*) FROM generated.journal;
SELECT count(*) FILTER (WHERE own = 'merchant'), count(*) FROM defaults.journal;
SELECT count(DISTINCT own), count(*) FROM numbered.journal;

-- CHECKs and indexes of the user's are asked, also those that came a moment ago; what they refuse leaves nothing
SET search_path = plain;
\set VERBOSITY terse
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('5', 1, 'a', 1000);
ALTER TABLE backorder ADD CONSTRAINT small CHECK (quantity < 2000);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 1, 'a', 1999), ('7', 1, 'a', 2000);
ALTER TABLE journal ADD CONSTRAINT no_more CHECK (kind <> 'filled' OR order_id <> '5') NOT VALID;
INSERT INTO stock_move (item, quantity) VALUES ('a', 1200);
ALTER TABLE journal DROP CONSTRAINT no_more;
CREATE UNIQUE INDEX once ON backorder (order_id, line_no) WHERE order_id = '8';
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('8', 1, 'a', 3);
UPDATE order_line SET quantity = 5 WHERE order_id = '8';
SELECT order_id, quantity, allocated, backordered FROM order_line_status WHERE order_id IN ('5', '6', '7', '8') ORDER BY order_id;
SELECT kind, quantity FROM journal WHERE order_id IN ('5', '6', '7', '8') ORDER BY journal_id;
INSERT INTO stock_move (item, quantity) VALUES ('a', 1200);
SELECT order_id, quantity, allocated, backordered FROM order_line_status WHERE order_id IN ('5', '6', '7', '8') ORDER BY order_id;
\set VERBOSITY default
-- a trigger on order lines that hears of what is short finds it in the journal; there are more of these than are written at once
CREATE TABLE attached.in_journal (lines bigint, entries bigint);
GRANT ALL ON attached.in_journal TO PUBLIC;
CREATE FUNCTION attached.look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO attached.in_journal
	SELECT count(DISTINCT n.order_id || '/' || n.line_no), count(j.journal_id)
	FROM changed AS n LEFT JOIN plain.journal AS j ON j.order_id = n.order_id AND j.line_no = n.line_no;
	RETURN NULL;
END$$;
CREATE TRIGGER look AFTER UPDATE ON order_line REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION attached.look();
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'heard', n, 'a', 1000 FROM generate_series(1, 300) AS n;
SELECT * FROM attached.in_journal;
SELECT * FROM backorder.check_ledger('plain');
SET client_min_messages = warning;
DROP SCHEMA attached, plain, "own columns", "own checks", "own indexes", "row triggers", "column trigger", "statement triggers", defaults,
	generated, numbered, "own functions", "foreign key", rule, child CASCADE;
