-- Changes of expected supply, and receipts, move the promises that rest on them: all that are affected, no others, once.
SET SESSION AUTHORIZATION merchant;
SELECT backorder.create_ledger('supply', 'UTC');
SET search_path = supply;
SET timezone = 'UTC';
SET datestyle = 'ISO';
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item) VALUES ('a'), ('b');
INSERT INTO item (item, promise_tolerance) VALUES ('easy', '3 days');
\set check 'SELECT * FROM backorder.check_ledger(''supply'');'
-- what was told since the last look: every row of the journal about a promise
CREATE TABLE seen AS SELECT 0::bigint AS journal_id;
CREATE FUNCTION told() RETURNS TABLE (line text, cause text, basis text, former date, promised date) LANGUAGE sql AS $$
	WITH fresh AS (
		SELECT j.* FROM supply.journal AS j, supply.seen AS s WHERE j.journal_id > s.journal_id AND j.kind IN ('promised', 'backordered')
	), mark AS (
		UPDATE supply.seen SET journal_id = (SELECT max(journal_id) FROM supply.journal)
	)
	SELECT order_id || '/' || line_no, cause, promise_basis, former_promised_at::date, promised_at::date FROM fresh ORDER BY journal_id
$$;
CREATE VIEW promises AS
SELECT order_id || '/' || line_no AS line, remaining, promised_at::date AS promised, promise_basis AS basis, first_promised_at::date AS first FROM backorder WHERE closed_at IS NULL ORDER BY order_id, line_no;

-- 4 + 4 + 4 wait; 6, 4 and 4 come: the first and half of the second with the first delivery, the rest with the second and the third
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('1', 1, 'a', 4, '2026-01-01'), ('2', 1, 'a', 4, '2026-01-02'), ('3', 1, 'a', 4, '2026-01-03'), ('4', 1, 'b', 4, '2026-01-01'), ('5', 1, 'easy', 4, '2026-01-01');
SELECT * FROM told();
INSERT INTO inbound (item, quantity, expected_at) VALUES ('a', 6, '2030-01-01'), ('a', 4, '2030-02-01'), ('a', 4, '2030-03-01'), ('easy', 9, '2030-01-01');
SELECT * FROM told();
-- the second slips: the first line keeps its date, and so does the third
UPDATE inbound SET expected_at = '2030-02-10' WHERE inbound_id = 2;
SELECT * FROM told();
-- the second after the third
UPDATE inbound SET expected_at = '2030-03-10' WHERE inbound_id = 2;
SELECT * FROM told();
TABLE promises;
-- less comes; all of it at another place; not at all; at an unknown time
UPDATE inbound SET cancelled = 1 WHERE inbound_id = 2;
SELECT * FROM told();
UPDATE inbound SET quantity = 5, cancelled = 0 WHERE inbound_id = 2;
SELECT * FROM told();
UPDATE inbound SET location = 'north' WHERE inbound_id = 3;
SELECT * FROM told();
UPDATE inbound SET expected_at = NULL WHERE inbound_id = 2;
SELECT * FROM told();
DELETE FROM inbound WHERE inbound_id = 3;
SELECT * FROM told();
UPDATE inbound SET expected_at = '2030-02-01' WHERE inbound_id = 2;
INSERT INTO inbound (item, quantity, expected_at) VALUES ('a', 4, '2030-03-01');
SELECT * FROM told();
-- an order moved to another item
UPDATE inbound SET item = 'b' WHERE item = 'a' AND expected_at = '2030-03-01';
SELECT * FROM told();
UPDATE inbound SET item = 'a' WHERE item = 'b';
SELECT * FROM told();
TABLE promises;
:check

-- within the tolerance nothing is told, beyond it is
UPDATE inbound SET expected_at = '2030-01-04' WHERE item = 'easy';
SELECT * FROM told();
UPDATE inbound SET expected_at = '2030-01-05' WHERE item = 'easy';
SELECT * FROM told();
-- several changes by one statement, and what does not matter
WITH gone AS (DELETE FROM inbound WHERE item = 'easy') UPDATE inbound SET supplier = 'x', reference = 'PO-1', ordered_at = '2029-01-01' WHERE item <> 'easy';
SELECT * FROM told();
UPDATE inbound SET expected_at = expected_at + interval '1 day';
SELECT * FROM told();
UPDATE inbound SET expected_at = expected_at - interval '1 day';
SELECT * FROM told();

