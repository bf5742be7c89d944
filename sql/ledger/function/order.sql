/* Placing orders. */
CREATE OR REPLACE FUNCTION place_order(
	order_id text,
	lines jsonb,
	customer text DEFAULT NULL,
	attributes jsonb DEFAULT NULL,
	placed_at timestamptz DEFAULT NULL,
	required_by timestamptz DEFAULT NULL,
	demand_class text DEFAULT NULL
) RETURNS SETOF order_line_status
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.place_lines('order_line'::regclass, $1, $2, $3, $4, $5, $6, $7);
	SELECT o.* FROM order_line_status AS o
	WHERE o.order_id = $1
		AND o.line_no IN (
			SELECT coalesce((line ->> 'line_no')::bigint, n)
			FROM jsonb_array_elements($2) WITH ORDINALITY AS l (line, n))
	ORDER BY o.line_no;
END;
COMMENT ON FUNCTION place_order(text, jsonb, text, jsonb, timestamptz, timestamptz, text) IS
	'Places the lines of an order in one statement and returns the status of each. lines is an array of objects with item and quantity, and optionally line_no (default: its place in the array), location, unit_price, attributes (merged over the order''s), required_by, not_before, priority, on_short. Only columns that are given are named, so grants on columns do; the rest has its default. Errors: 22023 unknown key, and those of an INSERT into order_line.';

CREATE OR REPLACE FUNCTION cancel(
	order_id text,
	line_no bigint DEFAULT NULL,
	quantity numeric DEFAULT NULL,
	reason text DEFAULT NULL,
	called_at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (order_id text, line_no bigint, item text, cancelled numeric, backordered numeric, allocated numeric)
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.lock_lines('order_line'::regclass, $1, $2, $3);
	UPDATE order_line AS l SET
		cancelled = l.cancelled + coalesce($3, l.quantity - l.cancelled - l.shipped - l.firm),
		cancel_reason = coalesce($4, l.cancel_reason)
	WHERE l.order_id = $1 AND (l.line_no = $2 OR $2 IS NULL)
		AND (l.cancelled + l.shipped + l.firm < l.quantity OR $3 IS NOT NULL);
	SELECT j.order_id, j.line_no, j.item, sum(j.quantity),
		coalesce(sum(j.quantity) FILTER (WHERE j.backorder_id IS NOT NULL), 0),
		coalesce(sum(j.quantity) FILTER (WHERE j.kind = 'released'), 0)
	FROM journal AS j
	WHERE j.order_id = $1 AND (j.line_no = $2 OR $2 IS NULL)
		AND j.kind IN ('cancelled', 'released', 'changed') AND j.cause = 'cancel'
		AND j.transaction_id = pg_current_xact_id_if_assigned()
		AND j.recorded_at >= $5
	GROUP BY j.order_id, j.line_no, j.item
	ORDER BY j.order_id, j.line_no;
END;
COMMENT ON FUNCTION cancel(text, bigint, numeric, text, timestamptz) IS
	'Cancels units of an order line: quantity NULL is all that is open but not firm, line_no NULL the whole order. The waiting part goes first, then the allocation, which serves the queue. Returns each line that gave something up, and of which part. Errors: 22023 quantity not above zero, 23503 no such line, 23514 more than is open and not firm. called_at is for the function itself: what it did is what was recorded from then on.';

CREATE OR REPLACE FUNCTION release_due(called_at timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (order_id text, line_no bigint, allocated numeric, backordered numeric)
LANGUAGE sql
BEGIN ATOMIC
	/*
	 * Touching a line whose time has come lets it enter.  One that would be
	 * refused stays on hold until a later call, so that it does not keep the
	 * others: the lines are looked at in the order in which they will be placed.
	 */
	UPDATE order_line AS l SET not_before = l.not_before
	FROM (
		WITH due AS MATERIALIZED (
			SELECT h.order_id, h.line_no, i.backorder_limit, coalesce(h.on_short, i.on_short) AS on_short,
				coalesce(s.backordered, 0) AS waiting,
				sum(h.quantity - h.cancelled - h.shipped) OVER (
					PARTITION BY h.item, h.location
					ORDER BY greatest(h.placed_at, h.not_before), h.priority DESC, h.order_id, h.line_no
				) - coalesce(s.available, 0) AS short
			FROM order_line AS h
			JOIN item AS i ON i.item = h.item
			LEFT JOIN stock AS s ON s.item = h.item AND s.location = h.location
			WHERE h.on_hold AND h.not_before <= now() AND h.cancelled + h.shipped < h.quantity
		)
		SELECT o.order_id, o.line_no FROM order_line AS o
		JOIN due AS d ON d.order_id = o.order_id AND d.line_no = o.line_no
		WHERE d.short <= 0
			OR d.on_short = 'cancel'
			OR (d.on_short = 'backorder' AND (d.waiting + d.short <= d.backorder_limit) IS NOT FALSE)
		ORDER BY o.order_id, o.line_no FOR NO KEY UPDATE OF o SKIP LOCKED
	) AS k
	WHERE l.order_id = k.order_id AND l.line_no = k.line_no;
	SELECT s.order_id, s.line_no, s.allocated, s.backordered
	FROM journal AS j
	JOIN order_line_status AS s ON s.order_id = j.order_id AND s.line_no = j.line_no
	WHERE j.kind = 'entered' AND j.transaction_id = pg_current_xact_id_if_assigned()
		AND j.recorded_at >= $1
	ORDER BY s.order_id, s.line_no;
END;
COMMENT ON FUNCTION release_due(timestamptz) IS
	'Lets the held lines enter whose not_before has come, and returns what became of each. Lines that somebody is editing, or that would be refused for want of stock, wait for a later call. For a scheduler. called_at is for the function itself: what it did is what was recorded from then on.';
