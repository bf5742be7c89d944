/*
 * A customer's own view of an order.  Place and expected date are those in the
 * whole queue; promise_schedule() shows only the rows that the caller may read.
 */
CREATE OR REPLACE FUNCTION order_tracking(order_id text) RETURNS TABLE (
	line_no bigint, item text, quantity numeric, state text, allocated numeric, backordered numeric, shipped numeric,
	last_shipped_at timestamptz, cancelled numeric, place bigint, expected_at timestamptz, expected_basis text,
	promised_at timestamptz, first_promised_at timestamptz, due_at timestamptz, may text[], changes jsonb
)
LANGUAGE sql STABLE ROWS 10 SET TimeZone = 'UTC' SET jit = off
BEGIN ATOMIC
	SELECT s.line_no, s.item, s.quantity, s.state, s.allocated, s.backordered, s.shipped,
		j.last_shipped_at, s.cancelled, e.place,
		CASE WHEN s.backordered > 0 THEN e.expected_at ELSE s.expected_at END,
		CASE WHEN s.backordered > 0 THEN e.expected_basis ELSE s.expected_basis END,
		CASE WHEN s.backordered > 0 THEN s.expected_at END, s.first_promised_at, c.due_at,
		array_remove(ARRAY[
			CASE WHEN s.quantity - s.cancelled - s.shipped - s.firm > 0 THEN 'cancel' END,
			CASE WHEN s.quantity - s.cancelled - s.shipped > 0 AND n.waiting
				AND (now() < coalesce(greatest(c.due_at, c.answer_by), 'infinity')) THEN 'accept the new date' END], NULL),
		coalesce(j.changes, '[]')
	FROM order_line_status AS s
	LEFT JOIN legal_clock AS c ON c.order_id = s.order_id AND c.line_no = s.line_no
	CROSS JOIN LATERAL (
		SELECT max(b.happened_at) FILTER (WHERE b.kind = 'shipped') AS last_shipped_at,
			jsonb_agg(jsonb_strip_nulls(jsonb_build_object('at', b.happened_at, 'what', b.kind, 'quantity', b.quantity,
				'date', b.promised_at, 'former_date', b.former_promised_at, 'reason', b.reason)) ORDER BY b.journal_id)
				FILTER (WHERE b.kind IN ('backordered', 'promised', 'filled', 'cancelled', 'shipped', 'unshipped')
					OR (b.kind = 'released' AND b.cause = 'cancel')) AS changes
		FROM journal AS b
		WHERE b.order_id = s.order_id AND b.line_no = s.line_no
	) AS j
	CROSS JOIN LATERAL (
		SELECT min(p.position) AS place,
			CASE WHEN bool_and(p.expected_at IS NOT NULL) THEN max(p.expected_at) END AS expected_at,
			(array_agg(p.expected_basis ORDER BY p.expected_at DESC NULLS FIRST))[1] AS expected_basis
		FROM promise_schedule(CASE WHEN s.backordered > 0 THEN s.item ELSE '' END, s.location) AS p
		WHERE p.order_id = s.order_id AND p.line_no = s.line_no
	) AS e
	CROSS JOIN LATERAL (
		SELECT EXISTS (
			SELECT FROM notice AS t
			WHERE t.order_id = s.order_id AND t.line_no = s.line_no AND t.kind = 'delay'
				AND t.sent_at > coalesce(c.agreed_at, '-infinity')
				AND NOT EXISTS (
					SELECT FROM consent AS k
					WHERE k.order_id = t.order_id AND k.line_no = t.line_no AND k.given_at >= t.sent_at)
		) AS waiting
	) AS n
	WHERE s.order_id = $1
	ORDER BY s.line_no;
END;
COMMENT ON FUNCTION order_tracking(text) IS
	'An order as its customer may see it, line by line: what has shipped and what waits, its place in the queue, the date that is expected now, the one that was promised last and first, by when it is due, what may be done (cancel, accept the new date), and what changed when. Shows the lines that the caller may read.';
