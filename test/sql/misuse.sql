-- Functions called in ways they are not meant for: an error each time, never a crash.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\pset null NULL
SELECT backorder.create_ledger('misused', 'UTC');
SET search_path = misused;
INSERT INTO item (item) VALUES ('a');
SELECT quantity FROM receive('a', 5);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 3), ('1', 2, 'a', 3);

-- Trigger functions called directly
DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT proname FROM pg_proc WHERE pronamespace = 'backorder'::regnamespace AND prorettype = 'trigger'::regtype ORDER BY proname LOOP
		BEGIN
			EXECUTE format('SELECT backorder.%I()', name);
			RAISE NOTICE '%: no error', name;
		EXCEPTION WHEN OTHERS THEN
			RAISE NOTICE '%: % %', name, sqlstate, sqlerrm;
		END;
	END LOOP;
END
$$;

-- Every trigger function on a table of one's own, at every timing, level and event, with and without transition tables
CREATE SCHEMA elsewhere;
CREATE TABLE order_form (order_id text, line_no bigint);
CREATE VIEW order_form_view AS SELECT * FROM order_form;
DO $$
DECLARE
	name text;
	target text;
	timing text;
	event text;
	level text;
	ref text;
	state text;
	outcomes text[] := '{}';
BEGIN
	CREATE TABLE elsewhere.order_line (LIKE misused.order_line);
	FOREACH target IN ARRAY ARRAY['misused.order_form', 'elsewhere.order_line', 'misused.inbound', 'misused.order_line'] LOOP
		FOR name IN SELECT proname FROM pg_proc WHERE pronamespace = 'backorder'::regnamespace AND prorettype = 'trigger'::regtype ORDER BY proname LOOP
			FOREACH timing IN ARRAY ARRAY['BEFORE', 'AFTER'] LOOP
				FOREACH event IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
					FOREACH level IN ARRAY ARRAY['ROW', 'STATEMENT'] LOOP
						FOREACH ref IN ARRAY ARRAY['', 'REFERENCING NEW TABLE AS n', 'REFERENCING OLD TABLE AS o', 'REFERENCING OLD TABLE AS o NEW TABLE AS n'] LOOP
							BEGIN
								EXECUTE format('CREATE TRIGGER aaa_misuse %s %s ON %s %s FOR EACH %s EXECUTE FUNCTION backorder.%I()', timing, event, target, ref, level, name);
							EXCEPTION WHEN OTHERS THEN
								CONTINUE;	-- PostgreSQL's own rules
							END;
							BEGIN
								EXECUTE CASE event
									WHEN 'INSERT' THEN CASE WHEN target = 'misused.inbound' THEN 'INSERT INTO misused.inbound (item, quantity) VALUES (''a'', 1)'
										WHEN target = 'misused.order_form' THEN 'INSERT INTO misused.order_form VALUES (''1'', 1)'
										ELSE format('INSERT INTO %s (order_id, line_no, item, quantity, location, attributes, placed_at, priority, demand_class, firm, cancelled, backordered_at_entry, on_hold, shipped) VALUES (''9'', 1, ''a'', 1, ''main'', ''{}'', now(), 0, '''', 0, 0, 0, false, 0)', target) END
									WHEN 'UPDATE' THEN format('UPDATE %s SET %s = %2$s', target, CASE WHEN target = 'misused.inbound' THEN 'quantity' ELSE 'line_no' END)
									WHEN 'DELETE' THEN format('DELETE FROM %s', target)
									ELSE format('TRUNCATE %s', target) END;
								state := 'done';
								RAISE EXCEPTION USING ERRCODE = 'ZZZZZ', MESSAGE = 'undo';
							EXCEPTION
								WHEN SQLSTATE 'ZZZZZ' THEN NULL;
								WHEN OTHERS THEN state := sqlstate;
							END;
							outcomes := outcomes || (target || ' ' || state);
							EXECUTE format('DROP TRIGGER aaa_misuse ON %s', target);
						END LOOP;
					END LOOP;
				END LOOP;
			END LOOP;
		END LOOP;
	END LOOP;
	CREATE TEMP TABLE outcome AS SELECT split_part(o, ' ', 1) AS target, split_part(o, ' ', 2) AS state FROM unnest(outcomes) AS o;
END
$$;
-- on a table that is not the one it is for, a function refuses (39P01) or, where it is not reached, does nothing;
-- 55000 and 0A000 are refuse_write() on a table in a ledger's schema
SELECT target, state FROM outcome WHERE target <> 'misused.order_line' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT state FROM outcome WHERE target = 'misused.order_line' GROUP BY 1 ORDER BY 1;
-- the right function at the right table, but a second time: everything would count twice, so the ledger is not well
CREATE TRIGGER again AFTER INSERT ON order_line REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_insert();
SELECT count(*) > 0 AS reported FROM backorder.check_ledger('misused');
DROP TRIGGER again ON order_line;
SELECT * FROM backorder.check_ledger('misused');
-- some of the messages
CREATE TRIGGER m BEFORE INSERT ON order_form FOR EACH ROW EXECUTE FUNCTION backorder.order_line_insert();
INSERT INTO order_form VALUES ('1', 1);
DROP TRIGGER m ON order_form;
CREATE TRIGGER m AFTER INSERT ON order_form FOR EACH ROW EXECUTE FUNCTION backorder.order_line_insert();
INSERT INTO order_form VALUES ('1', 1);
DROP TRIGGER m ON order_form;
CREATE TRIGGER m AFTER UPDATE ON order_form FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_insert();
UPDATE order_form SET line_no = 1;
DROP TRIGGER m ON order_form;
CREATE TRIGGER m AFTER INSERT ON order_form FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_insert();
INSERT INTO order_form VALUES ('1', 1);
DROP TRIGGER m ON order_form;
CREATE TRIGGER m AFTER INSERT ON order_form REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION backorder.order_line_insert();
INSERT INTO order_form VALUES ('1', 1);
DROP TRIGGER m ON order_form;
CREATE TRIGGER m INSTEAD OF INSERT ON order_form_view FOR EACH ROW EXECUTE FUNCTION backorder.order_line_status_write();
INSERT INTO order_form_view VALUES ('1', 1);
DROP TRIGGER m ON order_form_view;
CREATE TRIGGER m INSTEAD OF INSERT ON order_form_view FOR EACH ROW EXECUTE FUNCTION backorder.stock_move_complete();
INSERT INTO order_form_view VALUES ('1', 1);
DROP TRIGGER m ON order_form_view;

-- The functions behind a ledger's functions: NULLs, relations that are none, relations of another kind
CREATE FUNCTION misused_state(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
SELECT r.relation, string_agg(c.state, ' ' ORDER BY f.m) AS states
FROM unnest(ARRAY['NULL', '0', '1', '4294967295', '''pg_class''', '''pg_catalog.pg_class_oid_index''', '''pg_catalog.pg_tables''', '''elsewhere.order_line''', '''backorder.ledger''']) WITH ORDINALITY AS r (relation, n),
	unnest(ARRAY['count_difference(%s::regclass, ''a'', ''main'', 1)', 'serve_queue(%s::regclass, ''a'', ''main'', 1)', 'rerank(%s::regclass, NULL, NULL)',
		'move_allocation(%s::regclass, ''1'', 1, ''1'', 2, 1, NULL)', 'lock_lines(%s::regclass, ''1'', 1, NULL)']) WITH ORDINALITY AS f (name, m),
	LATERAL misused_state(format('SELECT backorder.' || name, relation)) AS c (state)
GROUP BY r.n, r.relation ORDER BY r.n;
-- any relation of a ledger will do: a view, an index, a sequence
SELECT backorder.rerank('misused.stock', NULL, NULL), backorder.rerank('misused.order_line_pkey', NULL, NULL), backorder.rerank('misused.journal_journal_id_seq', NULL, NULL), backorder.rerank('misused.order_form', NULL, NULL);
-- each argument NULL
SELECT command, misused_state('SELECT backorder.' || command) AS state FROM unnest(ARRAY[
	'count_difference(''misused.item'', NULL, ''main'', 1)', 'count_difference(''misused.item'', ''a'', NULL, 1)', 'count_difference(''misused.item'', ''a'', ''main'', NULL)', 'count_difference(NULL, NULL, NULL, NULL)',
	'serve_queue(''misused.item'', NULL, ''main'', 1)', 'serve_queue(''misused.item'', ''a'', NULL, NULL)',
	'rerank(''misused.item'', ''a'', NULL)',
	'move_allocation(''misused.item'', NULL, 1, ''1'', 2, 1, NULL)', 'move_allocation(''misused.item'', ''1'', NULL, ''1'', 2, 1, NULL)', 'move_allocation(''misused.item'', ''1'', 1, NULL, 2, 1, NULL)',
	'move_allocation(''misused.item'', ''1'', 1, ''1'', NULL, 1, NULL)', 'move_allocation(''misused.item'', ''1'', 1, ''1'', 2, NULL, NULL)',
	'lock_lines(''misused.item'', NULL, 1, NULL)', 'lock_lines(''misused.item'', ''1'', NULL, NULL)', 'lock_lines(''misused.item'', ''gone'', NULL, NULL)', 'lock_lines(''misused.item'', ''1'', 1, -1)',
	'check_ledger(NULL)', 'check_ledger(''misused'', NULL)', 'check_ledger(''misused'', ''no such item'')',
	'gate(NULL, ''a'', ''main'')', 'gate(''gone'', ''a'', ''main'')', 'gate(''misused'', '''', '''')',
	'ledger_version(0)', 'ledger_version(NULL)', 'ledger_version(''pg_catalog''::regnamespace)', 'ledger_version(''misused''::regnamespace)',
	'trigger_damage(0)', 'trigger_damage(NULL)', 'trigger_damage(''pg_catalog''::regnamespace)', 'code_damage(0)', 'code_damage(NULL)', 'code_damage(''pg_catalog''::regnamespace)'
]) WITH ORDINALITY AS c (command, n) ORDER BY n;

-- The aggregates' own functions
SELECT command, misused_state('SELECT backorder.' || command) AS state FROM unnest(ARRAY[
	'ratio_accum(NULL, 1, 1)', 'ratio_accum(''{}'', 1, 1)', 'ratio_accum(''{1}'', 1, 1)', 'ratio_accum(''{1,2,3}'', 1, 1)', 'ratio_accum(''{1,NULL}'', 1, 1)', 'ratio_accum(''{{1,2}}'', 1, 1)',
	'ratio_accum(''{NaN,Infinity}'', 1, 1)', 'ratio_accum(''[5:6]={1,2}'', 1, 1)', 'ratio_combine(''{1,2}'', ''{}'')', 'ratio_combine(''{1,2}'', ''{1}'')', 'ratio_combine(NULL, NULL)', 'ratio_final(''{}'')', 'ratio_final(''{1,0}'')',
	'fill_rate_final(''{1}'')', 'fill_rate_final(NULL)', 'weighted_average_accum(''{1}'', 1, 1)',
	'average_duration_accum(''{}'', now(), now())', 'average_duration_accum(''{-1,0,0}'', now(), now())', 'average_duration_accum(''{0,0,0}'', ''infinity'', now())', 'average_duration_accum(''{0,9223372036854775807,0}'', ''2000-01-01'', ''2000-01-03'')',
	'average_duration_combine(''{1,0,0}'', ''{0}'')', 'average_duration_combine(''{1000000000000,0,0}'', ''{1000000000000,0,0}'')', 'average_duration_final(''{0,0,0}'')', 'average_duration_final(''{1,0,86400000000}'')',
	'average_duration_final(''{1,9223372036854775807,0}'')', 'average_duration_final(NULL)'
]) WITH ORDINALITY AS c (command, n) ORDER BY n;

-- Settings
\set VERBOSITY sqlstate
SET backorder.max_slots = 0;
SET backorder.max_slots = 257;
SET backorder.nonsense = 1;
\set VERBOSITY default
SET backorder.max_slots = 256;
SELECT sum(quantity) FROM receive('a', 10000);
SET backorder.max_slots = 1;
SELECT sum(quantity) FROM receive('a', 10000);
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('3', 1, 'a', 15000) RETURNING allocated;
RESET backorder.max_slots;
-- functions of a ledger inside statements on the same ledger
SELECT misused_state('INSERT INTO misused.order_line (order_id, line_no, item, quantity) SELECT ''4'', n, ''a'', (SELECT sum(quantity) FROM misused.receive(''a'', n)) FROM generate_series(1, 3) AS n') AS state;
SELECT misused_state('UPDATE misused.order_line SET cancelled = quantity WHERE order_id = ''4'' AND (SELECT count(*) FROM misused.receive(''a'', 1)) > 0') AS state;
SELECT misused_state('UPDATE misused.item SET auto_allocate = false WHERE (SELECT count(*) FROM misused.place_order(''5'', ''[{"item": "a", "quantity": 1}]'')) = 1') AS state;
SELECT * FROM backorder.check_ledger('misused');

SET client_min_messages = warning;
DROP SCHEMA misused CASCADE;
DROP SCHEMA elsewhere CASCADE;
