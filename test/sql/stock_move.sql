-- Stock moves: every kind, what it does to stock, queue and lines, and what is refused.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('moves', 'UTC');
SET search_path = moves;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item) VALUES ('a'), ('b'), ('c'), ('d'), ('e'), ('f');
CREATE VIEW line AS SELECT order_id, line_no AS no, item, location AS loc, quantity, allocated, backordered AS waiting, shipped, firm, state FROM order_line_status;
CREATE VIEW sums AS SELECT item, location, on_hand, allocated, available, backordered FROM stock ORDER BY item, location;
CREATE VIEW story AS SELECT journal_id, kind, cause, order_id, line_no AS no, item, quantity, happened_at FROM journal;

-- Every kind has its sign: 10 + 3 - 2 + 4 - 1 + 5 - 6 = 13, and 2 at north
INSERT INTO stock_move (kind, item, quantity, reference) VALUES
	('receipt', 'a', 10, 'PO 1'), ('customer_return', 'a', 3, 'RMA 1'), ('return_to_vendor', 'a', 2, NULL),
	('adjustment', 'a', 4, NULL), ('adjustment', 'a', -1, NULL), ('transfer_in', 'a', 5, NULL), ('transfer_out', 'a', 6, NULL);
INSERT INTO stock_move (item, location, quantity) VALUES ('a', 'north', 2);
SELECT * FROM sums;
SELECT kind, item, location, quantity, order_id, reference, idempotency_key, attributes FROM stock_move ORDER BY move_id;
-- none that names a line unless it must, and then only one that exists and is of that item
\set VERBOSITY terse
INSERT INTO stock_move (kind, item, quantity) VALUES ('shipment', 'a', 1);
INSERT INTO stock_move (kind, item, quantity, order_id) VALUES ('receipt', 'a', 1, 'o');
INSERT INTO stock_move (kind, quantity, order_id, line_no) VALUES ('shipment', 1, 'nobody', 1);
INSERT INTO stock_move (kind, item, location, quantity, order_id, line_no) VALUES ('shipment', 'a', 'main', 1, 'nobody', 1);
INSERT INTO stock_move (kind, quantity, order_id, line_no) VALUES ('customer_return', 1, 'nobody', 1);
INSERT INTO stock_move (item, quantity) VALUES ('gone', 1);
INSERT INTO stock_move (item, location, quantity) VALUES ('a', 'gone', 1);
INSERT INTO stock_move (quantity) VALUES (1);
INSERT INTO stock_move (item) VALUES ('a');
INSERT INTO stock_move (item, quantity) VALUES ('a', 0);
INSERT INTO stock_move (item, quantity) VALUES ('a', -1);
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'a', 0);
INSERT INTO stock_move (item, quantity) VALUES ('a', 'NaN');
INSERT INTO stock_move (item, quantity) VALUES ('a', 'Infinity');
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'a', '-Infinity');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('a', 1, 'infinity');
INSERT INTO stock_move (kind, item, quantity) VALUES ('theft', 'a', 1);
INSERT INTO stock_move (item, quantity, attributes) VALUES ('a', 1, '[]');
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'a', -14);
INSERT INTO stock_move (kind, item, location, quantity) VALUES ('return_to_vendor', 'a', 'north', 3);
INSERT INTO stock_move (kind, item, location, quantity) VALUES ('transfer_out', 'b', 'main', 1);
\set VERBOSITY default
SELECT * FROM sums;

-- A receipt serves the queue by rank; several in one statement and a COPY do the same; the rest becomes available.
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, priority) VALUES
	('1', 1, 'b', 4, '2024-01-01', 0), ('2', 1, 'b', 2.5, '2024-01-02', 0), ('3', 1, 'b', 3, '2024-01-03', 1), ('4', 1, 'b', 1, '2024-01-04', 0);
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('b', 1, '2024-01-05');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('b', 3, '2024-01-06'), ('a', 1, '2024-01-06'), ('b', 1, '2024-01-07');
SELECT order_id, waiting FROM line WHERE item = 'b' ORDER BY order_id;
SELECT kind, cause, order_id, quantity, happened_at FROM story WHERE item = 'b' AND kind = 'filled' ORDER BY journal_id;
COPY stock_move (item, quantity, moved_at, reference, idempotency_key) FROM stdin;
b	2	2024-01-08	PO 7	k1
b	5	2024-01-09	PO 7	k2
a	1	2024-01-09	PO 7	k3
\.
SELECT kind, cause, order_id, quantity, happened_at FROM story WHERE item = 'b' AND kind = 'filled' ORDER BY journal_id;
SELECT * FROM sums WHERE item = 'b';
-- each fill names its move, and its rank
SELECT m.reference, m.quantity AS received, j.order_id, j.quantity, j.priority, j.rank_at, j.rules FROM journal AS j JOIN stock_move AS m USING (move_id) WHERE j.item = 'b' ORDER BY journal_id;
-- a receipt that is sent twice is refused, and its statement with it
\set VERBOSITY terse
INSERT INTO stock_move (item, quantity, idempotency_key) VALUES ('b', 1, 'k9'), ('b', 5, 'k2');
\set VERBOSITY default
INSERT INTO stock_move (item, quantity, idempotency_key) VALUES ('b', 1, 'k9'), ('b', 5, 'k2') ON CONFLICT (idempotency_key) DO NOTHING;
SELECT * FROM sums WHERE item = 'b';
-- a customer's return that names its line is of that line's item and place, and serves the queue
INSERT INTO order_line (order_id, line_no, item, location, quantity) VALUES ('5', 1, 'c', 'north', 2);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('customer_return', '5', 1, 1);
SELECT order_id, no, loc, allocated, waiting FROM line WHERE item = 'c';
SELECT kind, item, location FROM stock_move ORDER BY move_id DESC LIMIT 1;
\set VERBOSITY terse
INSERT INTO stock_move (kind, item, order_id, line_no, quantity) VALUES ('customer_return', 'a', '5', 1, 1);
\set VERBOSITY default
SELECT * FROM backorder.check_ledger('moves');

