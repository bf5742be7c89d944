/*
 * Moving stock.  Who got what is read from the journal of the move just made,
 * which is this transaction's latest of the item at the location.
 */
CREATE OR REPLACE FUNCTION receive(
	item text,
	quantity numeric,
	location text DEFAULT NULL,
	reference text DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	moved_at timestamptz DEFAULT now(),
	inbound_id bigint DEFAULT NULL
) RETURNS TABLE (move_id bigint, order_id text, line_no bigint, customer text, quantity numeric)
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO stock_move (kind, item, quantity, location, reference, idempotency_key, moved_at, inbound_id)
	VALUES ('receipt', $1, $2, $3, $4, $5, $6, $7);
	SELECT m.move_id, f.order_id, f.line_no, l.customer, f.quantity
	FROM stock_move AS m
	CROSS JOIN LATERAL (
		SELECT j.order_id, j.line_no, sum(j.quantity) AS quantity, min(j.journal_id) AS first
		FROM journal AS j WHERE j.move_id = m.move_id AND j.kind = 'filled'
		GROUP BY j.order_id, j.line_no
		UNION ALL
		SELECT NULL, NULL, m.quantity - coalesce(sum(j.quantity), 0), NULL
		FROM journal AS j WHERE j.move_id = m.move_id AND j.kind = 'filled'
		HAVING m.quantity > coalesce(sum(j.quantity), 0)
	) AS f
	LEFT JOIN order_line AS l ON l.order_id = f.order_id AND l.line_no = f.line_no
	WHERE m.move_id = CASE WHEN $7 IS NULL THEN (
			SELECT max(a.move_id) FROM stock_move AS a
			WHERE a.item = $1 AND a.location = coalesce($3, (SELECT s.default_location FROM ledger AS s))
				AND a.transaction_id = pg_current_xact_id_if_assigned())
		ELSE (
			SELECT max(a.move_id) FROM stock_move AS a
			WHERE a.inbound_id = $7 AND a.transaction_id = pg_current_xact_id_if_assigned())
		END
	ORDER BY f.first;
END;
COMMENT ON FUNCTION receive(text, numeric, text, text, text, timestamptz, bigint) IS
	'Receives stock: serves the queue, the rest becomes available. inbound_id is the inbound row it fulfils; item NULL is the item of that. Returns who got it, in the order in which they were served; the row without an order is what became available. Errors: 23503 unknown item, location or inbound row, 23505 idempotency_key used before, 23514.';

