/*
 * The state of each order line.  LATERAL, so that looking up lines by key costs
 * index lookups whatever else is in the query; an application reads this view
 * after each INSERT.  What a line waits for is asked as outcome IS NULL, as the
 * index by line has it, and that of the queue has not.
 */
CREATE OR REPLACE VIEW order_line_status WITH (security_invoker = true) AS
SELECT
	l.order_id,
	l.line_no,
	l.item,
	l.location,
	l.quantity,
	l.customer,
	l.attributes,
	l.unit_price,
	l.required_by,
	l.placed_at,
	l.not_before,
	l.priority,
	l.on_short,
	l.demand_class,
	l.firm,
	l.cancelled,
	l.cancel_reason,
	l.backordered_at_entry,
	l.entered_quantity,
	CASE
		WHEN l.entered_at IS NOT NULL THEN l.entered_at
		WHEN NOT l.on_hold THEN greatest(l.placed_at, l.not_before)
	END AS entered_at,
	l.on_hold,
	l.shipped,
	CASE WHEN l.on_hold THEN 0 ELSE l.quantity - l.cancelled - l.shipped - coalesce(b.waiting, 0) END AS allocated,
	coalesce(b.waiting, 0) AS backordered,
	CASE
		WHEN l.cancelled + l.shipped >= l.quantity THEN CASE WHEN l.shipped > 0 THEN 'shipped' ELSE 'cancelled' END
		WHEN l.on_hold THEN 'on hold'
		WHEN b.waiting IS NULL THEN 'allocated'
		WHEN b.waiting < l.quantity - l.cancelled - l.shipped THEN 'partly backordered'
		ELSE 'backordered'
	END AS state,
	CASE
		WHEN l.cancelled + l.shipped >= l.quantity THEN NULL
		WHEN l.on_hold THEN CASE WHEN isfinite(l.not_before) THEN l.not_before + i.lead_time END
		WHEN b.waiting IS NULL THEN coalesce(l.entered_at, greatest(l.placed_at, l.not_before))
		WHEN b.all_promised THEN b.promised_at
	END AS expected_at,
	CASE
		WHEN l.cancelled + l.shipped >= l.quantity THEN NULL
		WHEN NOT l.on_hold AND b.waiting IS NULL THEN 'stock'
		WHEN NOT l.on_hold THEN b.basis
		WHEN i.lead_time IS NULL OR isfinite(l.not_before) IS NOT TRUE THEN 'unknown'
		ELSE 'lead time'
	END AS expected_basis,
	CASE WHEN b.all_first_promised THEN b.first_promised_at END AS first_promised_at
FROM order_line AS l
LEFT JOIN LATERAL (
	SELECT
		sum(w.remaining) AS waiting,
		bool_and(w.promised_at IS NOT NULL) AS all_promised,
		max(w.promised_at) AS promised_at,
		CASE
			WHEN bool_and(w.promised_at IS NOT NULL) IS NOT TRUE THEN 'unknown'
			WHEN max(w.promised_at) FILTER (WHERE w.promise_basis = 'unknown') = max(w.promised_at) THEN 'unknown'
			WHEN max(w.promised_at) FILTER (WHERE w.promise_basis = 'lead time') = max(w.promised_at) THEN 'lead time'
			WHEN max(w.promised_at) FILTER (WHERE w.promise_basis = 'inbound') = max(w.promised_at) THEN 'inbound'
			ELSE 'stock'
		END AS basis,
		bool_and(w.first_promised_at IS NOT NULL) AS all_first_promised,
		max(w.first_promised_at) AS first_promised_at
	FROM backorder AS w
	WHERE w.order_id = l.order_id AND w.line_no = l.line_no AND w.outcome IS NULL
) AS b ON true
LEFT JOIN item AS i ON i.item = l.item;