-- Shipments: item and location may be left out; all of it, in parts, several lines, one line twice.
INSERT INTO stock_move (item, quantity) VALUES ('c', 10);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('6', 1, 'c', 4), ('6', 2, 'c', 4), ('7', 1, 'c', 5);
SELECT order_id, no, allocated, waiting FROM line WHERE item = 'c' AND loc = 'main' ORDER BY 1, 2;
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES ('shipment', '6', 1, 4, '2100-01-01'), ('shipment', '6', 2, 1, '2100-01-01'), ('shipment', '6', 2, 2, '2100-01-01');
SELECT order_id, no, allocated, waiting, shipped, state FROM line WHERE order_id = '6' ORDER BY no;
SELECT kind, cause, no, quantity, happened_at FROM story WHERE order_id = '6' ORDER BY journal_id;
SELECT * FROM sums WHERE item = 'c';
\set VERBOSITY terse
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '6', 2, 2);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '7', 1, 3), ('shipment', '7', 1, 3);
INSERT INTO stock_move (kind, item, order_id, line_no, quantity) VALUES ('shipment', 'a', '6', 2, 1);
INSERT INTO stock_move (kind, location, order_id, line_no, quantity) VALUES ('shipment', 'north', '6', 2, 1);
-- 3 on hand, 1 of them of 6/2; 7/1 holds 2 and is shipped 4
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '7', 1, 4);
\set VERBOSITY default
-- What the warehouse has sent though it was not allocated: found among what is available, then at the bottom of the ranking.
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '7', 1, 3);
SELECT order_id, no, allocated, waiting, shipped, state FROM line WHERE order_id IN ('6', '7') ORDER BY 1, 2;
SELECT kind, cause, order_id, no, quantity FROM story WHERE item = 'c' AND journal_id > (SELECT max(journal_id) FROM story WHERE order_id = '6' AND kind = 'shipped') ORDER BY journal_id;
INSERT INTO item (item, auto_allocate) VALUES ('g', false);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('8', 1, 'g', 3);
INSERT INTO stock_move (item, quantity) VALUES ('g', 5);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '8', 1, 2);
SELECT order_id, no, allocated, waiting, shipped, state FROM line WHERE item = 'g';
SELECT * FROM sums WHERE item = 'g';
-- firm units leave first, and are not firm any more
INSERT INTO stock_move (item, quantity) VALUES ('d', 10);
INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('9', 1, 'd', 6), ('9', 2, 'd', 4);
UPDATE order_line SET firm = 3 WHERE order_id = '9' AND line_no = 1;
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '9', 1, 2);
SELECT no, shipped, firm, allocated FROM line WHERE order_id = '9' ORDER BY no;
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '9', 1, 3);
SELECT no, shipped, firm, allocated FROM line WHERE order_id = '9' ORDER BY no;
SELECT * FROM backorder.check_ledger('moves');

-- A reversal gives the units back to the line, above all who wait.
INSERT INTO order_line (order_id, line_no, item, quantity, priority) VALUES ('10', 1, 'd', 5, 99);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '9', 1, 4);
SELECT order_id, no, shipped, allocated, waiting, state FROM line WHERE item = 'd' ORDER BY order_id, no;
SELECT kind, cause, order_id, no, quantity FROM story WHERE item = 'd' ORDER BY journal_id;
\set VERBOSITY terse
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '9', 1, 2);
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '9', 1, 1), ('shipment_reversal', '9', 1, 1);
\set VERBOSITY default
-- shipped and taken back by one statement
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '9', 2, 4), ('shipment_reversal', '9', 2, 3), ('shipment', '9', 2, 1);
SELECT no, shipped, allocated FROM line WHERE order_id = '9' ORDER BY no;
-- to a line that is on hold now: the units serve the queue
UPDATE order_line SET not_before = 'infinity' WHERE order_id = '9' AND line_no = 2;
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '9', 2, 2);
SELECT order_id, no, shipped, allocated, waiting, state FROM line WHERE item = 'd' ORDER BY order_id, no;
\set VERBOSITY terse
INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', '9', 2, 1);
\set VERBOSITY default
SELECT * FROM backorder.check_ledger('moves');

