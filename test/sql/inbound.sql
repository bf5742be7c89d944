-- Expected supply: what users write, what the engine keeps, and receipts that fulfil it.
SET SESSION AUTHORIZATION merchant;
SELECT backorder.create_ledger('supply', 'UTC');
SET search_path = supply;
SET timezone = 'UTC';
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item) VALUES ('a'), ('b');
CREATE VIEW expected AS
SELECT inbound_id AS id, item, location, quantity, cancelled, received, expected_at::date, last_received_at::date, first_expected_at::date, first_quantity
FROM inbound ORDER BY inbound_id;
\set check 'SELECT * FROM backorder.check_ledger(''supply'');'

-- what was promised first stays
INSERT INTO inbound (item, quantity, expected_at, supplier, reference) VALUES ('a', 10, '2030-01-10', 'Lumen', 'PO-1'), ('a', 5, NULL, 'Lumen', 'PO-1');
UPDATE inbound SET quantity = 12, expected_at = '2030-01-20' WHERE inbound_id = 1;
UPDATE inbound SET expected_at = '2030-02-01' WHERE inbound_id = 2;
UPDATE inbound SET expected_at = '2030-02-05', cancelled = 1 WHERE inbound_id = 2;
UPDATE inbound SET expected_at = NULL WHERE inbound_id = 2;
TABLE expected;
SELECT item, location, on_hand, inbound, next_inbound_at FROM stock;
INSERT INTO inbound (inbound_id, item, quantity, expected_at) VALUES (1, 'a', 1, '2030-01-21') ON CONFLICT (inbound_id) DO UPDATE SET expected_at = excluded.expected_at;
INSERT INTO inbound (inbound_id, item, quantity) VALUES (1, 'a', 1) ON CONFLICT DO NOTHING;
MERGE INTO inbound AS i USING (VALUES (1::bigint, 11), (3, 4)) AS n (inbound_id, quantity) ON i.inbound_id = n.inbound_id
WHEN MATCHED THEN UPDATE SET quantity = n.quantity WHEN NOT MATCHED THEN INSERT (item, quantity, location) VALUES ('b', n.quantity, 'north');
TABLE expected;

-- what the engine keeps
\set VERBOSITY sqlstate
INSERT INTO inbound (item, quantity, received) VALUES ('a', 10, 1);
INSERT INTO inbound (item, quantity, last_received_at) VALUES ('a', 10, now());
INSERT INTO inbound (item, quantity, first_quantity) VALUES ('a', 10, 11);
INSERT INTO inbound (item, quantity, first_expected_at) VALUES ('a', 10, now());
INSERT INTO inbound (item, quantity, expected_at, first_expected_at) VALUES ('a', 10, now(), now() + '1 day');
UPDATE inbound SET received = 1;
UPDATE inbound SET last_received_at = now();
UPDATE inbound SET first_quantity = 1;
UPDATE inbound SET first_expected_at = '2031-01-01' WHERE inbound_id = 1;
UPDATE inbound SET first_expected_at = NULL, expected_at = NULL WHERE inbound_id = 1;
UPDATE inbound SET inbound_id = 7 WHERE inbound_id = 1;
UPDATE inbound SET inbound_id = inbound_id, received = received, first_quantity = first_quantity;
TRUNCATE inbound;
-- and what its columns allow
INSERT INTO inbound (item, quantity) VALUES ('unknown', 10);
INSERT INTO inbound (item, location, quantity) VALUES ('a', 'unknown', 10);
INSERT INTO inbound (item, quantity) VALUES ('a', 0);
INSERT INTO inbound (item, quantity) VALUES ('a', 'NaN');
INSERT INTO inbound (item, quantity) VALUES ('a', 'Infinity');
INSERT INTO inbound (item, quantity, cancelled) VALUES ('a', 1, -1);
INSERT INTO inbound (item, quantity, cancelled) VALUES ('a', 1, 'NaN');
INSERT INTO inbound (item, quantity, expected_at) VALUES ('a', 1, 'infinity');
INSERT INTO inbound (item, quantity, ordered_at) VALUES ('a', 1, '-infinity');
\set VERBOSITY default
UPDATE inbound SET received = 1 WHERE inbound_id = 1;
-- not behind its back either
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.received := 3; RETURN NEW; END';
CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON inbound FOR EACH ROW EXECUTE FUNCTION meddle();
UPDATE inbound SET quantity = 10 WHERE inbound_id = 1;
INSERT INTO inbound (item, quantity) VALUES ('a', 10);
DROP TRIGGER meddle ON inbound;

-- a receipt fulfils a row partly, early; item and location may be left out
SELECT * FROM receive('a', 4, inbound_id => 1, moved_at => '2030-01-05');
SELECT * FROM receive(NULL, 3, inbound_id => 1, moved_at => '2030-01-04');
INSERT INTO stock_move (inbound_id, quantity, moved_at) VALUES (3, 1, '2030-01-06') RETURNING item, location;
TABLE expected;
-- fully, over, and several receipts of one row in one statement
INSERT INTO stock_move (item, location, quantity, inbound_id, moved_at) VALUES
	('a', 'main', 4, 1, '2030-01-25'), ('b', 'north', 2, 3, '2030-01-08'), ('a', 'main', 1, NULL, '2030-01-08'), ('b', 'north', 3, 3, '2030-01-07'), ('a', 'main', 4, 2, '2030-01-09');
