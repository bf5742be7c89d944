-- Ledgers: made, looked after and removed by an owner who is no superuser.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL

-- two ledgers, which do not know of each other
SELECT backorder.create_ledger('shop', 'Europe/Paris');
SELECT backorder.create_ledger('outlet');
SELECT schema, owner, version = backorder.version() AS current, healthy_triggers FROM backorder.ledger WHERE schema IN ('shop', 'outlet') ORDER BY 1;
SELECT only_row, version = backorder.version() AS current, time_zone, default_location FROM shop.ledger;
SELECT time_zone, default_location FROM outlet.ledger;
-- all of it is the caller's
SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relnamespace IN ('shop'::regnamespace, 'outlet'::regnamespace);
SELECT DISTINCT pg_get_userbyid(proowner) AS owner FROM pg_proc WHERE pronamespace IN ('shop'::regnamespace, 'outlet'::regnamespace);
SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' ORDER BY 1;
SELECT name AS missing FROM unnest(ARRAY['order_line_status', 'order_status', 'open_backorder', 'ready_to_ship', 'history', 'line_fact', 'order_fact', 'backorder_fact',
	'stock', 'shortage', 'backorder_aging', 'kpi', 'kpi_by_item', 'kpi_by_customer', 'kpi_monthly']) AS name
WHERE NOT EXISTS (SELECT FROM pg_views WHERE schemaname = 'shop' AND viewname = name);
SELECT name AS missing FROM unnest(ARRAY['place_order', 'receive', 'ship', 'cancel', 'record_count', 'transfer', 'reallocate', 'allocate', 'release_due', 'reprioritize', 'preview_rule',
	'fill_rate', 'line_fill_rate', 'order_fill_rate', 'backorder_rate', 'backorder_fill_rate', 'backorder_cancellation_rate', 'average_backorder_duration',
	'average_days_on_backorder', 'average_open_age_days']) AS name
WHERE NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'shop'::regnamespace AND proname = name);
INSERT INTO shop.item (item) VALUES ('cup');
INSERT INTO outlet.item (item) VALUES ('cup');
SELECT quantity FROM shop.receive('cup', 5);
INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'cup', 4);
INSERT INTO outlet.order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'cup', 4);
SELECT 'shop' AS ledger, allocated, backordered FROM shop.order_line_status UNION ALL SELECT 'outlet', allocated, backordered FROM outlet.order_line_status;
-- one statement on both
WITH a AS (INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'cup', 2)),
	b AS (INSERT INTO outlet.stock_move (item, quantity) VALUES ('cup', 5))
INSERT INTO outlet.order_line (order_id, line_no, item, quantity) VALUES ('2', 1, 'cup', 2);
SELECT 'shop' AS ledger, item, on_hand, allocated, available, backordered FROM shop.stock
UNION ALL SELECT 'outlet', item, on_hand, allocated, available, backordered FROM outlet.stock;
SELECT * FROM backorder.check_ledger('shop');
SELECT * FROM backorder.check_ledger('outlet');

