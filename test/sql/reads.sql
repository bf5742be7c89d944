-- How many rows a statement reads does not grow with the ledger: what concerns a
-- line goes by its key, a receipt reads the front of the queue.  The plans are
-- made while the tables are empty, as they are on a ledger's first day.
SET SESSION AUTHORIZATION merchant;
SELECT backorder.create_ledger('reads', 'UTC');
SET search_path = reads;
INSERT INTO item (item) VALUES ('in stock'), ('out'), ('warm');

-- each kind of statement once, on the empty ledger
SELECT count(*) FROM receive('warm', 5);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('warm', 1, 'warm', 4), ('warm', 2, 'warm', 4);
UPDATE order_line SET customer = 'c' WHERE order_id = 'warm' AND line_no = 2;
SELECT count(*) FROM ship('warm', 1, 2);
SELECT count(*) FROM cancel('warm', 2, 1);
SELECT count(*) FROM cancel('warm', 1, 1);
SELECT count(*) FROM record_count('warm', 1);
SELECT count(*) FROM receive('warm', 1);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('warm', 3, 'warm', 1);
SELECT reallocate('warm', 2, 'warm', 3, 1);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', 'warm', 1, 1);
INSERT INTO inbound (item, quantity, expected_at) VALUES ('warm', 5, '2030-01-01'), ('warm', 5, '2030-01-02');
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('warm', 4, 'warm', 1);
UPDATE inbound SET expected_at = '2030-01-03' WHERE inbound_id = 1;
SELECT count(*) FROM receive('warm', 1, inbound_id => 1);

-- then a ledger with many lines
INSERT INTO stock_move (item, quantity) VALUES ('in stock', 10000);
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'a' || n, 1, 'in stock', 2 FROM generate_series(1, 3000) AS n;
INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'b' || n, 1, 'out', 2 FROM generate_series(1, 3000) AS n;
INSERT INTO inbound (item, quantity, expected_at) SELECT 'in stock', 2, '2030-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, 3000) AS n;

-- rows read so far from any table of the ledger; what a transaction reads is the difference
CREATE VIEW tally AS
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS reads
FROM pg_stat_xact_user_tables WHERE schemaname = 'reads';

BEGIN; TABLE tally \gset
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('c', 1, 'in stock', 1);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('c', 2, 'out', 1);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', 'a7', 1, 1);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
SELECT count(*) FROM ship('a8');
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
UPDATE order_line SET cancelled = 1 WHERE order_id = 'b7';
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
SELECT count(*) FROM cancel('a9');
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
UPDATE order_line SET quantity = 3 WHERE order_id = 'b8';
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
UPDATE order_line SET priority = 1 WHERE order_id = 'b9';
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
UPDATE order_line SET not_before = 'infinity' WHERE order_id = 'b10';
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
INSERT INTO stock_move (item, quantity) VALUES ('out', 5);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
SELECT count(*) FROM receive('in stock', 5);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
SELECT count(*) FROM record_count('in stock', 9000);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
SELECT reallocate('b9', 1, 'b20', 1, 1);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', 'a7', 1, 1);
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;
BEGIN; TABLE tally \gset
INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ('d', 1, 'out', 1) RETURNING backordered;
SELECT t.reads - :reads < 500 AS few_rows_read FROM tally AS t;
COMMIT;

SELECT * FROM backorder.check_ledger('reads');
SET client_min_messages = warning;
DROP SCHEMA reads CASCADE;
