/*
 * Supply that is expected, and how suppliers keep what they promise.  These are
 * sums over what the ledger's owner sees, like the view stock.
 */
CREATE OR REPLACE VIEW supplier_performance AS
SELECT
	p.supplier,
	p.item,
	count(*) AS orders,
	count(*) FILTER (WHERE p.finished) AS orders_finished,
	sum(p.first_quantity) AS units_promised,
	sum(p.quantity) AS units_ordered,
	sum(p.received) AS units_received,
	sum(p.cancelled) AS units_cancelled,
	sum(p.open) AS units_open,
	sum(p.received) FILTER (WHERE p.finished) / sum(p.first_quantity) FILTER (WHERE p.finished) AS quantity_ratio,
	count(*) FILTER (WHERE p.on_time) AS orders_on_time,
	count(*) FILTER (WHERE NOT p.on_time) AS orders_late,
	count(*) FILTER (WHERE p.on_time) / nullif(count(p.on_time), 0)::numeric AS on_time_ratio,
	count(*) FILTER (WHERE p.expected_at <> p.first_expected_at) AS orders_moved,
	avg(extract(epoch FROM p.first_expected_at - p.ordered_at) / 86400) AS promised_lead_days,
	avg(extract(epoch FROM p.last_received_at - p.ordered_at) / 86400) FILTER (WHERE p.finished) AS actual_lead_days,
	avg(extract(epoch FROM p.last_received_at - p.first_expected_at) / 86400) FILTER (WHERE p.finished) AS average_days_late,
	max(p.last_received_at) AS last_received_at
FROM (
	SELECT
		n.*,
		greatest(n.quantity - n.cancelled - n.received, 0) AS open,
		n.received + n.cancelled >= n.quantity AS finished,
		CASE
			WHEN n.received + n.cancelled >= n.quantity THEN (n.last_received_at AT TIME ZONE s.time_zone)::date <= first.day
			/* what is still to come is late from the day after the one promised */
			WHEN first.day < (now() AT TIME ZONE s.time_zone)::date THEN false
		END AS on_time
	FROM inbound AS n
	CROSS JOIN ledger AS s
	CROSS JOIN LATERAL (SELECT (n.first_expected_at AT TIME ZONE s.time_zone)::date AS day) AS first
) AS p
GROUP BY p.supplier, p.item;

COMMENT ON VIEW supplier_performance IS 'What suppliers promised first and what came of it, per supplier and item. An order is one row of inbound; days are calendar days of the ledger where on time and late are told apart, else of 24 hours.';
COMMENT ON COLUMN supplier_performance.supplier IS 'Supplier; NULL: none was named.';
COMMENT ON COLUMN supplier_performance.item IS 'Item.';
COMMENT ON COLUMN supplier_performance.orders IS 'Number of orders.';
COMMENT ON COLUMN supplier_performance.orders_finished IS 'Of which nothing is open: the orders by which quantity_ratio, actual_lead_days and average_days_late are measured.';
COMMENT ON COLUMN supplier_performance.units_promised IS 'Stock units first promised.';
COMMENT ON COLUMN supplier_performance.units_ordered IS 'Stock units ordered as the orders say now.';
COMMENT ON COLUMN supplier_performance.units_received IS 'Stock units that came.';
COMMENT ON COLUMN supplier_performance.units_cancelled IS 'Stock units that will not come.';
COMMENT ON COLUMN supplier_performance.units_open IS 'Stock units still to come.';
COMMENT ON COLUMN supplier_performance.quantity_ratio IS 'Units that came / units first promised, of finished orders; above 1 more came.';
COMMENT ON COLUMN supplier_performance.orders_on_time IS 'Finished orders whose last units came on the first day promised or before it. One that was cancelled before anything came is neither on time nor late.';
COMMENT ON COLUMN supplier_performance.orders_late IS 'Finished orders whose last units came later, and orders with open units whose first day promised is over.';
COMMENT ON COLUMN supplier_performance.on_time_ratio IS 'Share of orders on time: orders_on_time / (orders_on_time + orders_late).';
COMMENT ON COLUMN supplier_performance.orders_moved IS 'Orders whose date is another now than the first one promised.';
COMMENT ON COLUMN supplier_performance.promised_lead_days IS 'Mean days from order to the first date promised.';
COMMENT ON COLUMN supplier_performance.actual_lead_days IS 'Mean days from order to the last units, of finished orders.';
COMMENT ON COLUMN supplier_performance.average_days_late IS 'Mean days from the first date promised to the last units, of finished orders; below 0 they came early.';
COMMENT ON COLUMN supplier_performance.last_received_at IS 'When something came last.';

/*
 * Who waits for an overdue delivery is told by cumulative sums: supply in the
 * order in which it was expected, and the queue in its own.  A backorder waits for
 * a delivery where its units and those of the delivery overlap.  Both are put on
 * one scale and counted in one sort, whatever the number of either.
 */