-- what cannot be a ledger
\set VERBOSITY terse
SELECT backorder.create_ledger('shop');
SELECT backorder.create_ledger('mars', 'Mars/Olympus Mons');
SELECT backorder.create_ledger('');
SELECT backorder.create_ledger('pg_shop');
\set VERBOSITY sqlstate
SELECT backorder.create_ledger('shop');
SELECT backorder.create_ledger('mars', 'Mars/Olympus Mons');
SELECT backorder.create_ledger('');
SELECT backorder.create_ledger('pg_shop');
SELECT backorder.create_ledger('mars', '''); DROP SCHEMA shop CASCADE; --');
\set VERBOSITY default
SELECT count(*) FROM pg_namespace WHERE nspname = 'mars';
-- what is not a ledger
SELECT backorder.upgrade_ledger('nowhere');
SELECT backorder.upgrade_ledger('backorder');
SELECT backorder.empty_ledger('pg_catalog');
SELECT backorder.rebuild_ledger('information_schema');
SELECT * FROM backorder.check_ledger('public');
SELECT * FROM backorder.check_ledger(NULL);

-- Settings: the time zone must exist, the default location must too; it is that of orders, expected supply and moves.
INSERT INTO shop.location (location) VALUES ('o''hare');
UPDATE shop.ledger SET default_location = 'o''hare', time_zone = 'America/Chicago';
INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('3', 1, 'cup', 2);
INSERT INTO shop.inbound (item, quantity) VALUES ('cup', 7);
INSERT INTO shop.stock_move (item, quantity) VALUES ('cup', 3);
SELECT order_id, location, allocated, backordered FROM shop.order_line_status ORDER BY order_id;
SELECT item, location, on_hand, available, inbound FROM shop.stock ORDER BY location;
SELECT location, quantity FROM shop.receive('cup', 1), LATERAL (SELECT location FROM shop.stock_move ORDER BY move_id DESC LIMIT 1) AS m;
\set VERBOSITY terse
UPDATE shop.ledger SET default_location = 'nowhere';
UPDATE shop.ledger SET time_zone = 'Nowhere';
UPDATE shop.ledger SET version = '0';
INSERT INTO shop.ledger (version, time_zone) VALUES ('1', 'UTC');
INSERT INTO shop.ledger (only_row, version, time_zone) VALUES (false, '1', 'UTC');
DELETE FROM shop.ledger;
TRUNCATE shop.ledger;
\set VERBOSITY sqlstate
UPDATE shop.ledger SET default_location = 'nowhere';
UPDATE shop.ledger SET time_zone = 'Nowhere';
UPDATE shop.ledger SET version = '0';
INSERT INTO shop.ledger (version, time_zone) VALUES ('1', 'UTC');
DELETE FROM shop.ledger;
TRUNCATE shop.ledger;
\set VERBOSITY default
SELECT time_zone, default_location FROM shop.ledger;
UPDATE shop.ledger SET default_location = 'main';

-- Renaming the schema: everything goes on in this session, with the plans it has made.
INSERT INTO shop.order_line_status (order_id, line_no, item, quantity) VALUES ('4', 1, 'cup', 1) RETURNING order_id, location, allocated, backordered;
ALTER SCHEMA shop RENAME TO "My ""Shop"".old";
SET search_path = "My ""Shop"".old";
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('5', 1, 'cup', 1) RETURNING order_id, location, allocated, backordered;
SELECT order_id, quantity FROM receive('cup', 2);
SELECT order_id, quantity FROM ship('2');
SELECT order_id, cancelled FROM cancel('4');
SELECT order_id, allocated, backordered FROM place_order('6', '[{"item": "cup", "quantity": 1}]');
UPDATE order_line SET priority = 1 WHERE order_id = '6';
SELECT schema, healthy_triggers FROM backorder.ledger WHERE schema LIKE 'My%';
SELECT * FROM backorder.check_ledger('My "Shop".old');
-- another of the old name beside it
SELECT backorder.create_ledger('shop', 'UTC');
INSERT INTO shop.item (item) VALUES ('cup');
INSERT INTO shop.order_line_status (order_id, line_no, item, quantity) VALUES ('5', 1, 'cup', 1) RETURNING allocated, backordered;
SELECT count(*) FROM order_line;
SELECT count(*) FROM shop.order_line;
SELECT backorder.upgrade_ledger('My "Shop".old');
SELECT backorder.rebuild_ledger('My "Shop".old');
SELECT * FROM backorder.check_ledger('My "Shop".old');
SELECT * FROM backorder.check_ledger('shop');

-- Names that need quoting, from the start.
SELECT backorder.create_ledger('a "b".c''d', 'UTC');
SET search_path = "a ""b"".c'd";
INSERT INTO item (item) VALUES ('cup');
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('1', 1, 'cup', 2) RETURNING backordered;
SELECT order_id, quantity FROM receive('cup', 5);
SELECT difference FROM record_count('cup', 4);
UPDATE item SET auto_allocate = false;
UPDATE item SET auto_allocate = true;
SELECT backorder.upgrade_ledger(schema) FROM backorder.ledger WHERE schema LIKE 'a "b"%';
SELECT invariant FROM backorder.ledger, backorder.check_ledger(schema) WHERE schema LIKE 'a "b"%';
TRUNCATE order_line;
SELECT backorder.empty_ledger('a "b".c''d');
SELECT count(*) FROM stock;
SET client_min_messages = warning;
DROP SCHEMA "a ""b"".c'd" CASCADE;
RESET client_min_messages;

-- Changing the owner, of the schema alone and of everything, in this session.
SET search_path = shop;
RESET SESSION AUTHORIZATION;
ALTER SCHEMA shop OWNER TO clerk;
SET SESSION AUTHORIZATION merchant;
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('6', 1, 'cup', 1) RETURNING backordered;
SELECT order_id, quantity FROM receive('cup', 1);
SELECT owner, healthy_triggers FROM backorder.ledger WHERE schema = 'shop';
SELECT * FROM backorder.check_ledger('shop');
RESET SESSION AUTHORIZATION;
REASSIGN OWNED BY clerk TO merchant;
CREATE ROLE regress_heir;
ALTER SCHEMA "My ""Shop"".old" RENAME TO heritage;
-- as REASSIGN OWNED would, but for this ledger alone
DO $$
DECLARE
	command text;
BEGIN
	EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_heir', current_database());
	FOR command IN
		SELECT format('ALTER TABLE %s OWNER TO regress_heir', oid::regclass) FROM pg_class WHERE relnamespace = 'heritage'::regnamespace AND relkind IN ('r', 'v')
		UNION ALL
		SELECT format('ALTER ROUTINE %s OWNER TO regress_heir', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'heritage'::regnamespace
	LOOP
		EXECUTE command;
	END LOOP;
END
$$;
ALTER SCHEMA heritage OWNER TO regress_heir;
SET SESSION AUTHORIZATION regress_heir;
SET search_path = heritage;
SELECT owner, version = backorder.version() AS current, healthy_triggers FROM backorder.ledger WHERE schema = 'heritage';
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('7', 1, 'cup', 50) RETURNING allocated + backordered AS all;
SELECT sum(quantity) FROM receive('cup', 2);
SELECT order_id, quantity FROM ship('6');
SELECT * FROM backorder.check_ledger('heritage');
SELECT backorder.upgrade_ledger('heritage');
SELECT backorder.rebuild_ledger('heritage');
SELECT * FROM backorder.check_ledger('heritage');
-- the new owner owns this ledger, and no other
\set VERBOSITY terse
SELECT * FROM backorder.check_ledger('shop');
SELECT backorder.upgrade_ledger('shop');
SELECT backorder.rebuild_ledger('shop');
SELECT backorder.empty_ledger('shop');
\set VERBOSITY default
RESET SESSION AUTHORIZATION;
-- and now everything of a role at once
REASSIGN OWNED BY regress_heir TO stranger;
SET SESSION AUTHORIZATION stranger;
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('8', 1, 'cup', 1) RETURNING backordered;
SELECT * FROM backorder.check_ledger('heritage');
RESET SESSION AUTHORIZATION;
-- half of it: the tables have two owners, and nothing works behind a back
ALTER TABLE heritage.stock_slot OWNER TO merchant;
\set VERBOSITY terse
SET SESSION AUTHORIZATION stranger;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('9', 1, 'cup', 1);
RESET SESSION AUTHORIZATION;
\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA heritage CASCADE;
DROP OWNED BY regress_heir;
DROP ROLE regress_heir;
RESET client_min_messages;
SET SESSION AUTHORIZATION merchant;

-- Upgrade: what is missing comes back.
SET search_path = shop;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('7', 1, 'cup', 3);
DROP TRIGGER backorder_insert ON order_line;
DROP TRIGGER backorder_refuse ON journal;
ALTER TABLE stock_move DISABLE TRIGGER backorder_complete;
CREATE OR REPLACE TRIGGER backorder_delete BEFORE DELETE ON order_line FOR EACH STATEMENT EXECUTE FUNCTION backorder.refuse_write();
DROP VIEW shortage;
DROP FUNCTION release_due(timestamptz);
SELECT invariant, expected, actual FROM backorder.check_ledger('shop');
SELECT healthy_triggers FROM backorder.ledger WHERE schema = 'shop';
SELECT backorder.upgrade_ledger('shop');
SELECT invariant, expected, actual FROM backorder.check_ledger('shop');
SELECT healthy_triggers FROM backorder.ledger WHERE schema = 'shop';
SELECT item, units FROM shortage;
SELECT * FROM release_due();
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('8', 1, 'cup', 3) RETURNING backordered;
SELECT sum(quantity) FROM receive('cup', 1);
-- the writable view, and a version behind
SET client_min_messages = warning;
DROP VIEW order_line_status CASCADE;
RESET client_min_messages;
ALTER TABLE ledger DISABLE TRIGGER backorder_update;
UPDATE ledger SET version = '0.0';
ALTER TABLE ledger ENABLE TRIGGER backorder_update;
SELECT invariant, expected = backorder.version() AS expected, actual FROM backorder.check_ledger('shop') WHERE invariant = 'version';
SELECT version FROM backorder.ledger WHERE schema = 'shop';
SELECT healthy_triggers FROM backorder.ledger WHERE schema = 'shop';
SELECT backorder.upgrade_ledger('shop');
SELECT version = backorder.version() AS current FROM backorder.ledger WHERE schema = 'shop';
SELECT order_id, state FROM order_line_status ORDER BY order_id;
SELECT order_id, allocated FROM place_order('9', '[{"item": "cup", "quantity": 1}]');
SELECT * FROM backorder.check_ledger('shop');
-- twice does no harm, and what users have added stays
ALTER TABLE order_line ADD COLUMN gift_wrap boolean DEFAULT false;
CREATE INDEX order_line_gifts ON order_line (order_id) WHERE gift_wrap;
CREATE VIEW gifts AS SELECT o.order_id, o.allocated FROM order_line_status AS o JOIN order_line AS l USING (order_id, line_no) WHERE l.gift_wrap;
GRANT SELECT ON order_line_status TO clerk;
SELECT backorder.upgrade_ledger('shop'), backorder.upgrade_ledger('shop');
INSERT INTO order_line (order_id, line_no, item, quantity, gift_wrap) VALUES ('10', 1, 'cup', 1, true);
SELECT * FROM gifts;
SELECT has_table_privilege('clerk', 'order_line_status', 'SELECT') AS granted;

-- Emptying: orders, stock and history go; items, locations, rules and settings stay.
INSERT INTO location (location) VALUES ('north');
INSERT INTO priority_rule (name, condition, priority) VALUES ('vip', '$.customer == "vip"', 1);
SELECT backorder.empty_ledger('shop');
SELECT (SELECT count(*) FROM order_line) AS lines, (SELECT count(*) FROM stock_move) AS moves, (SELECT count(*) FROM stock_slot) AS slots,
	(SELECT count(*) FROM backorder) AS backorders, (SELECT count(*) FROM journal) AS journal, (SELECT count(*) FROM inbound) AS inbound,
	(SELECT count(*) FROM item) AS items, (SELECT count(*) FROM location) AS locations, (SELECT count(*) FROM priority_rule) AS rules, (SELECT count(*) FROM ledger) AS settings;
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('1', 1, 'cup', 1) RETURNING backordered;
SELECT move_id, order_id, quantity FROM receive('cup', 3);
SELECT * FROM backorder.check_ledger('shop');
-- in a transaction that is rolled back it has not been
BEGIN;
SELECT backorder.empty_ledger('shop');
ROLLBACK;
SELECT count(*) FROM order_line;
SELECT * FROM backorder.check_ledger('shop');

-- Making and removing in one transaction; removing is plain DROP SCHEMA, and makes room for another.
BEGIN;
SELECT backorder.create_ledger('brief', 'UTC');
INSERT INTO brief.item (item) VALUES ('cup');
INSERT INTO brief.order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'cup', 1);
SELECT * FROM backorder.check_ledger('brief');
ROLLBACK;
SELECT count(*) FROM backorder.ledger WHERE schema = 'brief';
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
SELECT backorder.create_ledger('shop', 'UTC');
INSERT INTO shop.item (item) VALUES ('cup');
INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'cup', 1);
SELECT backordered FROM shop.order_line_status;
SELECT * FROM backorder.check_ledger('shop');
SELECT * FROM backorder.check_ledger('outlet');
DROP SCHEMA shop CASCADE;
DROP SCHEMA outlet CASCADE;
SELECT schema FROM backorder.ledger WHERE schema IN ('shop', 'outlet');
