-- Who can do what: a table of roles and actions, each tried and undone; messages tell no secret to who may not read it.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\pset null ''
SELECT backorder.create_ledger('guarded', 'UTC');
SET search_path = guarded;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, backorder_limit, on_short, unit_price) VALUES ('a', NULL, 'backorder', 55.55), ('refused', NULL, 'refuse', 55.55), ('limited', 77.125, 'backorder', 55.55);
INSERT INTO stock_move (item, quantity, reference, moved_at) VALUES ('a', 731.25, 'REF-SECRET', '2026-01-01'), ('refused', 731.25, NULL, '2026-01-01');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, attributes, unit_price, placed_at) VALUES
	('SECRET-1', 1, 'a', 413.5, 'ann-secret', '{"note": "SECRET"}', 55.55, '2026-01-02'),
	('SECRET-1', 2, 'a', 613.5, 'ann-secret', '{"note": "SECRET"}', 55.55, '2026-01-02'),
	('B-1', 1, 'a', 3, 'bob', '{}', 1, '2026-01-03'), ('B-1', 2, 'limited', 3, 'bob', '{}', 1, '2026-01-03');
INSERT INTO order_line (order_id, line_no, item, quantity, customer, not_before) VALUES ('SECRET-2', 1, 'a', 413.5, 'ann-secret', 'infinity');
INSERT INTO priority_rule (name, condition, priority) VALUES ('rule-secret', '$.customer == "ann-secret"', 1);
INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days) VALUES ('policy-secret', 'x', '$.quantity > 0', 1);
INSERT INTO inbound (item, quantity, expected_at, supplier) VALUES ('a', 919.75, '2026-03-01', 'supplier-secret');
RESET SESSION AUTHORIZATION;
CREATE ROLE matrix_warehouse;
CREATE ROLE matrix_analyst;
CREATE ROLE matrix_portal;
CREATE SCHEMA matrix;
GRANT USAGE ON SCHEMA matrix TO PUBLIC;
SET SESSION AUTHORIZATION merchant;
GRANT INSERT (order_id, line_no, item, location, quantity, customer) ON order_line TO clerk;
GRANT INSERT ON stock_move TO matrix_warehouse;
DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'guarded'::regnamespace AND relkind = 'v' LOOP
		EXECUTE format('GRANT SELECT ON %I TO matrix_analyst', name);
	END LOOP;
END
$$;
ALTER TABLE order_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE backorder ENABLE ROW LEVEL SECURITY;
ALTER TABLE journal ENABLE ROW LEVEL SECURITY;
CREATE POLICY staff ON order_line TO clerk, matrix_warehouse USING (true);
CREATE POLICY own ON order_line TO matrix_portal USING (customer = 'bob');
CREATE POLICY own ON backorder FOR SELECT TO matrix_portal USING (EXISTS (
	SELECT FROM order_line AS l WHERE l.order_id = backorder.order_id AND l.line_no = backorder.line_no));
CREATE POLICY own ON journal FOR SELECT TO matrix_portal USING (EXISTS (
	SELECT FROM order_line AS l WHERE l.order_id = journal.order_id AND l.line_no = journal.line_no));
GRANT SELECT ON item, order_line, backorder, journal, order_line_status, order_status, open_backorder, history TO matrix_portal;
GRANT INSERT (order_id, line_no, item, quantity, customer) ON order_line, order_line_status TO matrix_portal;
GRANT UPDATE (cancelled, cancel_reason) ON order_line TO matrix_portal;

