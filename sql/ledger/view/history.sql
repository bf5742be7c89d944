/*
 * One line's story.  A line in stock has nothing in the journal about its
 * entry: the first row is made from the line itself.  (OFFSET 0 keeps the
 * planner from asking the same thing three times.)
 */
CREATE OR REPLACE VIEW history WITH (security_invoker = true) AS
SELECT
	e.order_id,
	e.line_no,
	row_number() OVER (PARTITION BY e.order_id, e.line_no ORDER BY e.journal_id NULLS FIRST) AS step,
	e.happened_at,
	e.event,
	e.quantity,
	e.kind,
	e.cause,
	e.item,
	e.location,
	e.backorder_id,
	e.move_id,
	e.priority,
	e.rank_at,
	e.rules,
	e.reason,
	e.recorded_at,
	e.actor,
	e.session_user_name,
	e.journal_id
FROM (
	SELECT
		l.order_id,
		l.line_no,
		NULL::bigint AS journal_id,
		CASE WHEN h.held_first THEN l.placed_at ELSE coalesce(l.entered_at, greatest(l.placed_at, l.not_before)) END AS happened_at,
		CASE
			WHEN h.held_first THEN 'placed, on hold'
			WHEN l.backordered_at_entry = 0 THEN 'entered, all in stock'
			WHEN l.backordered_at_entry < coalesce(l.entered_quantity, l.quantity) THEN 'entered, in part in stock'
			ELSE 'entered, none in stock'
		END AS event,
		coalesce(l.entered_quantity, l.quantity) AS quantity,
		CASE WHEN h.held_first THEN 'placed' ELSE 'entered' END AS kind,
		'entry' AS cause,
		l.item,
		l.location,
		NULL::bigint AS backorder_id,
		NULL::bigint AS move_id,
		NULL::integer AS priority,
		NULL::timestamptz AS rank_at,
		NULL::text[] AS rules,
		NULL::text AS reason,
		NULL::timestamptz AS recorded_at,
		NULL::text AS actor,
		NULL::text AS session_user_name
	FROM order_line AS l
	CROSS JOIN LATERAL (
		SELECT (l.on_hold AND l.entered_at IS NULL)
			OR EXISTS (
				SELECT FROM journal AS j
				WHERE j.order_id = l.order_id AND j.line_no = l.line_no AND j.kind = 'entered' AND j.cause = 'entry'
			) AS held_first
		OFFSET 0
	) AS h
	UNION ALL
	SELECT
		j.order_id,
		j.line_no,
		j.journal_id,
		j.happened_at,
		CASE j.kind
			WHEN 'entered' THEN CASE j.cause WHEN 'release' THEN 'let go again' ELSE 'entered' END
			WHEN 'backordered' THEN 'backordered' || CASE j.cause
				WHEN 'entry' THEN ': short at entry'
				WHEN 'raise' THEN ': short when the quantity was raised'
				WHEN 'release' THEN ': short when let go again'
				WHEN 'move' THEN ': short at the new location'
				WHEN 'loss' THEN ': its stock was lost'
				WHEN 'reallocated' THEN ': its stock was given to another line'
				ELSE ': ' || j.cause END
			WHEN 'filled' THEN 'filled' || CASE j.cause
				WHEN 'release' THEN ' from what another line gave up'
				WHEN 'allocate' THEN ' from available stock, by hand'
				WHEN 'reallocated' THEN ' with stock taken from another line'
				ELSE ' by ' || replace(j.cause, '_', ' ') END
			WHEN 'cancelled' THEN 'waiting units ' || CASE j.cause
				WHEN 'cancel' THEN 'cancelled'
				WHEN 'on_short' THEN 'cancelled at entry: not in stock'
				WHEN 'lower' THEN 'given up: quantity lowered'
				WHEN 'hold' THEN 'given up: put on hold'
				WHEN 'move' THEN 'given up: location changed'
				ELSE 'given up: ' || j.cause END
			WHEN 'released' THEN 'allocated units ' || CASE j.cause
				WHEN 'cancel' THEN 'cancelled'
				WHEN 'lower' THEN 'given up: quantity lowered'
				WHEN 'hold' THEN 'given up: put on hold'
				WHEN 'move' THEN 'given up: location changed'
				ELSE 'given up: ' || j.cause END
			WHEN 'shipped' THEN 'shipped'
			WHEN 'unshipped' THEN 'shipment reversed'
			WHEN 'held' THEN 'put on hold'
			WHEN 'changed' THEN CASE j.cause WHEN 'cancel' THEN 'units on hold cancelled' ELSE 'quantity raised' END
			WHEN 'reranked' THEN 'ranked anew'
			WHEN 'escalated' THEN 'has waited longer than acceptable'
			WHEN 'passed_over' THEN 'left alone when stock was lost' || CASE j.cause
				WHEN 'firm' THEN ': firm units'
				WHEN 'locked' THEN ': somebody was editing the line'
				ELSE ': ' || j.cause END
			ELSE j.kind
		END,
		j.quantity,
		j.kind,
		j.cause,
		j.item,
		j.location,
		j.backorder_id,
		j.move_id,
		j.priority,
		j.rank_at,
		j.rules,
		j.reason,
		j.recorded_at,
		j.actor,
		j.session_user_name
	FROM journal AS j
) AS e
ORDER BY e.order_id, e.line_no, step;

COMMENT ON VIEW history IS 'Each line''s whole story: its entry, then every decision about it, in order.';
COMMENT ON COLUMN history.order_id IS 'Order.';
COMMENT ON COLUMN history.line_no IS 'Line of the order.';
COMMENT ON COLUMN history.step IS 'Number of the event within the line''s story, from 1.';
COMMENT ON COLUMN history.happened_at IS 'Business time of the event.';
COMMENT ON COLUMN history.event IS 'What happened, in words.';
COMMENT ON COLUMN history.quantity IS 'Stock units it is about.';
COMMENT ON COLUMN history.kind IS 'Kind of the journal row; the first row is ''entered'' for a line that was demand at once, ''placed'' for one that was on hold.';
COMMENT ON COLUMN history.cause IS 'Cause in the journal.';
COMMENT ON COLUMN history.item IS 'Item.';
COMMENT ON COLUMN history.location IS 'Location.';
COMMENT ON COLUMN history.backorder_id IS 'Backorder it belongs to, where it is about waiting units.';
COMMENT ON COLUMN history.move_id IS 'Stock move that caused it.';
COMMENT ON COLUMN history.priority IS 'Priority of the backorder then.';
COMMENT ON COLUMN history.rank_at IS 'Rank of the backorder then.';
COMMENT ON COLUMN history.rules IS 'Rules that ranked it then.';
COMMENT ON COLUMN history.reason IS 'Reason somebody gave.';
COMMENT ON COLUMN history.recorded_at IS 'Clock time of the journal row.';
COMMENT ON COLUMN history.actor IS 'Who did it, where the application set backorder.actor.';
COMMENT ON COLUMN history.session_user_name IS 'Database role of the session that did it.';
COMMENT ON COLUMN history.journal_id IS 'Number of the journal row; NULL for the first.';