-- Receipts. What comes in turn, wholly or in parts, moves nobody; nor does one that names nothing.
SELECT count(*) FROM receive('a', 2, inbound_id => 1);
SELECT count(*) FROM receive('a', 4, inbound_id => 1);
SELECT count(*) FROM receive('a', 1);
SELECT * FROM told();
TABLE promises;
-- a row that was to come later, out of turn: 1 + 4 wait for the 5 that are left of the second
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('6', 1, 'a', 2, '2026-01-04');
SELECT * FROM told();
INSERT INTO stock_move (item, quantity, inbound_id) SELECT item, 1, inbound_id FROM inbound WHERE expected_at = '2030-03-01';
SELECT * FROM told();
TABLE promises;
-- more than was ordered: two more than were open, and the last line moves up
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('7', 1, 'a', 2, '2026-01-05');
INSERT INTO inbound (item, quantity, expected_at) VALUES ('a', 1, '2030-01-10');
SELECT * FROM told();
UPDATE inbound SET expected_at = '2030-04-01' WHERE item = 'a' AND expected_at = '2030-03-01';
SELECT * FROM told();
SELECT count(*) FROM receive('a', 3, inbound_id => (SELECT inbound_id FROM inbound WHERE expected_at = '2030-01-10'));
SELECT * FROM told();
TABLE promises;
-- two rows in turn by one statement
INSERT INTO item (item) VALUES ('c');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) SELECT 'c', n, 'c', 2, '2026-01-01'::timestamptz + n * interval '1 day' FROM generate_series(1, 3) AS n;
INSERT INTO inbound (item, quantity, expected_at) VALUES ('c', 2, '2030-01-01'), ('c', 2, '2030-02-01'), ('c', 2, '2030-03-01');
SELECT * FROM told();
INSERT INTO stock_move (quantity, inbound_id) SELECT CASE WHEN expected_at = '2030-01-01' THEN 2 ELSE 1 END, inbound_id FROM inbound WHERE item = 'c' AND expected_at < '2030-03-01' ORDER BY expected_at DESC;
SELECT * FROM told();
:check

/*
 * Whatever happens to supply, every promise that rests on it is the date at which
 * all that is to come by then covers all that waits up to the line, by plain SQL.
 */
CREATE VIEW wrong AS
SELECT q.item, q.order_id, q.line_no, q.promised_at, q.promise_basis, c.covered_at
FROM (
	SELECT b.*, sum(b.remaining) OVER (PARTITION BY b.item, b.location ORDER BY b.priority DESC, b.rank_at, b.backorder_id) AS need
	FROM backorder AS b WHERE b.closed_at IS NULL
) AS q
LEFT JOIN LATERAL (
	SELECT min(t.expected_at) FILTER (WHERE t.sum >= q.need) AS covered_at
	FROM (
		SELECT n.expected_at, sum(n.quantity - n.cancelled - n.received) OVER (ORDER BY n.expected_at, n.inbound_id)
		FROM inbound AS n
		WHERE n.item = q.item AND n.location = q.location AND n.quantity > n.cancelled + n.received AND n.expected_at IS NOT NULL
	) AS t
) AS c ON true
WHERE c.covered_at IS NOT NULL AND q.promised_at IS DISTINCT FROM greatest(c.covered_at, q.opened_at);
INSERT INTO item (item) SELECT 'w' || n FROM generate_series(1, 3) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at)
SELECT 'w', n, 'w' || 1 + n % 3, 10 + n * 7 % 11, '2026-01-01'::timestamptz + n * 37 % 100 * interval '1 hour' FROM generate_series(1, 120) AS n;
CREATE TABLE tried (operation text, wrong bigint, right_ones bigint);
SELECT setseed(0.7);
DO $$
DECLARE
	r float;
	what text;
	chosen bigint;
