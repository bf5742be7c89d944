-- The journal as an outbox: journal_since() in one session. Transactions beside each other are in test/t/050_outbox.pl.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SELECT backorder.create_ledger('outbox', 'UTC');
SET search_path = outbox;
INSERT INTO item (item) VALUES ('a'), ('b');
CREATE FUNCTION news(after bigint, max_rows integer DEFAULT 1000) RETURNS TABLE (journal_id bigint, kind text, order_id text, quantity numeric) LANGUAGE sql
	AS 'SELECT journal_id, kind, order_id, quantity FROM outbox.journal_since($1, $2)';

SELECT * FROM news(0);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('1', 1, 'a', 3), ('2', 1, 'a', 2), ('3', 1, 'b', 1);
-- (transactions of other tests may hold rows up for a moment)
DO $$ BEGIN WHILE (SELECT count(*) FROM outbox.journal_since()) < 3 LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT * FROM news(0);
SELECT * FROM news(0, 2);
SELECT * FROM news(2);
SELECT * FROM news(3);
SELECT * FROM news(99);
SELECT count(*) FROM journal_since(NULL, NULL);
-- what one writes oneself is delivered after COMMIT
BEGIN;
SELECT order_id, quantity FROM receive('a', 4);
SELECT * FROM news(3);
COMMIT;
DO $$ BEGIN WHILE (SELECT count(*) FROM outbox.journal_since()) < 5 LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT * FROM news(3);
-- every row has a horizon above its transaction, and nobody writes one by hand
SELECT count(*) FROM journal WHERE horizon > transaction_id;
\set VERBOSITY terse
INSERT INTO journal (kind, cause, order_id, line_no, item, location, quantity, happened_at, horizon) VALUES ('filled', 'x', '1', 1, 'a', 'main', 1, now(), '5');
SELECT backorder.next_transaction_id() >= pg_snapshot_xmin(pg_current_snapshot());
\set VERBOSITY default
-- columns of one's own are delivered too
ALTER TABLE journal ADD COLUMN told boolean DEFAULT false;
SELECT journal_id, told FROM journal_since(4);
SELECT * FROM backorder.check_ledger('outbox');

-- what check_ledger says
SET SESSION AUTHORIZATION DEFAULT;
SET session_replication_role = replica;
UPDATE journal SET horizon = transaction_id WHERE journal_id = 5;
RESET session_replication_role;
SET SESSION AUTHORIZATION merchant;
ALTER TABLE journal ALTER COLUMN journal_id SET CACHE 10;
SELECT invariant, item, order_id, line_no, regexp_replace(expected, '\d+$', 'N') AS expected, regexp_replace(actual, 'horizon \d+', 'horizon N') AS actual FROM backorder.check_ledger('outbox');
SELECT invariant, item FROM backorder.check_ledger('outbox', 'a');

-- after empty_ledger() numbers begin anew
SELECT backorder.empty_ledger('outbox');
SELECT count(*) FROM journal_since();

SET client_min_messages = warning;
DROP SCHEMA outbox CASCADE;