-- A loss takes what is available, then from the bottom of the ranking; firm units stay.
INSERT INTO stock_move (item, quantity) VALUES ('e', 20);
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, priority) VALUES
	('11', 1, 'e', 5, '2024-01-01', 0), ('12', 1, 'e', 5, '2024-01-02', 0), ('13', 1, 'e', 4, '2024-01-03', 0), ('14', 1, 'e', 4, '2024-01-04', 7);
UPDATE order_line SET firm = 3 WHERE order_id = '13';
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'e', -1);
SELECT * FROM sums WHERE item = 'e';
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'e', -5, '2100-01-01');
-- 1 available, then of 13 what is not firm, then of 12
SELECT order_id, quantity, allocated, waiting, firm FROM line WHERE item = 'e' ORDER BY order_id;
SELECT kind, cause, order_id, quantity, happened_at FROM story WHERE item = 'e' ORDER BY journal_id;
SELECT order_id, quantity, cause, claim_at, rank_at, opened_at FROM backorder WHERE item = 'e' ORDER BY backorder_id;
-- what was short for a loss is no first-time figure
SELECT order_id, backordered_at_entry FROM order_line WHERE item = 'e' ORDER BY order_id;
\set VERBOSITY terse
-- 14 on hand, 3 firm: no more than 11 can be lost
INSERT INTO stock_move (kind, item, quantity) VALUES ('return_to_vendor', 'e', 12);
\set VERBOSITY default
INSERT INTO stock_move (kind, item, quantity) VALUES ('return_to_vendor', 'e', 11);
SELECT order_id, quantity, allocated, waiting, firm FROM line WHERE item = 'e' ORDER BY order_id;
-- what comes back goes by rank
INSERT INTO stock_move (kind, item, quantity) VALUES ('customer_return', 'e', 6);
SELECT order_id, quantity, allocated, waiting, firm FROM line WHERE item = 'e' ORDER BY order_id;
SELECT * FROM backorder.check_ledger('moves');

-- Transfers, both ends in one statement; in, out and shipments of one item in one statement happen in the order of the moves.
INSERT INTO order_line (order_id, line_no, item, location, quantity) VALUES ('15', 1, 'f', 'main', 5), ('15', 2, 'f', 'north', 5);
INSERT INTO stock_move (item, location, quantity) VALUES ('f', 'main', 6);
INSERT INTO stock_move (kind, item, location, quantity) VALUES ('transfer_out', 'f', 'main', 3), ('transfer_in', 'f', 'north', 3);
SELECT order_id, no, loc, allocated, waiting FROM line WHERE item = 'f' ORDER BY no;
INSERT INTO stock_move (kind, item, location, quantity, order_id, line_no) VALUES
	('receipt', 'f', 'main', 2, NULL, NULL), ('shipment', NULL, NULL, 5, '15', 1), ('receipt', 'f', 'main', 4, NULL, NULL), ('adjustment', 'f', 'main', -3, NULL, NULL),
	('shipment', NULL, NULL, 2, '15', 2);
SELECT order_id, no, loc, allocated, waiting, shipped FROM line WHERE item = 'f' ORDER BY no;
SELECT * FROM sums WHERE item = 'f';
SELECT * FROM backorder.check_ledger('moves');

-- All together: on hand is the signed sum of the moves.
SELECT s.item, s.location, s.on_hand = m.quantity AS equal
FROM stock AS s JOIN (
	SELECT item, location, sum(CASE WHEN kind IN ('shipment', 'return_to_vendor', 'transfer_out') THEN -quantity ELSE quantity END) AS quantity FROM stock_move GROUP BY 1, 2
) AS m USING (item, location) ORDER BY 1, 2;

-- Many waiting lines, many fills: batches
INSERT INTO item (item) VALUES ('many');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) SELECT 'many', n, 'many', 1, '2024-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 6000) AS n;
INSERT INTO stock_move (item, quantity) VALUES ('many', 0.5), ('many', 4999.75);
SELECT min(line_no), max(line_no), count(*), sum(remaining) FROM open_backorder WHERE item = 'many';
INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'many', -4000.25);
SELECT min(line_no), max(line_no), count(*), sum(remaining) FROM open_backorder WHERE item = 'many';
INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment', order_id, line_no, allocated FROM order_line_status WHERE item = 'many' AND allocated > 0;
SELECT * FROM sums WHERE item = 'many';
SELECT * FROM backorder.check_ledger('moves');

SET client_min_messages = warning;
DROP SCHEMA moves CASCADE;
