/*
 * The queue.  Place and units ahead are counted over the table alone: rows of
 * other customers, which row security on order_line may hide from a reader,
 * stand in the queue all the same.  Conditions on item and location reach the
 * index of the queue.
 */
CREATE OR REPLACE VIEW open_backorder WITH (security_invoker = true) AS
SELECT
	q.backorder_id,
	q.order_id,
	q.line_no,
	q.item,
	q.location,
	l.customer,
	q.cause,
	q.quantity,
	q.quantity - q.remaining - q.cancelled AS filled,
	q.cancelled,
	q.remaining,
	q.remaining * coalesce(l.unit_price, i.unit_price) AS value,
	q.priority,
	q.rank_at,
	q.rules,
	q.position,
	q.units_ahead,
	q.opened_at,
	greatest(now() - q.opened_at, '0') AS age,
	extract(epoch FROM greatest(now() - q.opened_at, '0')) / 86400 AS age_days,
	l.required_by,
	l.demand_class,
	l.attributes,
	backorder.expected_at('order_line'::regclass, q.item, q.location, q.backorder_id, q.units_ahead + q.remaining, q.opened_at) AS expected_at,
	backorder.expected_basis('order_line'::regclass, q.item, q.location, q.backorder_id, q.units_ahead + q.remaining, q.opened_at) AS expected_basis,
	q.promised_at,
	q.promise_basis,
	q.first_promised_at,
	CASE WHEN q.promised_at IS NOT NULL THEN extract(epoch FROM greatest(now() - q.promised_at, '0')) / 86400 END AS days_late
FROM (
	SELECT
		w.backorder_id, w.order_id, w.line_no, w.item, w.location, w.quantity, w.remaining, w.cancelled, w.cause,
		w.priority, w.rank_at, w.rules, w.opened_at, w.promised_at, w.promise_basis, w.first_promised_at,
		row_number() OVER queue AS position,
		sum(w.remaining) OVER queue - w.remaining AS units_ahead
	FROM backorder AS w
	WHERE w.closed_at IS NULL
	WINDOW queue AS (
		PARTITION BY w.item, w.location
		ORDER BY w.priority DESC, w.rank_at, w.backorder_id
		ROWS UNBOUNDED PRECEDING
	)
) AS q
JOIN order_line AS l ON l.order_id = q.order_id AND l.line_no = q.line_no
LEFT JOIN item AS i ON i.item = q.item;

COMMENT ON VIEW open_backorder IS 'Backorders that wait: how long, worth how much, and where in the queue of their item and location.';
COMMENT ON COLUMN open_backorder.backorder_id IS 'Number of the backorder.';
COMMENT ON COLUMN open_backorder.order_id IS 'Order.';
COMMENT ON COLUMN open_backorder.line_no IS 'Line of the order.';
COMMENT ON COLUMN open_backorder.item IS 'Item.';
COMMENT ON COLUMN open_backorder.location IS 'Location.';
COMMENT ON COLUMN open_backorder.customer IS 'Customer.';
COMMENT ON COLUMN open_backorder.cause IS 'Why it was opened: entry, raise, release, move, loss or reallocated.';
COMMENT ON COLUMN open_backorder.quantity IS 'Stock units it was opened with.';
COMMENT ON COLUMN open_backorder.filled IS 'Stock units of these that have come.';
COMMENT ON COLUMN open_backorder.cancelled IS 'Stock units of these that were given up.';
COMMENT ON COLUMN open_backorder.remaining IS 'Stock units of these that still wait.';
COMMENT ON COLUMN open_backorder.value IS 'Remaining x unit price (the line''s or else the item''s), in the currency of the prices.';
COMMENT ON COLUMN open_backorder.priority IS 'Priority by the rules and the line: higher is served first.';
COMMENT ON COLUMN open_backorder.rank_at IS 'Within one priority, earlier is served first: the time the turn counts from, less head starts.';
COMMENT ON COLUMN open_backorder.rules IS 'Names of the priority rules that matched.';
COMMENT ON COLUMN open_backorder.position IS 'Place in the queue of the item at the location, from 1.';
COMMENT ON COLUMN open_backorder.units_ahead IS 'Stock units that backorders before it wait for.';
COMMENT ON COLUMN open_backorder.opened_at IS 'When it was opened.';
COMMENT ON COLUMN open_backorder.age IS 'Time since then.';
COMMENT ON COLUMN open_backorder.age_days IS 'The same in days of 24 hours.';
COMMENT ON COLUMN open_backorder.required_by IS 'When the customer wants it.';
COMMENT ON COLUMN open_backorder.demand_class IS 'Kind of demand.';
COMMENT ON COLUMN open_backorder.attributes IS 'Attributes of the line.';
COMMENT ON COLUMN open_backorder.expected_at IS 'When its last unit can be expected as queue and inbound are now; with basis unknown: not before; NULL: nothing is known.';
COMMENT ON COLUMN open_backorder.expected_basis IS 'What expected_at rests on: stock, inbound, lead time, unknown.';
COMMENT ON COLUMN open_backorder.promised_at IS 'The date that was promised last; NULL: none.';
COMMENT ON COLUMN open_backorder.promise_basis IS 'What that promise rests on: stock, inbound, lead time, unknown.';
COMMENT ON COLUMN open_backorder.first_promised_at IS 'The date that was promised first; NULL: none yet.';
COMMENT ON COLUMN open_backorder.days_late IS 'Days of 24 hours since promised_at; 0: it has not passed; NULL: no promise.';