CREATE OR REPLACE VIEW late_inbound AS
WITH late AS (
	SELECT n.inbound_id, n.item, n.location, n.supplier, n.reference, n.expected_at, n.first_expected_at,
		n.quantity - n.cancelled - n.received AS open,
		sum(n.quantity - n.cancelled - n.received) OVER (
			PARTITION BY n.item, n.location ORDER BY n.expected_at, n.inbound_id
		) + coalesce((
			SELECT sum(s.available) FROM stock_slot AS s
			WHERE s.item = n.item AND s.location = n.location AND NOT i.auto_allocate
		), 0) AS upto
	FROM inbound AS n
	JOIN item AS i ON i.item = n.item
	WHERE n.received + n.cancelled < n.quantity AND n.expected_at < now()
),
waiting AS (
	SELECT b.item, b.location, b.remaining,
		sum(b.remaining) OVER (
			PARTITION BY b.item, b.location ORDER BY b.priority DESC, b.rank_at, b.backorder_id ROWS UNBOUNDED PRECEDING
		) AS upto
	FROM backorder AS b
	WHERE b.closed_at IS NULL AND (b.item, b.location) IN (SELECT item, location FROM late)
),
begun AS (
	/* backorders whose units begin before the delivery ends */
	SELECT inbound_id, count(remaining) OVER scale AS backorders, max(upto) OVER (PARTITION BY item, location) AS waiting
	FROM (
		SELECT item, location, inbound_id, upto AS at, NULL::numeric AS remaining, NULL::numeric AS upto FROM late
		UNION ALL
		SELECT item, location, NULL::bigint, upto - remaining, remaining, upto FROM waiting
	) AS point
	WINDOW scale AS (PARTITION BY item, location ORDER BY at, inbound_id NULLS LAST ROWS UNBOUNDED PRECEDING)
),
ended AS (
	/* backorders whose units end before the delivery begins */
	SELECT inbound_id, count(remaining) OVER scale AS backorders
	FROM (
		SELECT item, location, inbound_id, upto - open AS at, NULL::numeric AS remaining FROM late
		UNION ALL
		SELECT item, location, NULL::bigint, upto, remaining FROM waiting
	) AS point
	WINDOW scale AS (PARTITION BY item, location ORDER BY at, inbound_id NULLS FIRST ROWS UNBOUNDED PRECEDING)
)
SELECT
	l.inbound_id,
	l.item,
	l.location,
	l.supplier,
	l.reference,
	l.open,
	l.expected_at,
	l.first_expected_at,
	extract(epoch FROM now() - l.expected_at) / 86400 AS days_late,
	greatest(least(l.upto, coalesce(b.waiting, 0)) - (l.upto - l.open), 0) AS units_waiting,
	b.backorders - e.backorders AS backorders_waiting
FROM late AS l
JOIN begun AS b ON b.inbound_id = l.inbound_id
JOIN ended AS e ON e.inbound_id = l.inbound_id;

COMMENT ON VIEW late_inbound IS 'Deliveries that should have come, with who waits for them: the view to call suppliers by.';
COMMENT ON COLUMN late_inbound.inbound_id IS 'Row of inbound.';
COMMENT ON COLUMN late_inbound.item IS 'Item expected.';
COMMENT ON COLUMN late_inbound.location IS 'Location it is expected at.';
COMMENT ON COLUMN late_inbound.supplier IS 'Who delivers.';
COMMENT ON COLUMN late_inbound.reference IS 'Number of the purchase order or other document.';
COMMENT ON COLUMN late_inbound.open IS 'Stock units that have not come.';
COMMENT ON COLUMN late_inbound.expected_at IS 'When they should have.';
COMMENT ON COLUMN late_inbound.first_expected_at IS 'The first date the supplier promised.';
COMMENT ON COLUMN late_inbound.days_late IS 'Days of 24 hours since expected_at.';
COMMENT ON COLUMN late_inbound.units_waiting IS 'Of the open units, those that will go to lines that wait now.';
COMMENT ON COLUMN late_inbound.backorders_waiting IS 'Number of backorders that will get them, each wholly or partly.';

/*
 * What comes, and what is asked for, by time.  What has its time behind it counts
 * as now: available stock, the queue, overdue deliveries and held lines that are
 * due.  UNION ALL, so that a condition on item and location reaches the index of
 * each table.
 */
CREATE OR REPLACE VIEW supply_and_demand AS
SELECT item, location, at, sum(supply) AS supply, sum(demand) AS demand
FROM (
	SELECT item, location, now() AS at, available AS supply, backordered AS demand
	FROM stock_slot
	UNION ALL
	SELECT item, location, greatest(expected_at, now()), quantity - cancelled - received, 0
	FROM inbound
	WHERE received + cancelled < quantity AND expected_at IS NOT NULL
	UNION ALL
	SELECT item, location, greatest(not_before, now()), 0, quantity - cancelled - shipped
	FROM order_line
	WHERE on_hold AND not_before < 'infinity' AND cancelled + shipped < quantity
) AS part
GROUP BY item, location, at;

COMMENT ON VIEW supply_and_demand IS 'What comes and what is asked for, per item, location and time: stock that is available and dated inbound supply on one side, the queue and lines on hold until a date on the other.';
COMMENT ON COLUMN supply_and_demand.item IS 'Item.';
COMMENT ON COLUMN supply_and_demand.location IS 'Location.';
COMMENT ON COLUMN supply_and_demand.at IS 'When; now for what is there, waits or is overdue.';
COMMENT ON COLUMN supply_and_demand.supply IS 'Stock units that come then, or are available.';
COMMENT ON COLUMN supply_and_demand.demand IS 'Stock units asked for then, or waited for.';
