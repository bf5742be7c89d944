/*
 * What the figures count, one row per line, order, episode of waiting, and
 * fill.  The numbers can be summed at any grain; a ratio is a quotient of sums.
 * Columns that nobody asks for cost nothing: their lookups are left out of the plan.
 */
CREATE OR REPLACE VIEW line_fact WITH (security_invoker = true) AS
SELECT
	l.order_id,
	l.line_no,
	coalesce(l.entered_at, greatest(l.placed_at, l.not_before)) AS entered_at,
	(coalesce(l.entered_at, greatest(l.placed_at, l.not_before)) AT TIME ZONE (SELECT time_zone FROM ledger))::date AS entered_on,
	l.item,
	l.location,
	l.customer,
	l.demand_class,
	l.attributes,
	1 AS lines,
	CASE WHEN l.backordered_at_entry = 0 THEN 1 ELSE 0 END AS lines_filled,
	CASE WHEN l.backordered_at_entry = 0 THEN 0 ELSE 1 END AS lines_backordered,
	coalesce(l.entered_quantity, l.quantity) AS units,
	coalesce(l.entered_quantity, l.quantity) - l.backordered_at_entry AS units_filled,
	l.backordered_at_entry AS units_backordered,
	coalesce(l.entered_quantity, l.quantity) * coalesce(l.unit_price, i.unit_price) AS value,
	l.backordered_at_entry * coalesce(l.unit_price, i.unit_price) AS value_backordered,
	l.shipped AS units_shipped,
	l.cancelled AS units_cancelled,
	CASE WHEN l.cancelled + l.shipped >= l.quantity THEN (
		SELECT max(j.happened_at)
		FROM journal AS j
		WHERE j.order_id = l.order_id AND j.line_no = l.line_no
			AND j.kind IN ('shipped', 'cancelled', 'released')
			AND j.cause <> 'move' AND (j.cause <> 'hold' OR l.on_hold)
	) END AS completed_at
FROM order_line AS l
LEFT JOIN item AS i ON i.item = l.item
WHERE NOT l.on_hold OR l.entered_at IS NOT NULL;

COMMENT ON VIEW line_fact IS 'One row per order line that has entered as demand, of any demand class. Sum the counts and units at any grain.';
COMMENT ON COLUMN line_fact.order_id IS 'Order.';
COMMENT ON COLUMN line_fact.line_no IS 'Line of the order.';
COMMENT ON COLUMN line_fact.entered_at IS 'When the line first became demand.';
COMMENT ON COLUMN line_fact.entered_on IS 'That day, in the ledger''s time zone.';
COMMENT ON COLUMN line_fact.item IS 'Item.';
COMMENT ON COLUMN line_fact.location IS 'Location of the line, as it is now.';
COMMENT ON COLUMN line_fact.customer IS 'Customer.';
COMMENT ON COLUMN line_fact.demand_class IS 'Kind of demand. The figures count regular ones.';
COMMENT ON COLUMN line_fact.attributes IS 'Attributes of the line.';
COMMENT ON COLUMN line_fact.lines IS 'Always 1.';
COMMENT ON COLUMN line_fact.lines_filled IS 'One where nothing was short at entry, otherwise 0.';
COMMENT ON COLUMN line_fact.lines_backordered IS 'One where something was short at entry, otherwise 0.';
COMMENT ON COLUMN line_fact.units IS 'Stock units at entry. Later changes of the quantity do not count.';
COMMENT ON COLUMN line_fact.units_filled IS 'Stock units of these that were in stock at entry.';
COMMENT ON COLUMN line_fact.units_backordered IS 'Stock units of these that were short at entry.';
COMMENT ON COLUMN line_fact.value IS 'Units x unit price (the line''s or else the item''s); NULL: no price.';
COMMENT ON COLUMN line_fact.value_backordered IS 'Units short at entry x unit price; NULL: no price.';
COMMENT ON COLUMN line_fact.units_shipped IS 'Stock units shipped so far.';
COMMENT ON COLUMN line_fact.units_cancelled IS 'Stock units cancelled so far.';
COMMENT ON COLUMN line_fact.completed_at IS 'When the last open unit was shipped, cancelled or given up; NULL while any is open.';

