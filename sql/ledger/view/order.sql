/*
 * One row per order.  Lines and open backorders are added up side by side, so
 * that a condition on order_id reaches both indexes and a list of all orders
 * needs no lookup per line.
 */
CREATE OR REPLACE VIEW order_status WITH (security_invoker = true) AS
SELECT
	order_id,
	customer,
	placed_at,
	required_by,
	lines,
	lines_on_hold,
	quantity,
	open - backordered AS allocated,
	backordered,
	shipped,
	cancelled,
	open > 0 AND backordered = 0 AS ready,
	CASE
		WHEN open > 0 AND backordered = 0 THEN 'allocated'
		WHEN open > backordered THEN 'partly backordered'
		WHEN open > 0 THEN 'backordered'
		WHEN lines_on_hold > 0 THEN 'on hold'
		WHEN shipped > 0 THEN 'shipped'
		ELSE 'cancelled'
	END AS state,
	value
FROM (
	SELECT
		order_id,
		min(customer) AS customer,
		min(placed_at) AS placed_at,
		min(required_by) AS required_by,
		count(line_no) AS lines,
		count(line_no) FILTER (WHERE on_hold AND cancelled + shipped < quantity) AS lines_on_hold,
		sum(quantity) AS quantity,
		coalesce(sum(quantity - cancelled - shipped) FILTER (WHERE NOT on_hold), 0) AS open,
		sum(waiting) AS backordered,
		sum(shipped) AS shipped,
		sum(cancelled) AS cancelled,
		sum(value) AS value
	FROM (
		SELECT l.order_id, l.line_no, l.customer, l.placed_at, l.required_by, l.on_hold, l.quantity, l.cancelled, l.shipped,
			0::numeric AS waiting, l.quantity * coalesce(l.unit_price, i.unit_price) AS value
		FROM order_line AS l
		LEFT JOIN item AS i ON i.item = l.item
		UNION ALL
		SELECT order_id, NULL::bigint AS line_no, NULL::text AS customer, NULL::timestamptz AS placed_at, NULL::timestamptz AS required_by,
			NULL::boolean AS on_hold, 0 AS quantity, 0 AS cancelled, 0 AS shipped, remaining AS waiting, NULL::numeric AS value
		FROM backorder
		WHERE closed_at IS NULL
	) AS part
	GROUP BY order_id
	HAVING count(line_no) > 0
) AS total;

COMMENT ON VIEW order_status IS 'Orders: the sums over their lines, and whether they can leave whole.';
COMMENT ON COLUMN order_status.order_id IS 'Order.';
COMMENT ON COLUMN order_status.customer IS 'Customer; where lines name several, the first in the alphabet.';
COMMENT ON COLUMN order_status.placed_at IS 'When the first line was placed.';
COMMENT ON COLUMN order_status.required_by IS 'The earliest required_by of its lines.';
COMMENT ON COLUMN order_status.lines IS 'Number of lines.';
COMMENT ON COLUMN order_status.lines_on_hold IS 'Lines of these that are on hold: no demand.';
COMMENT ON COLUMN order_status.quantity IS 'Stock units ordered, over all lines.';
COMMENT ON COLUMN order_status.allocated IS 'Stock units on hand that are the order''s.';
COMMENT ON COLUMN order_status.backordered IS 'Stock units the order waits for.';
COMMENT ON COLUMN order_status.shipped IS 'Stock units shipped.';
COMMENT ON COLUMN order_status.cancelled IS 'Stock units cancelled.';
COMMENT ON COLUMN order_status.ready IS 'True where something is open and all that is open is allocated. Lines on hold do not count.';
COMMENT ON COLUMN order_status.state IS 'State: allocated, partly backordered, backordered; with nothing open: on hold, shipped (where any was), cancelled.';
COMMENT ON COLUMN order_status.value IS 'Quantity x unit price, over the lines that have a price, in the currency of the prices.';