CREATE OR REPLACE FUNCTION ship(
	order_id text,
	line_no bigint DEFAULT NULL,
	quantity numeric DEFAULT NULL,
	reference text DEFAULT NULL,
	moved_at timestamptz DEFAULT now(),
	called_at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (order_id text, line_no bigint, item text, location text, quantity numeric, open numeric)
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.lock_lines('order_line'::regclass, $1, $2, $3);
	INSERT INTO stock_move (kind, order_id, line_no, item, location, quantity, reference, moved_at)
	SELECT 'shipment', s.order_id, s.line_no, s.item, s.location, coalesce($3, s.allocated), $4, $5
	FROM order_line_status AS s
	WHERE s.order_id = $1 AND (s.line_no = $2 OR $2 IS NULL) AND ($3 IS NOT NULL OR s.allocated > 0)
	ORDER BY s.line_no;
	SELECT s.order_id, s.line_no, s.item, s.location, j.quantity, s.quantity - s.cancelled - s.shipped
	FROM (
		SELECT e.order_id, e.line_no, sum(e.quantity) AS quantity FROM journal AS e
		WHERE e.order_id = $1 AND (e.line_no = $2 OR $2 IS NULL) AND e.kind = 'shipped'
			AND e.transaction_id = pg_current_xact_id_if_assigned() AND e.recorded_at >= $6
		GROUP BY e.order_id, e.line_no
	) AS j
	JOIN order_line_status AS s ON s.order_id = j.order_id AND s.line_no = j.line_no
	ORDER BY s.line_no;
END;
COMMENT ON FUNCTION ship(text, bigint, numeric, text, timestamptz, timestamptz) IS
	'Ships units of an order line: quantity NULL is all that is allocated, line_no NULL every line of the order. Returns what was shipped and what is open still. Errors: 22023 quantity not above zero, 23503 no such line, 23514 more than is open, 23B02 not enough on hand, 55000 on hold. called_at is for the function itself: what it did is what was recorded from then on.';

CREATE OR REPLACE FUNCTION record_count(
	item text,
	counted numeric,
	location text DEFAULT NULL,
	reference text DEFAULT NULL,
	moved_at timestamptz DEFAULT now(),
	called_at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (move_id bigint, difference numeric, order_id text, line_no bigint, quantity numeric)
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO stock_move (kind, item, location, quantity, reference, moved_at)
	SELECT 'adjustment', $1, $3, c.difference, $4, $5
	/* a time that the table refuses is refused with a number that tells nothing */
	FROM (SELECT CASE WHEN isfinite($5) THEN backorder.count_difference('stock_move'::regclass, $1, $3, $2) ELSE 1 END AS difference OFFSET 0) AS c
	WHERE c.difference <> 0;
	SELECT m.move_id, m.quantity, j.order_id, j.line_no, j.quantity
	FROM stock_move AS m
	LEFT JOIN LATERAL (
		SELECT e.order_id, e.line_no, e.quantity, e.journal_id FROM journal AS e
		WHERE e.move_id = m.move_id AND e.kind = 'backordered'
	) AS j ON true
	WHERE m.kind = 'adjustment' AND m.recorded_at >= $6 AND m.move_id = (
		SELECT max(a.move_id) FROM stock_move AS a
		WHERE a.item = $1 AND a.location = coalesce($3, (SELECT s.default_location FROM ledger AS s))
			AND a.transaction_id = pg_current_xact_id_if_assigned())
	ORDER BY j.journal_id;
END;
COMMENT ON FUNCTION record_count(text, numeric, text, text, timestamptz, timestamptz) IS
	'Records a stock count: books the difference to what should be on hand, found under the lock, as an adjustment. Returns the difference and the lines that lost stock; no row where the count is right. Errors: 22023 counted below zero, 23503 unknown item or location, 23B02 firm or locked lines hold more than was counted. called_at is for the function itself: what it did is what was recorded from then on.';

CREATE OR REPLACE FUNCTION transfer(
	item text,
	from_location text,
	to_location text,
	quantity numeric,
	reference text DEFAULT NULL,
	moved_at timestamptz DEFAULT now()
) RETURNS TABLE (move_id bigint, kind text, order_id text, line_no bigint, quantity numeric)
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.check_transfer($2, $3, $4);
	INSERT INTO stock_move (kind, item, location, quantity, reference, moved_at)
	VALUES ('transfer_out', $1, $2, $4, $5, $6), ('transfer_in', $1, $3, $4, $5, $6);
	SELECT m.move_id, m.kind, j.order_id, j.line_no, coalesce(j.quantity, m.quantity)
	FROM stock_move AS m
	LEFT JOIN LATERAL (
		SELECT e.order_id, e.line_no, e.quantity, e.journal_id FROM journal AS e
		WHERE e.move_id = m.move_id AND e.kind IN ('backordered', 'filled')
	) AS j ON true
	WHERE m.move_id IN ((
			SELECT max(a.move_id) FROM stock_move AS a
			WHERE a.item = $1 AND a.location = $2
				AND a.transaction_id = pg_current_xact_id_if_assigned()), (
			SELECT max(a.move_id) FROM stock_move AS a
			WHERE a.item = $1 AND a.location = $3
				AND a.transaction_id = pg_current_xact_id_if_assigned()))
	ORDER BY m.move_id, j.journal_id;
END;
COMMENT ON FUNCTION transfer(text, text, text, numeric, text, timestamptz) IS
	'Moves stock between locations in one statement: available units first, then from the bottom of the ranking. Returns both moves with the lines that lost (transfer_out) or got (transfer_in) units; a move that touched no line has its own row. Errors: 22004, 22023 one location or a quantity not above zero, 23503, 23B02.';