CREATE OR REPLACE VIEW order_fact WITH (security_invoker = true) AS
SELECT
	order_id,
	entered_at,
	(entered_at AT TIME ZONE (SELECT time_zone FROM ledger))::date AS entered_on,
	customer,
	demand_class,
	1 AS orders,
	CASE WHEN lines_backordered = 0 THEN 1 ELSE 0 END AS orders_filled,
	CASE WHEN lines_backordered = 0 THEN 0 ELSE 1 END AS orders_backordered,
	lines,
	lines_filled,
	lines_backordered,
	units,
	units_filled,
	units_backordered,
	value,
	value_backordered,
	units_shipped,
	units_cancelled
FROM (
	SELECT
		order_id,
		demand_class,
		min(entered_at) AS entered_at,
		min(customer) AS customer,
		sum(lines) AS lines,
		sum(lines_filled) AS lines_filled,
		sum(lines_backordered) AS lines_backordered,
		sum(units) AS units,
		sum(units_filled) AS units_filled,
		sum(units_backordered) AS units_backordered,
		sum(value) AS value,
		sum(value_backordered) AS value_backordered,
		sum(units_shipped) AS units_shipped,
		sum(units_cancelled) AS units_cancelled
	FROM line_fact
	GROUP BY order_id, demand_class
) AS o;

COMMENT ON VIEW order_fact IS 'One row per order, made of its lines that have entered. An order with lines of several demand classes has a row for each class.';
COMMENT ON COLUMN order_fact.order_id IS 'Order.';
COMMENT ON COLUMN order_fact.entered_at IS 'When its first line became demand.';
COMMENT ON COLUMN order_fact.entered_on IS 'That day, in the ledger''s time zone.';
COMMENT ON COLUMN order_fact.customer IS 'Customer; where lines name several, the first in the alphabet.';
COMMENT ON COLUMN order_fact.demand_class IS 'Kind of demand of the lines counted here.';
COMMENT ON COLUMN order_fact.orders IS 'Always 1.';
COMMENT ON COLUMN order_fact.orders_filled IS 'One where no line was short at entry, otherwise 0.';
COMMENT ON COLUMN order_fact.orders_backordered IS 'One where a line was short at entry, otherwise 0.';
COMMENT ON COLUMN order_fact.lines IS 'Number of lines.';
COMMENT ON COLUMN order_fact.lines_filled IS 'Lines of these of which nothing was short at entry.';
COMMENT ON COLUMN order_fact.lines_backordered IS 'Lines of these of which something was short at entry.';
COMMENT ON COLUMN order_fact.units IS 'Stock units at entry.';
COMMENT ON COLUMN order_fact.units_filled IS 'Stock units of these that were in stock at entry.';
COMMENT ON COLUMN order_fact.units_backordered IS 'Stock units of these that were short at entry.';
COMMENT ON COLUMN order_fact.value IS 'Units x unit price, over the lines that have a price.';
COMMENT ON COLUMN order_fact.value_backordered IS 'Units short at entry x unit price, over the lines that have a price.';
COMMENT ON COLUMN order_fact.units_shipped IS 'Stock units shipped so far.';
COMMENT ON COLUMN order_fact.units_cancelled IS 'Stock units cancelled so far.';