BEGIN
	FOR i IN 1 .. 200 LOOP
		r := random();
		chosen := (SELECT inbound_id FROM supply.inbound WHERE item LIKE 'w%' AND quantity > received + cancelled ORDER BY random() LIMIT 1);
		IF r < 0.25 OR chosen IS NULL THEN
			what := 'insert';
			INSERT INTO supply.inbound (item, quantity, expected_at)
			SELECT 'w' || ceil(random() * 3), ceil(random() * 12), CASE WHEN random() < 0.95 THEN '2030-01-01'::timestamptz + floor(random() * 30) * interval '1 day' END FROM generate_series(1, 1 + floor(random() * 3)::integer);
		ELSIF r < 0.4 THEN
			what := 'slip';
			UPDATE supply.inbound SET expected_at = expected_at + floor(random() * 9 - 3) * interval '1 day' WHERE inbound_id = chosen OR random() < 0.05;
		ELSIF r < 0.5 THEN
			what := 'cancel';
			UPDATE supply.inbound SET cancelled = cancelled + 1, quantity = quantity + floor(random() * 2) WHERE inbound_id = chosen;
		ELSIF r < 0.55 THEN
			what := 'delete';
			DELETE FROM supply.inbound WHERE inbound_id = chosen AND received = 0;
		ELSIF r < 0.75 THEN
			what := 'receive in turn';
			INSERT INTO supply.stock_move (quantity, inbound_id)
			SELECT CASE WHEN n = 1 THEN open ELSE ceil(random() * open) END, inbound_id
			FROM (
				SELECT inbound_id, quantity - received - cancelled AS open, row_number() OVER (ORDER BY expected_at, inbound_id) AS n
				FROM supply.inbound WHERE item = 'w' || 1 + i % 3 AND quantity > received + cancelled AND expected_at IS NOT NULL
			) AS t WHERE n <= 2;
		ELSIF r < 0.95 THEN
			what := 'receive';
			INSERT INTO supply.stock_move (quantity, inbound_id) SELECT ceil(random() * 3), inbound_id FROM supply.inbound WHERE inbound_id = chosen OR (random() < 0.02 AND item LIKE 'w%');
		ELSE
			what := 'receive over';
			INSERT INTO supply.stock_move (quantity, inbound_id) SELECT quantity + 2, inbound_id FROM supply.inbound WHERE inbound_id = chosen;
		END IF;
		INSERT INTO supply.tried SELECT what, (SELECT count(*) FROM supply.wrong WHERE item LIKE 'w%'), (SELECT count(*) FROM supply.backorder WHERE item LIKE 'w%' AND closed_at IS NULL AND promise_basis = 'inbound');
	END LOOP;
END
$$;
SELECT operation, count(*) > 3 AS tried, sum(wrong) AS wrong FROM tried GROUP BY operation ORDER BY operation;
SELECT sum(right_ones) > 500 AS many_compared FROM tried;
SELECT count(*) > 100 AS many_told FROM told();
:check

-- 10,000 rows at once: everybody is told once
INSERT INTO item (item) SELECT 'bulk ' || n FROM generate_series(1, 4) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at)
SELECT 'bulk', n, 'bulk ' || 1 + n % 4, 5, '2026-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 400) AS n;
SELECT count(*), count(DISTINCT line), min(basis) FROM told();
INSERT INTO inbound (item, quantity, expected_at) SELECT 'bulk ' || 1 + n % 4, 1, '2031-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 10000) AS n;
SELECT count(*), count(DISTINCT line), min(basis) FROM told();
UPDATE inbound SET expected_at = expected_at + interval '1 day' WHERE item LIKE 'bulk%';
SELECT count(*), count(DISTINCT line), max(promised - former) AS days FROM told();
DELETE FROM inbound WHERE item LIKE 'bulk%';
SELECT count(*), count(DISTINCT line), min(basis) FROM told();
SELECT count(*) FILTER (WHERE b.first_promised_at = (SELECT j.promised_at FROM journal AS j WHERE j.backorder_id = b.backorder_id AND j.promised_at IS NOT NULL ORDER BY j.journal_id LIMIT 1)) AS first_kept
FROM backorder AS b WHERE b.item LIKE 'bulk%';
:check
SET client_min_messages = warning;
DROP SCHEMA supply CASCADE;