COMMENT ON VIEW order_line_status IS 'Order lines with their state. Writable: INSERT INTO order_line_status … RETURNING tells at once what was allocated and what is backordered; the engine''s columns are ignored in what is written.';
COMMENT ON COLUMN order_line_status.order_id IS 'Order the line belongs to; first part of the key.';
COMMENT ON COLUMN order_line_status.line_no IS 'Number of the line within its order; second part of the key.';
COMMENT ON COLUMN order_line_status.item IS 'Item ordered.';
COMMENT ON COLUMN order_line_status.location IS 'Location the line is to be served from.';
COMMENT ON COLUMN order_line_status.quantity IS 'Stock units ordered.';
COMMENT ON COLUMN order_line_status.customer IS 'Customer.';
COMMENT ON COLUMN order_line_status.attributes IS 'JSON object that rules and figures can look into.';
COMMENT ON COLUMN order_line_status.unit_price IS 'Price of one stock unit; NULL: the item''s.';
COMMENT ON COLUMN order_line_status.required_by IS 'When the customer wants it.';
COMMENT ON COLUMN order_line_status.placed_at IS 'When the order was placed.';
COMMENT ON COLUMN order_line_status.not_before IS 'When the line becomes demand: NULL: at once; a time: from then on; infinity: on hold until changed.';
COMMENT ON COLUMN order_line_status.priority IS 'Added to the priority the rules give.';
COMMENT ON COLUMN order_line_status.on_short IS 'What happens to the part stock cannot cover; NULL: as the item says.';
COMMENT ON COLUMN order_line_status.demand_class IS 'Kind of demand.';
COMMENT ON COLUMN order_line_status.firm IS 'Stock units that nobody takes away.';
COMMENT ON COLUMN order_line_status.cancelled IS 'Stock units cancelled so far.';
COMMENT ON COLUMN order_line_status.cancel_reason IS 'Why.';
COMMENT ON COLUMN order_line_status.backordered_at_entry IS 'Stock units that stock could not cover when the line entered. Never changes.';
COMMENT ON COLUMN order_line_status.entered_quantity IS 'Stock units the line entered with, where quantity was changed since.';
COMMENT ON COLUMN order_line_status.entered_at IS 'When the line first became demand; NULL: not yet.';
COMMENT ON COLUMN order_line_status.on_hold IS 'True while the line is no demand: it holds no stock and does not wait.';
COMMENT ON COLUMN order_line_status.shipped IS 'Stock units shipped.';
COMMENT ON COLUMN order_line_status.allocated IS 'Stock units on hand that are the line''s.';
COMMENT ON COLUMN order_line_status.backordered IS 'Stock units the line waits for.';
COMMENT ON COLUMN order_line_status.state IS 'State: on hold, allocated, partly backordered, backordered; or shipped or cancelled when nothing is open (shipped where any was).';
COMMENT ON COLUMN order_line_status.expected_at IS 'When all open units should be there. Nothing waits: the entry time. Something waits: the date that was promised, the last where several backorders wait. On hold: not_before plus the item''s lead time. NULL: no date, or nothing open.';
COMMENT ON COLUMN order_line_status.expected_basis IS 'What expected_at rests on: stock, inbound (an expected delivery), lead time (an estimate), unknown (not before that date); NULL: nothing open.';
COMMENT ON COLUMN order_line_status.first_promised_at IS 'The date that was promised first for what waits, the last where several backorders wait; NULL: nothing waits, or no date was promised.';

/* The WHERE of the partial index order_line_open comes first. */
CREATE OR REPLACE VIEW ready_to_ship WITH (security_invoker = true) AS
SELECT
	l.order_id,
	l.line_no,
	l.item,
	l.location,
	l.customer,
	l.quantity - l.cancelled - l.shipped - coalesce(b.waiting, 0) AS allocated,
	coalesce(b.waiting, 0) AS backordered,
	l.firm,
	NOT EXISTS (
		SELECT FROM backorder AS o
		WHERE o.order_id = l.order_id AND o.outcome IS NULL
	) AS order_ready,
	l.priority,
	l.required_by,
	l.placed_at,
	l.attributes
FROM order_line AS l
LEFT JOIN LATERAL (
	SELECT sum(w.remaining) AS waiting
	FROM backorder AS w
	WHERE w.order_id = l.order_id AND w.line_no = l.line_no AND w.outcome IS NULL
) AS b ON true
WHERE l.cancelled + l.shipped < l.quantity
	AND NOT l.on_hold
	AND l.quantity - l.cancelled - l.shipped > coalesce(b.waiting, 0);

COMMENT ON VIEW ready_to_ship IS 'Order lines with allocated units: what a warehouse can pick now.';
COMMENT ON COLUMN ready_to_ship.order_id IS 'Order.';
COMMENT ON COLUMN ready_to_ship.line_no IS 'Line of the order.';
COMMENT ON COLUMN ready_to_ship.item IS 'Item.';
COMMENT ON COLUMN ready_to_ship.location IS 'Location the units are at.';
COMMENT ON COLUMN ready_to_ship.customer IS 'Customer.';
COMMENT ON COLUMN ready_to_ship.allocated IS 'Stock units that can be shipped.';
COMMENT ON COLUMN ready_to_ship.backordered IS 'Stock units of the line that still wait.';
COMMENT ON COLUMN ready_to_ship.firm IS 'Stock units of allocated that nobody takes away, such as those already picked.';
COMMENT ON COLUMN ready_to_ship.order_ready IS 'True where no line of the order waits: it can leave in one shipment.';
COMMENT ON COLUMN ready_to_ship.priority IS 'The line''s own priority.';
COMMENT ON COLUMN ready_to_ship.required_by IS 'When the customer wants it.';
COMMENT ON COLUMN ready_to_ship.placed_at IS 'When the order was placed.';
COMMENT ON COLUMN ready_to_ship.attributes IS 'Attributes of the line.';
