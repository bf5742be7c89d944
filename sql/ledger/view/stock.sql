/*
 * What is where.  UNION ALL rather than joins: a condition on item or location
 * reaches the index of each table, and a place that has only an expected delivery
 * has its row.  Nobody goes along a queue to know its length.
 */
CREATE OR REPLACE VIEW stock AS
SELECT
	item,
	location,
	sum(available) + sum(allocated) AS on_hand,
	sum(allocated) AS allocated,
	sum(available) AS available,
	sum(backordered) AS backordered,
	sum(inbound) AS inbound,
	min(expected_at) AS next_inbound_at
FROM (
	SELECT item, location, available, allocated, backordered, 0::numeric AS inbound, NULL::timestamptz AS expected_at
	FROM stock_slot
	UNION ALL
	SELECT item, location, 0, 0, 0, quantity - cancelled - received, expected_at
	FROM inbound
	WHERE received + cancelled < quantity
) AS part
GROUP BY item, location;

COMMENT ON VIEW stock IS 'Stock of each item at each location, with what waits for it and what is on its way.';
COMMENT ON COLUMN stock.item IS 'Item.';
COMMENT ON COLUMN stock.location IS 'Location.';
COMMENT ON COLUMN stock.on_hand IS 'Stock units that are there: allocated + available.';
COMMENT ON COLUMN stock.allocated IS 'Stock units on hand that belong to order lines.';
COMMENT ON COLUMN stock.available IS 'Stock units on hand that belong to nobody.';
COMMENT ON COLUMN stock.backordered IS 'Stock units that order lines wait for.';
COMMENT ON COLUMN stock.inbound IS 'Stock units expected and not yet received.';
COMMENT ON COLUMN stock.next_inbound_at IS 'When the next of them are expected; NULL where none has a date.';