CREATE OR REPLACE VIEW backorder_fact WITH (security_invoker = true) AS
SELECT
	b.backorder_id,
	b.order_id,
	b.line_no,
	b.item,
	b.location,
	l.customer,
	l.demand_class,
	l.attributes,
	b.cause,
	b.opened_at,
	(b.opened_at AT TIME ZONE (SELECT time_zone FROM ledger))::date AS opened_on,
	b.closed_at,
	(b.closed_at AT TIME ZONE (SELECT time_zone FROM ledger))::date AS closed_on,
	b.outcome,
	1 AS backorders,
	CASE WHEN b.outcome = 'filled' THEN 1 ELSE 0 END AS backorders_filled,
	b.quantity AS units,
	b.quantity - b.remaining - b.cancelled AS filled,
	b.cancelled,
	b.remaining AS open,
	b.quantity * coalesce(l.unit_price, i.unit_price) AS value,
	extract(epoch FROM b.closed_at - b.opened_at) / 86400 AS days_waited,
	coalesce((
		SELECT sum(j.quantity * extract(epoch FROM j.happened_at - b.opened_at))
		FROM journal AS j
		WHERE j.order_id = b.order_id AND j.line_no = b.line_no AND j.backorder_id = b.backorder_id AND j.kind = 'filled'
	), 0) / 86400 AS unit_days,
	b.first_promised_at,
	(b.first_promised_at AT TIME ZONE (SELECT time_zone FROM ledger))::date AS first_promised_on,
	b.promised_at,
	(b.promised_at AT TIME ZONE (SELECT time_zone FROM ledger))::date AS promised_on,
	b.promise_basis,
	CASE WHEN b.first_promised_at <= now() AND (b.outcome <> 'filled' AND b.closed_at <= b.first_promised_at) IS NOT TRUE
		THEN 1 ELSE 0 END AS promises_due,
	CASE WHEN b.first_promised_at <= now() AND b.outcome = 'filled' AND b.closed_at <= b.first_promised_at
		THEN 1 ELSE 0 END AS promises_kept,
	CASE WHEN b.promised_at <= now() AND (b.outcome <> 'filled' AND b.closed_at <= b.promised_at) IS NOT TRUE
		THEN 1 ELSE 0 END AS last_promises_due,
	CASE WHEN b.promised_at <= now() AND b.outcome = 'filled' AND b.closed_at <= b.promised_at
		THEN 1 ELSE 0 END AS last_promises_kept,
	CASE WHEN b.first_promised_at IS NOT NULL AND b.promised_at IS NOT NULL THEN 1 ELSE 0 END AS promises_made,
	extract(epoch FROM b.promised_at - b.first_promised_at) / 86400 AS promise_slip_days
FROM backorder AS b
JOIN order_line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no
LEFT JOIN item AS i ON i.item = b.item;

COMMENT ON VIEW backorder_fact IS 'One row per backorder, open or closed, of any demand class: units = filled + cancelled + open.';
COMMENT ON COLUMN backorder_fact.backorder_id IS 'Number of the backorder.';
COMMENT ON COLUMN backorder_fact.order_id IS 'Order.';
COMMENT ON COLUMN backorder_fact.line_no IS 'Line of the order.';
COMMENT ON COLUMN backorder_fact.item IS 'Item.';
COMMENT ON COLUMN backorder_fact.location IS 'Location.';
COMMENT ON COLUMN backorder_fact.customer IS 'Customer.';
COMMENT ON COLUMN backorder_fact.demand_class IS 'Kind of demand.';
COMMENT ON COLUMN backorder_fact.attributes IS 'Attributes of the line.';
COMMENT ON COLUMN backorder_fact.cause IS 'Why it was opened: entry, raise, release, move, loss or reallocated.';
COMMENT ON COLUMN backorder_fact.opened_at IS 'When it was opened.';
COMMENT ON COLUMN backorder_fact.opened_on IS 'That day, in the ledger''s time zone.';
COMMENT ON COLUMN backorder_fact.closed_at IS 'When its last unit was filled or cancelled; NULL: open.';
COMMENT ON COLUMN backorder_fact.closed_on IS 'That day, in the ledger''s time zone.';
COMMENT ON COLUMN backorder_fact.outcome IS 'How it ended: filled (every unit came), cancelled (none did), partly filled; NULL: open.';
COMMENT ON COLUMN backorder_fact.backorders IS 'Always 1.';
COMMENT ON COLUMN backorder_fact.backorders_filled IS 'One where every unit came, otherwise 0.';
COMMENT ON COLUMN backorder_fact.units IS 'Stock units it was opened with.';
COMMENT ON COLUMN backorder_fact.filled IS 'Stock units of these that have come.';
COMMENT ON COLUMN backorder_fact.cancelled IS 'Stock units of these that were given up.';
COMMENT ON COLUMN backorder_fact.open IS 'Stock units of these that still wait.';
COMMENT ON COLUMN backorder_fact.value IS 'Units x unit price (the line''s or else the item''s); NULL: no price.';
COMMENT ON COLUMN backorder_fact.days_waited IS 'Days of 24 hours from opening to closing; NULL: open.';
COMMENT ON COLUMN backorder_fact.unit_days IS 'Sum over its fills so far of units x days from opening to fill.';
COMMENT ON COLUMN backorder_fact.first_promised_at IS 'The date that was promised first; NULL: none.';
COMMENT ON COLUMN backorder_fact.first_promised_on IS 'That day, in the ledger''s time zone.';
COMMENT ON COLUMN backorder_fact.promised_at IS 'The date that was promised last; NULL: none.';
COMMENT ON COLUMN backorder_fact.promised_on IS 'That day, in the ledger''s time zone.';
COMMENT ON COLUMN backorder_fact.promise_basis IS 'What that promise rests on: stock, inbound, lead time, unknown.';
COMMENT ON COLUMN backorder_fact.promises_due IS 'One where the first promised date has come and the backorder was not cancelled by then, otherwise 0.';
COMMENT ON COLUMN backorder_fact.promises_kept IS 'One where every unit had come by the first promised date, once that has come, otherwise 0.';
COMMENT ON COLUMN backorder_fact.last_promises_due IS 'One where the last promised date has come and the backorder was not cancelled by then, otherwise 0.';
COMMENT ON COLUMN backorder_fact.last_promises_kept IS 'One where every unit had come by the last promised date, once that has come, otherwise 0.';
COMMENT ON COLUMN backorder_fact.promises_made IS 'One where a first and a last date were promised, otherwise 0.';
COMMENT ON COLUMN backorder_fact.promise_slip_days IS 'Days of 24 hours from the first promised date to the last; NULL: no promise.';