COPY stock_move (quantity, inbound_id, moved_at) FROM stdin;
1	1	2030-01-20
1	3	2030-01-21
2	1	2030-01-23
\.
TABLE expected;
SELECT item, location, on_hand, available, inbound, next_inbound_at FROM stock ORDER BY 1, 2;
:check

-- what a receipt must name
\set VERBOSITY sqlstate
SELECT * FROM receive('a', 4, inbound_id => 77);
SELECT * FROM receive(NULL, 4, inbound_id => 77);
SELECT * FROM receive('b', 4, inbound_id => 1);
SELECT * FROM receive('a', 4, location => 'north', inbound_id => 1);
SELECT * FROM receive(NULL, 4);
INSERT INTO stock_move (kind, item, quantity, inbound_id) VALUES ('adjustment', 'a', 1, 1);
INSERT INTO stock_move (kind, item, quantity, inbound_id) VALUES ('customer_return', 'a', 1, 1);
INSERT INTO stock_move (kind, item, quantity, inbound_id) VALUES ('transfer_in', 'a', 1, 1);
-- one of several that is wrong undoes all
INSERT INTO stock_move (item, quantity, inbound_id) VALUES ('a', 1, 1), ('a', 1, 3);
-- what has been received stays
UPDATE inbound SET item = 'b' WHERE inbound_id = 1;
UPDATE inbound SET location = 'north' WHERE inbound_id = 1;
DELETE FROM inbound WHERE inbound_id = 1;
DELETE FROM inbound;
\set VERBOSITY default
DELETE FROM inbound WHERE inbound_id = 1;
SELECT * FROM receive('b', 4, inbound_id => 1);
SELECT * FROM receive('a', 4, inbound_id => 77);
UPDATE inbound SET quantity = 20, cancelled = 3, expected_at = '2030-03-01', supplier = 'x' WHERE inbound_id = 1;
SELECT item, location, inbound, next_inbound_at FROM stock WHERE item = 'a';
INSERT INTO inbound (item, quantity) VALUES ('b', 1);
UPDATE inbound SET item = 'a', location = 'north' WHERE received = 0;
DELETE FROM inbound WHERE received = 0;
TABLE expected;
:check

-- a warehouse that may only move stock names the row it receives
SET client_min_messages = warning;
RESET SESSION AUTHORIZATION;
CREATE ROLE supply_warehouse;
SET SESSION AUTHORIZATION merchant;
SET search_path = supply;
GRANT INSERT ON stock_move TO supply_warehouse;
SET SESSION AUTHORIZATION supply_warehouse;
INSERT INTO supply.stock_move (item, quantity, inbound_id, moved_at) VALUES ('a', 1, 1, '2030-01-26');
\set VERBOSITY sqlstate
UPDATE supply.inbound SET expected_at = now();
\set VERBOSITY default
SET SESSION AUTHORIZATION merchant;
SET search_path = supply;
REVOKE ALL ON stock_move FROM supply_warehouse;
RESET SESSION AUTHORIZATION;
DROP ROLE supply_warehouse;
RESET client_min_messages;
SET SESSION AUTHORIZATION merchant;
SET search_path = supply;
SELECT received, last_received_at::date FROM inbound WHERE inbound_id = 1;

-- one gate for each item and location, whatever the number of rows
INSERT INTO item (item) SELECT 'bulk ' || n FROM generate_series(1, 3) AS n;
INSERT INTO inbound (item, quantity, expected_at) SELECT 'bulk ' || 1 + n % 3, 1, '2030-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 10000) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('bulk', 1, 'bulk 1', 2), ('bulk', 2, 'bulk 2', 2);
BEGIN;
UPDATE inbound SET expected_at = expected_at + interval '1 day' WHERE item LIKE 'bulk%';
SELECT count(*) FROM pg_locks AS l JOIN (
	SELECT DISTINCT g.* FROM generate_series(1, 3) AS n, backorder.gate('supply', 'bulk ' || n, 'main') AS g
) AS g USING (classid, objid, objsubid) WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid() AND l.mode = 'ExclusiveLock'
HAVING count(*) = count(DISTINCT objid);
ROLLBACK;
-- a change that moves no dated supply takes none
BEGIN;
UPDATE inbound SET supplier = 'y', reference = 'PO-9', ordered_at = '2029-12-01' WHERE item LIKE 'bulk%';
INSERT INTO inbound (item, quantity) VALUES ('bulk 1', 100);
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
COMMIT;
:check

-- what check_ledger sees, and rebuild_ledger puts right
RESET SESSION AUTHORIZATION;
SET session_replication_role = replica;
UPDATE inbound SET received = received + 1 WHERE inbound_id = 1;
UPDATE inbound SET last_received_at = NULL WHERE inbound_id = 2;
UPDATE inbound SET first_quantity = NULL, first_expected_at = NULL WHERE inbound_id = 3 OR item = 'bulk 1' AND expected_at = '2030-01-01 00:03';
:check
SELECT invariant, item, actual FROM backorder.check_ledger('supply', 'b');
SELECT backorder.rebuild_ledger('supply');
:check
BEGIN;
UPDATE stock_move SET inbound_id = 77 WHERE inbound_id = 2;
:check
ROLLBACK;
BEGIN;
UPDATE inbound SET item = 'b' WHERE inbound_id = 2;
:check
ROLLBACK;
RESET session_replication_role;

SET SESSION AUTHORIZATION merchant;
SET client_min_messages = warning;
DROP SCHEMA supply CASCADE;