-- The driver: each action as each role, undone again; what came of it, and what was said.
RESET SESSION AUTHORIZATION;
CREATE TABLE matrix.heard (role text, command text, state text, said text);
CREATE FUNCTION matrix.attempt(role text, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
	rows bigint;
	message text;
	detail text;
	hint text;
	context text;
	col text;
	con text;
	rel text;
BEGIN
	BEGIN
		PERFORM set_config('role', role, true);
		PERFORM set_config('search_path', 'guarded', true);
		EXECUTE command;
		GET DIAGNOSTICS rows = ROW_COUNT;
		RAISE EXCEPTION USING ERRCODE = 'ZZZZZ', MESSAGE = 'undo';
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
			context = PG_EXCEPTION_CONTEXT, col = COLUMN_NAME, con = CONSTRAINT_NAME, rel = TABLE_NAME;
	END;
	IF state = 'ZZZZZ' THEN
		RETURN CASE WHEN rows = 0 AND command ~ '^(SELECT|UPDATE|DELETE)' THEN 'none' ELSE 'yes' END;
	END IF;
	INSERT INTO matrix.heard VALUES (role, command, state, concat_ws(' | ', message, detail, hint, context, col, con, rel));
	RETURN CASE state WHEN '42501' THEN '-' ELSE state END;
END
$$;
CREATE TABLE matrix.action (n integer GENERATED ALWAYS AS IDENTITY, action text, command text);
INSERT INTO matrix.action (action, command) VALUES
	('read lines', 'SELECT * FROM order_line'),
	('read status', 'SELECT * FROM order_line_status'),
	('read queue', 'SELECT * FROM open_backorder'),
	('read history', 'SELECT * FROM history'),
	('read ann''s lines', 'SELECT * FROM order_line WHERE customer = ''ann-secret'''),
	('read ann''s status', 'SELECT * FROM order_line_status WHERE customer = ''ann-secret'''),
	('read ann''s queue', 'SELECT * FROM open_backorder WHERE order_id = ''SECRET-1'''),
	('read ann''s history', 'SELECT * FROM history WHERE order_id = ''SECRET-1'''),
	('read ann''s journal', 'SELECT * FROM journal WHERE order_id = ''SECRET-1'''),
	('read stock', 'SELECT * FROM stock'),
	('read shortage', 'SELECT * FROM shortage'),
	('read figures', 'SELECT * FROM kpi'),
	('figure', 'SELECT fill_rate()'),
	('promised dates', 'SELECT * FROM promise_schedule(''a'')'),
	('ann''s promised dates', 'SELECT * FROM promise_schedule() WHERE order_id = ''SECRET-1'''),
	('a date for an order', 'SELECT * FROM promise_date(''a'', 1)'),
	('journal as outbox', 'SELECT * FROM journal_since()'),
	('ann''s in the outbox', 'SELECT * FROM journal_since() WHERE order_id = ''SECRET-1'''),
	('what is free and when', 'SELECT * FROM available_to_promise(''a'')'),
	('suppliers', 'SELECT * FROM supplier_performance'),
	('the law''s clock', 'SELECT * FROM legal_due(''B-1'', 1)'),
	('the law''s clock of ann', 'SELECT * FROM legal_due(''SECRET-1'', 1)'),
	('whom to tell', 'SELECT * FROM notices_due(''2027-01-01'')'),
	('whom to refund', 'SELECT * FROM refunds_due(''2027-01-01'')'),
	('who has waited too long', 'SELECT * FROM escalated'),
	('read slots', 'SELECT * FROM stock_slot'),
	('read journal', 'SELECT * FROM journal'),
	('read rules', 'SELECT * FROM priority_rule'),
	('read moves', 'SELECT * FROM stock_move'),
	('read inbound', 'SELECT * FROM inbound'),
	('guess by writing', 'UPDATE order_line SET cancelled = cancelled WHERE quantity = 413.5'),
	('probe the key', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES (''SECRET-1'', 1, ''a'', 1, ''bob'')'),
	('probe with upsert', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES (''SECRET-1'', 1, ''a'', 1, ''bob'') ON CONFLICT (order_id, line_no) DO UPDATE SET cancelled = order_line.quantity'),
	('order', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES (''N'', 1, ''a'', 1, ''bob'')'),
	('order, short', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES (''N'', 1, ''a'', 1000, ''bob'')'),
	('order, refused', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES (''N'', 1, ''refused'', 1000, ''bob'')'),
	('order, over limit', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES (''N'', 1, ''limited'', 1000, ''bob'')'),
	('order for ann', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES (''N'', 1, ''a'', 1, ''ann-secret'')'),
	('order by view', 'INSERT INTO order_line_status (order_id, line_no, item, quantity, customer) VALUES (''N'', 1, ''a'', 1, ''bob'') RETURNING allocated'),
	('order by function', 'SELECT * FROM place_order(''N'', ''[{"item": "a", "quantity": 1}]'', ''bob'')'),
	('order, back-dated', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES (''N'', 1, ''a'', 1, ''bob'', ''2000-01-01'')'),
	('order, urgent', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer, priority) VALUES (''N'', 1, ''a'', 1, ''bob'', 9)'),
	('order, engine column', 'INSERT INTO order_line (order_id, line_no, item, quantity, customer, shipped) VALUES (''N'', 1, ''a'', 1, ''bob'', 1)'),
	('cancel own', 'UPDATE order_line SET cancelled = quantity WHERE order_id = ''B-1'''),
	('cancel own by function', 'SELECT * FROM cancel(''B-1'')'),
	('cancel ann''s', 'UPDATE order_line SET cancelled = quantity WHERE order_id = ''SECRET-1'''),
	('cancel ann''s by function', 'SELECT * FROM cancel(''SECRET-1'')'),
	('cancel one of ann''s', 'SELECT * FROM cancel(''SECRET-1'', 1, 1)'),
	('cancel too much', 'UPDATE order_line SET cancelled = 1e20'),
	('give to bob', 'UPDATE order_line SET customer = ''bob'''),
	('hold', 'UPDATE order_line SET not_before = ''infinity'''),
	('raise', 'UPDATE order_line SET quantity = quantity + 1'),
	('delete', 'DELETE FROM order_line'),
	('release', 'SELECT * FROM release_due()'),
	('receive', 'INSERT INTO stock_move (item, quantity) VALUES (''a'', 1)'),
	('receive, one unknown', 'INSERT INTO stock_move (item, quantity) VALUES (''nothing'', 1)'),
	('receive by function', 'SELECT * FROM receive(''a'', 1)'),
	('lose', 'INSERT INTO stock_move (kind, item, quantity) VALUES (''adjustment'', ''a'', -600)'),
	('lose too much', 'INSERT INTO stock_move (kind, item, quantity) VALUES (''adjustment'', ''a'', -1e6)'),
	('ship', 'INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES (''shipment'', ''SECRET-1'', 1, 1)'),
	('ship too much', 'INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES (''shipment'', ''SECRET-1'', 1, 1e6)'),
	('ship back too much', 'INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES (''shipment_reversal'', ''SECRET-1'', 1, 1e6)'),
	('ship, no such line', 'INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES (''shipment'', ''SECRET-1'', 9, 1)'),
	('ship what is on hold', 'INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES (''shipment'', ''SECRET-2'', 1, 1)'),
	('ship, other item', 'INSERT INTO stock_move (kind, order_id, line_no, item, quantity) VALUES (''shipment'', ''SECRET-1'', 1, ''limited'', 1)'),
	('ship by function', 'SELECT * FROM ship(''SECRET-1'')'),
	('count', 'SELECT * FROM record_count(''a'', 1)'),
	('transfer', 'SELECT * FROM transfer(''a'', ''main'', ''north'', 1)'),
	('change a move', 'UPDATE stock_move SET quantity = 1'),
	('firm', 'UPDATE order_line SET firm = 1e6 WHERE order_id = ''SECRET-1'''),
	('item policy', 'UPDATE item SET auto_allocate = false'),
	('new item', 'INSERT INTO item (item) VALUES (''new'')'),
	('drop item', 'DELETE FROM item'),
	('new rule', 'INSERT INTO priority_rule (name, condition, priority) VALUES (''me'', ''$.customer == "bob"'', 9)'),
	('re-rank', 'SELECT reprioritize()'),
	('allocate', 'SELECT * FROM allocate(''a'')'),
	('reallocate', 'SELECT reallocate(''SECRET-1'', 1, ''B-1'', 1, 1)'),
	('new policy', 'INSERT INTO delay_policy (name, jurisdiction, condition, allowed_days) VALUES (''me'', ''x'', ''$.quantity > 0'', 1)'),
	('holiday', 'INSERT INTO holiday (calendar, day) VALUES (''x'', ''2026-12-25'')'),
	('record a notice', 'SELECT record_notice(''SECRET-1'')'),
	('record a consent', 'SELECT record_consent(''SECRET-1'', until => ''2027-01-01'')'),
	('write a notice', 'INSERT INTO notice (order_id, line_no) VALUES (''SECRET-1'', 1)'),
	('run the clocks', 'CALL run_clocks(''2027-01-01'')'),
	('refresh promises', 'SELECT refresh_promises()'),
	('try a rule', 'SELECT * FROM preview_rule(''$.customer starts with "ann"'')'),
	('new inbound', 'INSERT INTO inbound (item, quantity) VALUES (''a'', 1)'),
	('move inbound', 'UPDATE inbound SET expected_at = now()'),
	('drop inbound', 'DELETE FROM inbound'),
	('write slots', 'UPDATE stock_slot SET available = 1'),
	('write journal', 'DELETE FROM journal'),
	('write backorder', 'UPDATE backorder SET priority = 99'),
	('settings', 'UPDATE ledger SET time_zone = ''UTC'''),
	('truncate', 'TRUNCATE order_line, backorder, journal'),
	('check_ledger', 'SELECT * FROM backorder.check_ledger(''guarded'')'),
	('rebuild_ledger', 'SELECT backorder.rebuild_ledger(''guarded'')'),
	('upgrade_ledger', 'SELECT backorder.upgrade_ledger(''guarded'')'),
	('empty_ledger', 'SELECT backorder.empty_ledger(''guarded'')'),
	('create_ledger', 'SELECT backorder.create_ledger(''another'', ''UTC'')'),
	('list ledgers', 'SELECT * FROM backorder.ledger WHERE schema = ''guarded'' AND version IS NOT NULL'),
	('serve_queue', 'SELECT backorder.serve_queue(''stock'', ''a'', ''main'', 1)'),
	('move_allocation', 'SELECT backorder.move_allocation(''stock'', ''SECRET-1'', 1, ''B-1'', 1, 1, NULL)'),
	('rerank', 'SELECT backorder.rerank(''stock'', NULL, NULL)'),
	('count_difference', 'SELECT backorder.count_difference(''stock'', ''a'', ''main'', 1)'),
	('lock_lines', 'SELECT backorder.lock_lines(''stock'', ''SECRET-1'', 1, NULL)'),
	('move_promises', 'SELECT backorder.move_promises(''stock'', NULL, NULL)'),
	('ann''s schedule', 'SELECT * FROM backorder.promise_schedule(''stock'', ''a'', ''main'') WHERE order_id = ''SECRET-1'''),
	('place_lines', 'SELECT backorder.place_lines(''stock'', ''N'', ''[{"item": "a", "quantity": 1}]'', ''bob'', NULL, NULL, NULL, NULL)'),
	('gate', 'SELECT backorder.gate(''guarded'', ''a'', ''main'')'),
	('trigger on a ledger''s table', 'CREATE TRIGGER own BEFORE INSERT ON order_line FOR EACH ROW EXECUTE FUNCTION matrix.bark()'),
	('trigger off', 'ALTER TABLE order_line DISABLE TRIGGER backorder_insert'),
	('rule on a ledger''s table', 'CREATE RULE own AS ON INSERT TO order_line DO INSTEAD NOTHING'),
	('own table in its schema', 'CREATE TABLE guarded.own (n integer)'),
	('own function in its schema', 'CREATE FUNCTION guarded.own() RETURNS integer LANGUAGE sql AS ''SELECT 1'''),
	('another''s function', 'CREATE OR REPLACE FUNCTION backorder.version() RETURNS text LANGUAGE sql AS ''SELECT NULL::text'''),
	('own function in backorder', 'CREATE FUNCTION backorder.own() RETURNS integer LANGUAGE sql AS ''SELECT 1'''),
	('sequence', 'SELECT nextval(''journal_journal_id_seq'')'),
	('engine trigger on own table', 'DO $do$ BEGIN CREATE TEMP TABLE order_line AS SELECT ''SECRET-1''::text AS order_id, 1::bigint AS line_no LIMIT 0;
		CREATE TRIGGER i AFTER INSERT ON pg_temp.order_line REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_insert(); INSERT INTO pg_temp.order_line VALUES (''SECRET-1'', 1); END $do$'),
	('look-alike over the ledger', 'DO $do$ BEGIN CREATE TEMP VIEW stock_slot AS SELECT * FROM guarded.stock_slot; CREATE TEMP VIEW item AS SELECT * FROM guarded.item; CREATE TEMP TABLE stock_move (move_id bigint, kind text, item text COLLATE "C", location text COLLATE "C", quantity numeric, order_id text COLLATE "C", line_no bigint, moved_at timestamptz, inbound_id bigint, attributes jsonb DEFAULT ''{}'');
		CREATE TRIGGER i AFTER INSERT ON pg_temp.stock_move REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION backorder.stock_move_insert(); INSERT INTO pg_temp.stock_move VALUES (1, ''receipt'', ''a'', ''main'', 5, NULL, NULL, now()); END $do$');
CREATE FUNCTION matrix.bark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

-- "-" is 42501, "none" no row read or written; everything else is the SQLSTATE.
SELECT action,
	matrix.attempt('merchant', command) AS owner, matrix.attempt('clerk', command) AS clerk, matrix.attempt('matrix_warehouse', command) AS warehouse,
	matrix.attempt('matrix_analyst', command) AS analyst, matrix.attempt('matrix_portal', command) AS portal, matrix.attempt('stranger', command) AS stranger
FROM matrix.action ORDER BY n;
-- what was said to those who may not read it: none of the numbers and names that they did not write themselves
SELECT h.role, h.command, h.said
FROM matrix.heard AS h, unnest(ARRAY['SECRET', '-secret', '413\.5', '613\.5', '731\.25', '317\.75', '295\.75', '77\.125', '55\.55', '919\.75', 'bob']) AS s (secret)
WHERE h.role <> 'merchant' AND h.said ~ secret AND h.command !~ secret AND NOT (h.role = 'matrix_portal' AND secret = 'bob');
SELECT count(*) > 200 AS messages_looked_at FROM matrix.heard WHERE role <> 'merchant';

-- A stranger at every table, view and column there is: nothing may be done.
-- (That a view cannot be updated PostgreSQL says, with 55000, before it looks at rights.)
SELECT c.relname, verb, matrix.attempt('stranger', command) AS came_through
FROM pg_class AS c, LATERAL (VALUES ('SELECT', 'SELECT 1 FROM ' || c.relname), ('INSERT', 'INSERT INTO ' || c.relname || ' DEFAULT VALUES'),
	('DELETE', 'DELETE FROM ' || c.relname), ('TRUNCATE', 'TRUNCATE ' || c.relname), ('LOCK', 'LOCK TABLE ' || c.relname)) AS v (verb, command)
WHERE c.relnamespace = 'guarded'::regnamespace AND c.relkind IN ('r', 'v', 'p') AND NOT (c.relkind = 'v' AND verb = 'TRUNCATE')
	AND matrix.attempt('stranger', command) NOT IN ('-', CASE c.relkind WHEN 'v' THEN '55000' ELSE '-' END)
ORDER BY 1, 2;
SELECT c.relname, a.attname, matrix.attempt('stranger', command) AS came_through
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0, LATERAL (VALUES (format('SELECT %I FROM %I', a.attname, c.relname)), (format('UPDATE %I SET %I = DEFAULT', c.relname, a.attname))) AS v (command)
WHERE c.relnamespace = 'guarded'::regnamespace AND c.relkind IN ('r', 'v', 'p')
	AND matrix.attempt('stranger', command) NOT IN ('-', CASE c.relkind WHEN 'v' THEN '55000' ELSE '-' END)
ORDER BY 1, 2;
-- And at every function, with arguments that mean something: no row of the ledger, and nothing written.
-- (22023: the argument itself is refused, whoever gives it.)
SELECT p.proname, matrix.attempt('stranger', command) AS came_through
FROM pg_proc AS p, LATERAL (
	SELECT format(CASE p.prokind WHEN 'p' THEN 'CALL %s(%s)' WHEN 'a' THEN 'SELECT 1 WHERE false AND %s(%s) IS NULL' ELSE 'SELECT * FROM %s(%s) AS f WHERE f IS NOT NULL' END, p.oid::regproc, string_agg(
		format('(%s)::%s', CASE
			WHEN a.type = 'regclass'::regtype THEN '''guarded.stock'''
			WHEN a.name ~ 'line' AND a.type = 'bigint'::regtype THEN '1'
			WHEN a.name = 'line_no' THEN '1'
			WHEN a.name ~ 'order' AND a.type = 'text'::regtype THEN '''SECRET-1'''
			WHEN a.name = 'item' THEN '''a'''
			WHEN a.name = 'to_location' THEN '''north'''
			WHEN a.name ~ 'location' THEN '''main'''
			WHEN a.name IN ('ledger', 'schema') THEN CASE a.type WHEN 'oid'::regtype THEN '''guarded''::regnamespace' ELSE '''guarded''' END
			WHEN a.name = 'lines' THEN '''[{"item": "a", "quantity": 1}]'''
			WHEN a.name = 'condition' THEN '''$.quantity > 0'''
			WHEN a.type IN ('numeric'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN '1'
			WHEN a.type = 'jsonb'::regtype THEN '''{}'''
			WHEN a.name = 'since' THEN '''2020-01-01'''
			WHEN a.type = 'timestamptz'::regtype THEN '''2026-02-01'''
			WHEN a.name = 'kind' THEN '''delay'''
			WHEN a.name = 'column_name' THEN '''item'''
			ELSE 'NULL' END, a.type::regtype), ', ' ORDER BY a.n)) AS command
	FROM unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, n)) AS c
WHERE p.prokind <> 'a' AND p.prorettype <> 'trigger'::regtype AND (p.pronamespace = 'guarded'::regnamespace OR (p.pronamespace = 'backorder'::regnamespace AND 'regclass'::regtype = ANY (p.proargtypes)))
	AND matrix.attempt('stranger', command) NOT IN ('-', 'none', '22023')
ORDER BY 1;
SELECT * FROM backorder.check_ledger('guarded');

-- A schema named backorder that somebody made first: no extension on top of it.
CREATE DATABASE matrix_taken;
\c matrix_taken
CREATE SCHEMA backorder AUTHORIZATION stranger;
SET SESSION AUTHORIZATION stranger;
CREATE FUNCTION backorder.order_line_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
RESET SESSION AUTHORIZATION;
GRANT CREATE ON DATABASE matrix_taken TO merchant;
SET SESSION AUTHORIZATION merchant;
CREATE EXTENSION backorder;
CREATE EXTENSION backorder SCHEMA backorder;
SELECT count(*) AS extensions FROM pg_extension WHERE extname = 'backorder';
RESET SESSION AUTHORIZATION;
-- and planted operators and functions in the path of who makes the extension are not looked at
DROP SCHEMA backorder CASCADE;
CREATE SCHEMA planted;
CREATE FUNCTION planted.bark() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted code ran'; END $$;
CREATE FUNCTION planted.equal(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT planted.bark()';
CREATE FUNCTION planted.join(text, text) RETURNS text LANGUAGE sql AS 'SELECT planted.bark()::text';
CREATE FUNCTION planted.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT planted.bark()::text';
CREATE OPERATOR planted.= (leftarg = text, rightarg = text, function = planted.equal);
CREATE OPERATOR planted.|| (leftarg = text, rightarg = text, function = planted.join);
SET search_path = planted, pg_catalog;
CREATE EXTENSION backorder;
SELECT backorder.create_ledger('shop', 'UTC');
INSERT INTO shop.item (item) VALUES ('a');
SELECT order_id, quantity FROM shop.receive('a', 1);
SELECT line_no, allocated, backordered FROM shop.place_order('1', '[{"item": "a", "quantity": 2}]');
SELECT * FROM backorder.check_ledger('shop');
\c sql_test
DROP DATABASE matrix_taken;
SET timezone = 'UTC';

-- Malicious names: data is never code.
SET SESSION AUTHORIZATION merchant;
SET search_path = guarded;
CREATE TEMP TABLE name AS SELECT n, name FROM unnest(ARRAY['''; DROP TABLE item; --', 'a"b', '%s%n%1$s', '\', '$1', '{"item": "a"}', E'tab\tline\n', E'\u202e', 'NULL', '', repeat('x', 2500)]) WITH ORDINALITY AS t (name, n);
INSERT INTO item (item) SELECT name FROM name WHERE name <> '';
INSERT INTO location (location) SELECT name FROM name WHERE name <> '';
\set VERBOSITY terse
INSERT INTO item (item) VALUES ('');
\set VERBOSITY default
SELECT n, (SELECT sum(quantity) FROM receive(name, 5, name, name, name)) AS received FROM name WHERE name <> '' ORDER BY n;
SELECT n, (SELECT sum(backordered) FROM place_order(name, jsonb_build_array(jsonb_build_object('item', name, 'quantity', 7, 'location', name)), name, jsonb_build_object(name, name))) AS backordered FROM name WHERE name <> '' ORDER BY n;
SELECT n, (SELECT count(*) FROM cancel(name, 1, 1, name)) AS cancelled, (SELECT count(*) FROM ship(name)) AS shipped, reprioritize(name, name) FROM name WHERE name <> '' ORDER BY n;
INSERT INTO priority_rule (name, condition) SELECT name, ('$.customer == ' || to_jsonb(name)::text)::jsonpath FROM name WHERE name <> '';
SELECT reprioritize();
SELECT * FROM backorder.check_ledger('guarded');
DELETE FROM priority_rule;
-- Jsonpaths: deep ones, wide ones and such as take for ever can be ended, and leave nothing behind.
INSERT INTO priority_rule (name, condition) VALUES ('deep', ('$' || repeat('.a', 5000) || ' == 1')::jsonpath), ('wide', ('$.customer == "bob"' || repeat(' || $.a == 1', 1000))::jsonpath),
	('wild', 'exists($.**.**.**.**)'), ('error', 'strict $.no.such == 1'), ('zero', '$.quantity / 0 > 1'), ('huge', '$.quantity * 1e1000 > 1');
SELECT line_no, backordered > 0 AS backordered FROM place_order('deep', '[{"item": "limited", "quantity": 1}]', 'bob', (repeat('{"a":', 900) || '1' || repeat('}', 900))::jsonb);
SELECT rules FROM backorder WHERE order_id = 'deep';
DELETE FROM priority_rule;
INSERT INTO priority_rule (name, condition) VALUES ('slow', 'exists($.attributes.list[*] ? (exists($.**.**.**.** ? (@ == "x"))))');
SET statement_timeout = '300ms';
SELECT * FROM place_order('slow', '[{"item": "limited", "quantity": 1}]', 'bob', (SELECT jsonb_build_object('list', jsonb_agg(g)) FROM generate_series(1, 3000) AS g));
SELECT count(*) FROM preview_rule('exists($.**.**.**.**.**.**.**.**.** ? (@ == "x"))') AS p WHERE order_id = 'deep';
RESET statement_timeout;
SELECT count(*) AS lines FROM order_line WHERE order_id = 'slow';
DELETE FROM priority_rule;
SELECT line_no, backordered > 0 AS backordered FROM place_order('slow', '[{"item": "limited", "quantity": 1}]', 'bob');
SELECT * FROM backorder.check_ledger('guarded');

SET client_min_messages = warning;
RESET SESSION AUTHORIZATION;
DROP SCHEMA matrix CASCADE;
DROP SCHEMA guarded CASCADE;
DROP ROLE matrix_warehouse, matrix_analyst, matrix_portal;