CREATE OR REPLACE VIEW fill_fact WITH (security_invoker = true) AS
SELECT
	j.journal_id,
	j.backorder_id,
	j.order_id,
	j.line_no,
	j.item,
	j.location,
	l.customer,
	l.demand_class,
	l.attributes,
	j.cause,
	j.move_id,
	b.opened_at,
	j.happened_at AS filled_at,
	(j.happened_at AT TIME ZONE (SELECT time_zone FROM ledger))::date AS filled_on,
	j.quantity AS units,
	extract(epoch FROM j.happened_at - b.opened_at) / 86400 AS days_waited,
	j.quantity * extract(epoch FROM j.happened_at - b.opened_at) / 86400 AS unit_days
FROM journal AS j
JOIN backorder AS b ON b.backorder_id = j.backorder_id
JOIN order_line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no
WHERE j.kind = 'filled';

COMMENT ON VIEW fill_fact IS 'One row per fill: units that came to a backorder, of any demand class.';
COMMENT ON COLUMN fill_fact.journal_id IS 'Number of the journal row.';
COMMENT ON COLUMN fill_fact.backorder_id IS 'Backorder that was filled, in whole or in part.';
COMMENT ON COLUMN fill_fact.order_id IS 'Order.';
COMMENT ON COLUMN fill_fact.line_no IS 'Line of the order.';
COMMENT ON COLUMN fill_fact.item IS 'Item.';
COMMENT ON COLUMN fill_fact.location IS 'Location.';
COMMENT ON COLUMN fill_fact.customer IS 'Customer.';
COMMENT ON COLUMN fill_fact.demand_class IS 'Kind of demand.';
COMMENT ON COLUMN fill_fact.attributes IS 'Attributes of the line.';
COMMENT ON COLUMN fill_fact.cause IS 'Where the units came from: the kind of a stock move, release, allocate or reallocated.';
COMMENT ON COLUMN fill_fact.move_id IS 'Stock move that brought them, if one did.';
COMMENT ON COLUMN fill_fact.opened_at IS 'When the backorder was opened.';
COMMENT ON COLUMN fill_fact.filled_at IS 'When the units came.';
COMMENT ON COLUMN fill_fact.filled_on IS 'That day, in the ledger''s time zone.';
COMMENT ON COLUMN fill_fact.units IS 'Stock units that came.';
COMMENT ON COLUMN fill_fact.days_waited IS 'Days of 24 hours they had been waited for.';
COMMENT ON COLUMN fill_fact.unit_days IS 'Units x days waited.';
