/* Dates: what is expected, and what was promised. */
CREATE OR REPLACE FUNCTION promise_schedule(item text DEFAULT NULL, location text DEFAULT NULL)
RETURNS TABLE (
	item text, location text, "position" bigint, backorder_id bigint, order_id text, line_no bigint,
	quantity numeric, inbound_id bigint, expected_at timestamptz, expected_basis text
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
	SELECT s.item, s.location, s.position, s.backorder_id, s.order_id, s.line_no, s.quantity, s.inbound_id, s.expected_at, s.basis
	FROM backorder.promise_schedule('order_line'::regclass, $1, $2) AS s;
END;
COMMENT ON FUNCTION promise_schedule(text, text) IS
	'Which supply is going to serve whom and when, as queue and inbound are now: one row for each part of a backorder, in the order of the queue. NULL is every item, every location. expected_basis is stock, inbound, lead time or unknown. Shows the rows of backorder that the caller may read. Error: 42501.';

CREATE OR REPLACE FUNCTION promise_date(
	item text,
	quantity numeric,
	location text DEFAULT NULL,
	customer text DEFAULT NULL,
	attributes jsonb DEFAULT '{}',
	unit_price numeric DEFAULT NULL,
	required_by timestamptz DEFAULT NULL,
	demand_class text DEFAULT 'regular',
	placed_at timestamptz DEFAULT now(),
	priority integer DEFAULT 0
) RETURNS TABLE (
	promised_at timestamptz, promise_basis text, allocated numeric, backordered numeric, units_ahead numeric,
	priority integer, rank_at timestamptz, rules text[]
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	SELECT p.promised_at, p.promise_basis, p.allocated, p.backordered, p.units_ahead, p.rank_priority, p.rank_at, p.rules
	FROM backorder.promise_for('order_line'::regclass, $1, $3, $2, $4, $5, $6, $7, $8, $9, $10) AS p;
END;
COMMENT ON FUNCTION promise_date(text, numeric, text, text, jsonb, numeric, timestamptz, text, timestamptz, integer) IS
	'What a line that is not yet ordered would be promised: ranked by the rules, covered from stock as far as that goes, then by what is inbound. Writes nothing and reserves nothing. units_ahead is NULL for who may not read all of backorder. Errors: 22004, 22023, 23503 unknown item or location, 42501.';

CREATE OR REPLACE FUNCTION refresh_promises(item text DEFAULT NULL, location text DEFAULT NULL) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.move_promises('order_line'::regclass, $1, $2);
END;
COMMENT ON FUNCTION refresh_promises(text, text) IS
	'Sets the promised dates of what waits to the expected ones, where they are further apart than the item''s promise_tolerance; NULL is every item, every location. Returns how many moved. Error: 42501.';
