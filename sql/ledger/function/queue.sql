/* Decisions about the queue. */
CREATE OR REPLACE FUNCTION allocate(
	item text,
	location text DEFAULT NULL,
	quantity numeric DEFAULT NULL,
	called_at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (order_id text, line_no bigint, quantity numeric)
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.serve_queue('order_line'::regclass, $1, $2, $3);
	SELECT j.order_id, j.line_no, sum(j.quantity) FROM journal AS j
	WHERE j.kind = 'filled' AND j.cause = 'allocate' AND j.item = $1
		AND j.transaction_id = pg_current_xact_id_if_assigned() AND j.recorded_at >= $4
		AND j.location = coalesce($2, (SELECT s.default_location FROM ledger AS s))
	GROUP BY j.order_id, j.line_no
	ORDER BY min(j.journal_id);
END;
COMMENT ON FUNCTION allocate(text, text, numeric, timestamptz) IS
	'Gives available stock to the queue by hand, for items with auto_allocate = false: up to quantity units (NULL: all). Returns who got it. Errors: 22023, 23503, 42501. called_at is for the function itself: what it did is what was recorded from then on.';

CREATE OR REPLACE FUNCTION reallocate(
	from_order text,
	from_line bigint,
	to_order text,
	to_line bigint,
	quantity numeric,
	reason text DEFAULT NULL
) RETURNS numeric
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.move_allocation('order_line'::regclass, $1, $2, $3, $4, $5, $6);
END;
COMMENT ON FUNCTION reallocate(text, bigint, text, bigint, numeric, text) IS
	'Gives allocated units of one order line to another of the same item and location that waits; the first then waits with its old rank. Returns the units. Errors: 22023, 23503, 23514 the other does not wait for that many, 23B02 not that many units that are not firm, 42501.';

CREATE OR REPLACE FUNCTION reprioritize(item text DEFAULT NULL, customer text DEFAULT NULL) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.rerank('order_line'::regclass, $1, $2);
END;
COMMENT ON FUNCTION reprioritize(text, text) IS
	'Ranks what is waiting by the rules as they are now; NULL is every item, every customer. Returns how many backorders changed rank. Error: 42501.';

CREATE OR REPLACE FUNCTION preview_rule(condition jsonpath) RETURNS SETOF open_backorder
LANGUAGE sql STABLE SET TimeZone = 'UTC'
BEGIN ATOMIC
	SELECT o.* FROM open_backorder AS o
	JOIN rule_input AS i ON i.order_id = o.order_id AND i.line_no = o.line_no
	WHERE jsonb_path_match_tz(i.line, $1, '{}', true)
	ORDER BY o.item, o.location, o.priority DESC, o.rank_at, o.backorder_id;
END;
COMMENT ON FUNCTION preview_rule(jsonpath) IS
	'The waiting lines that a rule with this condition would match. Changes nothing.';