/* A bucket is a range of whole days waited: 7 days and 23 hours are still 7. */
CREATE OR REPLACE VIEW backorder_aging AS
SELECT
	a.bucket,
	a.from_days,
	a.to_days,
	count(w.backorder_id) AS backorders,
	coalesce(sum(w.remaining), 0) AS units,
	coalesce(sum(w.value), 0) AS value
FROM (VALUES
	('0-7 days', 0, 7),
	('8-14 days', 8, 14),
	('15-30 days', 15, 30),
	('31-60 days', 31, 60),
	('over 60 days', 61, NULL)
) AS a (bucket, from_days, to_days)
LEFT JOIN (
	SELECT b.backorder_id, b.remaining, b.remaining * coalesce(l.unit_price, i.unit_price) AS value,
		floor(extract(epoch FROM greatest(now() - b.opened_at, '0')) / 86400) AS age_days
	FROM backorder AS b
	JOIN order_line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no
	LEFT JOIN item AS i ON i.item = b.item
	WHERE b.closed_at IS NULL
) AS w ON w.age_days >= a.from_days AND (w.age_days <= a.to_days OR a.to_days IS NULL)
GROUP BY a.bucket, a.from_days, a.to_days
ORDER BY a.from_days;

COMMENT ON VIEW backorder_aging IS 'Open backorders by age; every bucket is shown.';
COMMENT ON COLUMN backorder_aging.bucket IS 'Name of the bucket.';
COMMENT ON COLUMN backorder_aging.from_days IS 'Its least age in whole days of 24 hours.';
COMMENT ON COLUMN backorder_aging.to_days IS 'Its greatest age in whole days; NULL: no end.';
COMMENT ON COLUMN backorder_aging.backorders IS 'Number of open backorders.';
COMMENT ON COLUMN backorder_aging.units IS 'Stock units they wait for.';
COMMENT ON COLUMN backorder_aging.value IS 'Those units x unit price, where there is a price, in the currency of the prices.';

CREATE OR REPLACE VIEW shortage AS
SELECT
	s.item,
	i.description,
	s.location,
	s.units,
	s.value,
	s.backorders,
	s.orders,
	s.customers,
	s.oldest_opened_at,
	extract(epoch FROM greatest(now() - s.oldest_opened_at, '0')) / 86400 AS oldest_age_days,
	n.expected_at AS next_inbound_at,
	n.units AS next_inbound_units,
	coalesce((
		SELECT sum(t.quantity - t.cancelled - t.received)
		FROM inbound AS t
		WHERE t.item = s.item AND t.location = s.location AND t.received + t.cancelled < t.quantity
	), 0) AS inbound_units
FROM (
	SELECT
		b.item,
		b.location,
		sum(b.remaining) AS units,
		sum(b.remaining * coalesce(l.unit_price, p.unit_price)) AS value,
		count(*) AS backorders,
		count(DISTINCT b.order_id) AS orders,
		count(DISTINCT l.customer) AS customers,
		min(b.opened_at) AS oldest_opened_at
	FROM backorder AS b
	JOIN order_line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no
	LEFT JOIN item AS p ON p.item = b.item
	WHERE b.closed_at IS NULL
	GROUP BY b.item, b.location
) AS s
LEFT JOIN item AS i ON i.item = s.item
LEFT JOIN LATERAL (
	SELECT t.expected_at, sum(t.quantity - t.cancelled - t.received) AS units
	FROM inbound AS t
	WHERE t.item = s.item AND t.location = s.location AND t.received + t.cancelled < t.quantity AND t.expected_at IS NOT NULL
	GROUP BY t.expected_at
	ORDER BY t.expected_at
	LIMIT 1
) AS n ON true;

COMMENT ON VIEW shortage IS 'What is short, per item and location: a planner''s first screen.';
COMMENT ON COLUMN shortage.item IS 'Item.';
COMMENT ON COLUMN shortage.description IS 'Its description.';
COMMENT ON COLUMN shortage.location IS 'Location.';
COMMENT ON COLUMN shortage.units IS 'Stock units that order lines wait for.';
COMMENT ON COLUMN shortage.value IS 'Those units x unit price, where there is a price, in the currency of the prices.';
COMMENT ON COLUMN shortage.backorders IS 'Number of open backorders.';
COMMENT ON COLUMN shortage.orders IS 'Number of orders that wait.';
COMMENT ON COLUMN shortage.customers IS 'Number of customers that wait, where orders name one.';
COMMENT ON COLUMN shortage.oldest_opened_at IS 'When the oldest of the backorders was opened.';
COMMENT ON COLUMN shortage.oldest_age_days IS 'Its age in days of 24 hours.';
COMMENT ON COLUMN shortage.next_inbound_at IS 'When the next delivery is expected; NULL: none has a date.';
COMMENT ON COLUMN shortage.next_inbound_units IS 'Stock units expected then.';
COMMENT ON COLUMN shortage.inbound_units IS 'Stock units expected in all, also without a date.';
