/*
 * The figures of regular demand, each with its numerator and denominator.  A
 * group's ratio is made of the group's sums: it is never a mean of ratios.  It
 * is NULL where there was nothing to measure.  An item or customer with orders,
 * backorders or fills has lines that entered, so the lines come first.
 */
CREATE OR REPLACE VIEW kpi WITH (security_invoker = true) AS
SELECT
	coalesce(l.lines, 0) AS lines,
	coalesce(l.lines_filled, 0) AS lines_filled,
	l.line_fill_rate,
	coalesce(l.units, 0) AS units,
	coalesce(l.units_backordered, 0) AS units_backordered,
	l.fill_rate,
	coalesce(o.orders, 0) AS orders,
	coalesce(o.orders_filled, 0) AS orders_filled,
	o.order_fill_rate,
	coalesce(o.orders_backordered, 0) AS orders_backordered,
	o.backorder_rate,
	coalesce(b.opened_units, 0) AS opened_units,
	coalesce(b.opened_units_filled, 0) AS opened_units_filled,
	b.backorder_fill_rate,
	coalesce(b.opened_units_cancelled, 0) AS opened_units_cancelled,
	b.backorder_cancellation_rate,
	coalesce(b.opened_units_open, 0) AS opened_units_open,
	coalesce(b.open_unit_days, 0) AS open_unit_days,
	b.average_open_age_days,
	coalesce(b.backorders_filled, 0) AS backorders_filled,
	coalesce(b.backorders_filled_days, 0) AS backorders_filled_days,
	b.average_backorder_duration_days,
	coalesce(f.fill_units, 0) AS fill_units,
	coalesce(f.fill_unit_days, 0) AS fill_unit_days,
	f.average_days_on_backorder,
	coalesce(b.promises_due, 0) AS promises_due,
	coalesce(b.promises_kept, 0) AS promises_kept,
	b.promise_kept_rate,
	coalesce(b.last_promises_due, 0) AS last_promises_due,
	coalesce(b.last_promises_kept, 0) AS last_promises_kept,
	b.last_promise_kept_rate,
	coalesce(b.promises_made, 0) AS promises_made,
	coalesce(b.promise_slip_days, 0) AS promise_slip_days,
	b.mean_promise_slip_days
FROM (
	SELECT
		sum(lines) AS lines,
		sum(lines_filled) AS lines_filled,
		backorder.ratio(lines_filled, lines) AS line_fill_rate,
		sum(units) AS units,
		sum(units_backordered) AS units_backordered,
		backorder.fill_rate(units_backordered, units) AS fill_rate
	FROM line_fact
	WHERE demand_class = 'regular'
) AS l
CROSS JOIN (
	SELECT
		sum(orders) AS orders,
		sum(orders_filled) AS orders_filled,
		backorder.ratio(orders_filled, orders) AS order_fill_rate,
		sum(orders_backordered) AS orders_backordered,
		backorder.ratio(orders_backordered, orders) AS backorder_rate
	FROM order_fact
	WHERE demand_class = 'regular'
) AS o
CROSS JOIN (
	SELECT
		sum(units) AS opened_units,
		sum(filled) AS opened_units_filled,
		backorder.ratio(filled, units) AS backorder_fill_rate,
		sum(cancelled) AS opened_units_cancelled,
		backorder.ratio(cancelled, units) AS backorder_cancellation_rate,
		sum(open) AS opened_units_open,
		sum(open * extract(epoch FROM greatest(now() - opened_at, '0'))) / 86400 AS open_unit_days,
		backorder.weighted_average(extract(epoch FROM greatest(now() - opened_at, '0')), open) / 86400 AS average_open_age_days,
		sum(backorders_filled) AS backorders_filled,
		sum(extract(epoch FROM closed_at - opened_at)) FILTER (WHERE outcome = 'filled') / 86400 AS backorders_filled_days,
		backorder.ratio(extract(epoch FROM closed_at - opened_at), 86400) FILTER (WHERE outcome = 'filled') AS average_backorder_duration_days,
		sum(promises_due) AS promises_due,
		sum(promises_kept) AS promises_kept,
		backorder.ratio(promises_kept, promises_due) AS promise_kept_rate,
		sum(last_promises_due) AS last_promises_due,
		sum(last_promises_kept) AS last_promises_kept,
		backorder.ratio(last_promises_kept, last_promises_due) AS last_promise_kept_rate,
		sum(promises_made) AS promises_made,
		sum(promise_slip_days) AS promise_slip_days,
		backorder.ratio(promise_slip_days, 1) FILTER (WHERE promises_made = 1) AS mean_promise_slip_days
	FROM backorder_fact
	WHERE demand_class = 'regular'
) AS b
CROSS JOIN (
	SELECT
		sum(units) AS fill_units,
		sum(units * extract(epoch FROM filled_at - opened_at)) / 86400 AS fill_unit_days,
		backorder.weighted_average(extract(epoch FROM filled_at - opened_at), units) / 86400 AS average_days_on_backorder
	FROM fill_fact
	WHERE demand_class = 'regular'
) AS f;

COMMENT ON VIEW kpi IS 'The figures of all regular demand, in one row.';
COMMENT ON COLUMN kpi.lines IS 'Lines that entered.';
COMMENT ON COLUMN kpi.lines_filled IS 'Lines of these of which nothing was short at entry.';
COMMENT ON COLUMN kpi.line_fill_rate IS 'Line fill rate: lines_filled / lines.';
COMMENT ON COLUMN kpi.units IS 'Stock units of the lines that entered.';
COMMENT ON COLUMN kpi.units_backordered IS 'Stock units of these that were short at entry.';
COMMENT ON COLUMN kpi.fill_rate IS 'Fill rate: 1 - units_backordered / units.';
COMMENT ON COLUMN kpi.orders IS 'Orders whose first line entered.';
COMMENT ON COLUMN kpi.orders_filled IS 'Orders of these of which no line was short at entry.';
COMMENT ON COLUMN kpi.order_fill_rate IS 'Order fill rate: orders_filled / orders.';
COMMENT ON COLUMN kpi.orders_backordered IS 'Orders of these of which a line was short at entry.';
COMMENT ON COLUMN kpi.backorder_rate IS 'Backorder rate: orders_backordered / orders.';
COMMENT ON COLUMN kpi.opened_units IS 'Stock units of the backorders opened.';
COMMENT ON COLUMN kpi.opened_units_filled IS 'Stock units of these that have come, whenever they came.';
COMMENT ON COLUMN kpi.backorder_fill_rate IS 'Backorder fill rate: opened_units_filled / opened_units.';
COMMENT ON COLUMN kpi.opened_units_cancelled IS 'Stock units of opened_units that were given up.';
COMMENT ON COLUMN kpi.backorder_cancellation_rate IS 'Backorder cancellation rate: opened_units_cancelled / opened_units.';
COMMENT ON COLUMN kpi.opened_units_open IS 'Stock units of opened_units that still wait: while there are any, the two rates above are not final.';
COMMENT ON COLUMN kpi.open_unit_days IS 'Sum of these units x days of 24 hours since opening.';
COMMENT ON COLUMN kpi.average_open_age_days IS 'Mean age of what waits: open_unit_days / opened_units_open.';
COMMENT ON COLUMN kpi.backorders_filled IS 'Backorders filled completely and closed.';
COMMENT ON COLUMN kpi.backorders_filled_days IS 'Sum of their days of 24 hours from opening to closing.';
COMMENT ON COLUMN kpi.average_backorder_duration_days IS 'Mean duration of a backorder: backorders_filled_days / backorders_filled.';
COMMENT ON COLUMN kpi.fill_units IS 'Stock units that came to backorders, whenever these were opened.';
COMMENT ON COLUMN kpi.fill_unit_days IS 'Sum of these units x days of 24 hours they had been waited for.';
COMMENT ON COLUMN kpi.average_days_on_backorder IS 'Mean days a unit waited: fill_unit_days / fill_units.';
COMMENT ON COLUMN kpi.promises_due IS 'Backorders whose first promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi.promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi.promise_kept_rate IS 'Promise kept rate, against the first promise: promises_kept / promises_due.';
COMMENT ON COLUMN kpi.last_promises_due IS 'Backorders whose last promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi.last_promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi.last_promise_kept_rate IS 'Promise kept rate, against the last promise: last_promises_kept / last_promises_due.';
COMMENT ON COLUMN kpi.promises_made IS 'Backorders opened to which a date was promised.';
COMMENT ON COLUMN kpi.promise_slip_days IS 'Sum of their days of 24 hours from the first promised date to the last.';
COMMENT ON COLUMN kpi.mean_promise_slip_days IS 'Mean slip of a promise: promise_slip_days / promises_made.';

CREATE OR REPLACE VIEW kpi_by_item WITH (security_invoker = true) AS
SELECT
	item,
	coalesce(l.lines, 0) AS lines,
	coalesce(l.lines_filled, 0) AS lines_filled,
	l.line_fill_rate,
	coalesce(l.units, 0) AS units,
	coalesce(l.units_backordered, 0) AS units_backordered,
	l.fill_rate,
	coalesce(b.opened_units, 0) AS opened_units,
	coalesce(b.opened_units_filled, 0) AS opened_units_filled,
	b.backorder_fill_rate,
	coalesce(b.opened_units_cancelled, 0) AS opened_units_cancelled,
	b.backorder_cancellation_rate,
	coalesce(b.opened_units_open, 0) AS opened_units_open,
	coalesce(b.open_unit_days, 0) AS open_unit_days,
	b.average_open_age_days,
	coalesce(b.backorders_filled, 0) AS backorders_filled,
	coalesce(b.backorders_filled_days, 0) AS backorders_filled_days,
	b.average_backorder_duration_days,
	coalesce(f.fill_units, 0) AS fill_units,
	coalesce(f.fill_unit_days, 0) AS fill_unit_days,
	f.average_days_on_backorder,
	coalesce(b.promises_due, 0) AS promises_due,
	coalesce(b.promises_kept, 0) AS promises_kept,
	b.promise_kept_rate,
	coalesce(b.last_promises_due, 0) AS last_promises_due,
	coalesce(b.last_promises_kept, 0) AS last_promises_kept,
	b.last_promise_kept_rate,
	coalesce(b.promises_made, 0) AS promises_made,
	coalesce(b.promise_slip_days, 0) AS promise_slip_days,
	b.mean_promise_slip_days
FROM (
	SELECT
		item,
		sum(lines) AS lines,
		sum(lines_filled) AS lines_filled,
		backorder.ratio(lines_filled, lines) AS line_fill_rate,
		sum(units) AS units,
		sum(units_backordered) AS units_backordered,
		backorder.fill_rate(units_backordered, units) AS fill_rate
	FROM line_fact
	WHERE demand_class = 'regular'
	GROUP BY item
) AS l
LEFT JOIN (
	SELECT
		item,
		sum(units) AS opened_units,
		sum(filled) AS opened_units_filled,
		backorder.ratio(filled, units) AS backorder_fill_rate,
		sum(cancelled) AS opened_units_cancelled,
		backorder.ratio(cancelled, units) AS backorder_cancellation_rate,
		sum(open) AS opened_units_open,
		sum(open * extract(epoch FROM greatest(now() - opened_at, '0'))) / 86400 AS open_unit_days,
		backorder.weighted_average(extract(epoch FROM greatest(now() - opened_at, '0')), open) / 86400 AS average_open_age_days,
		sum(backorders_filled) AS backorders_filled,
		sum(extract(epoch FROM closed_at - opened_at)) FILTER (WHERE outcome = 'filled') / 86400 AS backorders_filled_days,
		backorder.ratio(extract(epoch FROM closed_at - opened_at), 86400) FILTER (WHERE outcome = 'filled') AS average_backorder_duration_days,
		sum(promises_due) AS promises_due,
		sum(promises_kept) AS promises_kept,
		backorder.ratio(promises_kept, promises_due) AS promise_kept_rate,
		sum(last_promises_due) AS last_promises_due,
		sum(last_promises_kept) AS last_promises_kept,
		backorder.ratio(last_promises_kept, last_promises_due) AS last_promise_kept_rate,
		sum(promises_made) AS promises_made,
		sum(promise_slip_days) AS promise_slip_days,
		backorder.ratio(promise_slip_days, 1) FILTER (WHERE promises_made = 1) AS mean_promise_slip_days
	FROM backorder_fact
	WHERE demand_class = 'regular'
	GROUP BY item
) AS b USING (item)
LEFT JOIN (
	SELECT
		item,
		sum(units) AS fill_units,
		sum(units * extract(epoch FROM filled_at - opened_at)) / 86400 AS fill_unit_days,
		backorder.weighted_average(extract(epoch FROM filled_at - opened_at), units) / 86400 AS average_days_on_backorder
	FROM fill_fact
	WHERE demand_class = 'regular'
	GROUP BY item
) AS f USING (item);

COMMENT ON VIEW kpi_by_item IS 'The figures of regular demand by item. Figures of orders are not additive over items: they are in kpi, kpi_by_customer and kpi_monthly.';
COMMENT ON COLUMN kpi_by_item.item IS 'Item.';
COMMENT ON COLUMN kpi_by_item.lines IS 'Lines that entered.';
COMMENT ON COLUMN kpi_by_item.lines_filled IS 'Lines of these of which nothing was short at entry.';
COMMENT ON COLUMN kpi_by_item.line_fill_rate IS 'Line fill rate: lines_filled / lines.';
COMMENT ON COLUMN kpi_by_item.units IS 'Stock units of the lines that entered.';
COMMENT ON COLUMN kpi_by_item.units_backordered IS 'Stock units of these that were short at entry.';
COMMENT ON COLUMN kpi_by_item.fill_rate IS 'Fill rate: 1 - units_backordered / units.';
COMMENT ON COLUMN kpi_by_item.opened_units IS 'Stock units of the backorders opened.';
COMMENT ON COLUMN kpi_by_item.opened_units_filled IS 'Stock units of these that have come, whenever they came.';
COMMENT ON COLUMN kpi_by_item.backorder_fill_rate IS 'Backorder fill rate: opened_units_filled / opened_units.';
COMMENT ON COLUMN kpi_by_item.opened_units_cancelled IS 'Stock units of opened_units that were given up.';
COMMENT ON COLUMN kpi_by_item.backorder_cancellation_rate IS 'Backorder cancellation rate: opened_units_cancelled / opened_units.';
COMMENT ON COLUMN kpi_by_item.opened_units_open IS 'Stock units of opened_units that still wait: while there are any, the two rates above are not final.';
COMMENT ON COLUMN kpi_by_item.open_unit_days IS 'Sum of these units x days of 24 hours since opening.';
COMMENT ON COLUMN kpi_by_item.average_open_age_days IS 'Mean age of what waits: open_unit_days / opened_units_open.';
COMMENT ON COLUMN kpi_by_item.backorders_filled IS 'Backorders filled completely and closed.';
COMMENT ON COLUMN kpi_by_item.backorders_filled_days IS 'Sum of their days of 24 hours from opening to closing.';
COMMENT ON COLUMN kpi_by_item.average_backorder_duration_days IS 'Mean duration of a backorder: backorders_filled_days / backorders_filled.';
COMMENT ON COLUMN kpi_by_item.fill_units IS 'Stock units that came to backorders, whenever these were opened.';
COMMENT ON COLUMN kpi_by_item.fill_unit_days IS 'Sum of these units x days of 24 hours they had been waited for.';
COMMENT ON COLUMN kpi_by_item.average_days_on_backorder IS 'Mean days a unit waited: fill_unit_days / fill_units.';
COMMENT ON COLUMN kpi_by_item.promises_due IS 'Backorders whose first promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi_by_item.promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi_by_item.promise_kept_rate IS 'Promise kept rate, against the first promise: promises_kept / promises_due.';
COMMENT ON COLUMN kpi_by_item.last_promises_due IS 'Backorders whose last promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi_by_item.last_promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi_by_item.last_promise_kept_rate IS 'Promise kept rate, against the last promise: last_promises_kept / last_promises_due.';
COMMENT ON COLUMN kpi_by_item.promises_made IS 'Backorders opened to which a date was promised.';
COMMENT ON COLUMN kpi_by_item.promise_slip_days IS 'Sum of their days of 24 hours from the first promised date to the last.';
COMMENT ON COLUMN kpi_by_item.mean_promise_slip_days IS 'Mean slip of a promise: promise_slip_days / promises_made.';

CREATE OR REPLACE VIEW kpi_by_customer WITH (security_invoker = true) AS
SELECT
	nullif(customer, '') AS customer,
	coalesce(l.lines, 0) AS lines,
	coalesce(l.lines_filled, 0) AS lines_filled,
	l.line_fill_rate,
	coalesce(l.units, 0) AS units,
	coalesce(l.units_backordered, 0) AS units_backordered,
	l.fill_rate,
	coalesce(o.orders, 0) AS orders,
	coalesce(o.orders_filled, 0) AS orders_filled,
	o.order_fill_rate,
	coalesce(o.orders_backordered, 0) AS orders_backordered,
	o.backorder_rate,
	coalesce(b.opened_units, 0) AS opened_units,
	coalesce(b.opened_units_filled, 0) AS opened_units_filled,
	b.backorder_fill_rate,
	coalesce(b.opened_units_cancelled, 0) AS opened_units_cancelled,
	b.backorder_cancellation_rate,
	coalesce(b.opened_units_open, 0) AS opened_units_open,
	coalesce(b.open_unit_days, 0) AS open_unit_days,
	b.average_open_age_days,
	coalesce(b.backorders_filled, 0) AS backorders_filled,
	coalesce(b.backorders_filled_days, 0) AS backorders_filled_days,
	b.average_backorder_duration_days,
	coalesce(f.fill_units, 0) AS fill_units,
	coalesce(f.fill_unit_days, 0) AS fill_unit_days,
	f.average_days_on_backorder,
	coalesce(b.promises_due, 0) AS promises_due,
	coalesce(b.promises_kept, 0) AS promises_kept,
	b.promise_kept_rate,
	coalesce(b.last_promises_due, 0) AS last_promises_due,
	coalesce(b.last_promises_kept, 0) AS last_promises_kept,
	b.last_promise_kept_rate,
	coalesce(b.promises_made, 0) AS promises_made,
	coalesce(b.promise_slip_days, 0) AS promise_slip_days,
	b.mean_promise_slip_days
FROM (
	SELECT
		coalesce(customer, '') AS customer,
		sum(lines) AS lines,
		sum(lines_filled) AS lines_filled,
		backorder.ratio(lines_filled, lines) AS line_fill_rate,
		sum(units) AS units,
		sum(units_backordered) AS units_backordered,
		backorder.fill_rate(units_backordered, units) AS fill_rate
	FROM line_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS l
LEFT JOIN (
	SELECT
		coalesce(customer, '') AS customer,
		sum(orders) AS orders,
		sum(orders_filled) AS orders_filled,
		backorder.ratio(orders_filled, orders) AS order_fill_rate,
		sum(orders_backordered) AS orders_backordered,
		backorder.ratio(orders_backordered, orders) AS backorder_rate
	FROM order_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS o USING (customer)
LEFT JOIN (
	SELECT
		coalesce(customer, '') AS customer,
		sum(units) AS opened_units,
		sum(filled) AS opened_units_filled,
		backorder.ratio(filled, units) AS backorder_fill_rate,
		sum(cancelled) AS opened_units_cancelled,
		backorder.ratio(cancelled, units) AS backorder_cancellation_rate,
		sum(open) AS opened_units_open,
		sum(open * extract(epoch FROM greatest(now() - opened_at, '0'))) / 86400 AS open_unit_days,
		backorder.weighted_average(extract(epoch FROM greatest(now() - opened_at, '0')), open) / 86400 AS average_open_age_days,
		sum(backorders_filled) AS backorders_filled,
		sum(extract(epoch FROM closed_at - opened_at)) FILTER (WHERE outcome = 'filled') / 86400 AS backorders_filled_days,
		backorder.ratio(extract(epoch FROM closed_at - opened_at), 86400) FILTER (WHERE outcome = 'filled') AS average_backorder_duration_days,
		sum(promises_due) AS promises_due,
		sum(promises_kept) AS promises_kept,
		backorder.ratio(promises_kept, promises_due) AS promise_kept_rate,
		sum(last_promises_due) AS last_promises_due,
		sum(last_promises_kept) AS last_promises_kept,
		backorder.ratio(last_promises_kept, last_promises_due) AS last_promise_kept_rate,
		sum(promises_made) AS promises_made,
		sum(promise_slip_days) AS promise_slip_days,
		backorder.ratio(promise_slip_days, 1) FILTER (WHERE promises_made = 1) AS mean_promise_slip_days
	FROM backorder_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS b USING (customer)
LEFT JOIN (
	SELECT
		coalesce(customer, '') AS customer,
		sum(units) AS fill_units,
		sum(units * extract(epoch FROM filled_at - opened_at)) / 86400 AS fill_unit_days,
		backorder.weighted_average(extract(epoch FROM filled_at - opened_at), units) / 86400 AS average_days_on_backorder
	FROM fill_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS f USING (customer);

COMMENT ON VIEW kpi_by_customer IS 'The figures of regular demand by customer.';
COMMENT ON COLUMN kpi_by_customer.customer IS 'Customer; NULL: lines that name none.';
COMMENT ON COLUMN kpi_by_customer.lines IS 'Lines that entered.';
COMMENT ON COLUMN kpi_by_customer.lines_filled IS 'Lines of these of which nothing was short at entry.';
COMMENT ON COLUMN kpi_by_customer.line_fill_rate IS 'Line fill rate: lines_filled / lines.';
COMMENT ON COLUMN kpi_by_customer.units IS 'Stock units of the lines that entered.';
COMMENT ON COLUMN kpi_by_customer.units_backordered IS 'Stock units of these that were short at entry.';
COMMENT ON COLUMN kpi_by_customer.fill_rate IS 'Fill rate: 1 - units_backordered / units.';
COMMENT ON COLUMN kpi_by_customer.orders IS 'Orders whose first line entered.';
COMMENT ON COLUMN kpi_by_customer.orders_filled IS 'Orders of these of which no line was short at entry.';
COMMENT ON COLUMN kpi_by_customer.order_fill_rate IS 'Order fill rate: orders_filled / orders.';
COMMENT ON COLUMN kpi_by_customer.orders_backordered IS 'Orders of these of which a line was short at entry.';
COMMENT ON COLUMN kpi_by_customer.backorder_rate IS 'Backorder rate: orders_backordered / orders.';
COMMENT ON COLUMN kpi_by_customer.opened_units IS 'Stock units of the backorders opened.';
COMMENT ON COLUMN kpi_by_customer.opened_units_filled IS 'Stock units of these that have come, whenever they came.';
COMMENT ON COLUMN kpi_by_customer.backorder_fill_rate IS 'Backorder fill rate: opened_units_filled / opened_units.';
COMMENT ON COLUMN kpi_by_customer.opened_units_cancelled IS 'Stock units of opened_units that were given up.';
COMMENT ON COLUMN kpi_by_customer.backorder_cancellation_rate IS 'Backorder cancellation rate: opened_units_cancelled / opened_units.';
COMMENT ON COLUMN kpi_by_customer.opened_units_open IS 'Stock units of opened_units that still wait: while there are any, the two rates above are not final.';
COMMENT ON COLUMN kpi_by_customer.open_unit_days IS 'Sum of these units x days of 24 hours since opening.';
COMMENT ON COLUMN kpi_by_customer.average_open_age_days IS 'Mean age of what waits: open_unit_days / opened_units_open.';
COMMENT ON COLUMN kpi_by_customer.backorders_filled IS 'Backorders filled completely and closed.';
COMMENT ON COLUMN kpi_by_customer.backorders_filled_days IS 'Sum of their days of 24 hours from opening to closing.';
COMMENT ON COLUMN kpi_by_customer.average_backorder_duration_days IS 'Mean duration of a backorder: backorders_filled_days / backorders_filled.';
COMMENT ON COLUMN kpi_by_customer.fill_units IS 'Stock units that came to backorders, whenever these were opened.';
COMMENT ON COLUMN kpi_by_customer.fill_unit_days IS 'Sum of these units x days of 24 hours they had been waited for.';
COMMENT ON COLUMN kpi_by_customer.average_days_on_backorder IS 'Mean days a unit waited: fill_unit_days / fill_units.';
COMMENT ON COLUMN kpi_by_customer.promises_due IS 'Backorders whose first promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi_by_customer.promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi_by_customer.promise_kept_rate IS 'Promise kept rate, against the first promise: promises_kept / promises_due.';
COMMENT ON COLUMN kpi_by_customer.last_promises_due IS 'Backorders whose last promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi_by_customer.last_promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi_by_customer.last_promise_kept_rate IS 'Promise kept rate, against the last promise: last_promises_kept / last_promises_due.';
COMMENT ON COLUMN kpi_by_customer.promises_made IS 'Backorders opened to which a date was promised.';
COMMENT ON COLUMN kpi_by_customer.promise_slip_days IS 'Sum of their days of 24 hours from the first promised date to the last.';
COMMENT ON COLUMN kpi_by_customer.mean_promise_slip_days IS 'Mean slip of a promise: promise_slip_days / promises_made.';

/* Each fact counts in the month in which it happened, so a row mixes the fates of several months' orders. */
CREATE OR REPLACE VIEW kpi_monthly WITH (security_invoker = true) AS
SELECT
	month,
	coalesce(l.lines, 0) AS lines,
	coalesce(l.lines_filled, 0) AS lines_filled,
	l.line_fill_rate,
	coalesce(l.units, 0) AS units,
	coalesce(l.units_backordered, 0) AS units_backordered,
	l.fill_rate,
	coalesce(o.orders, 0) AS orders,
	coalesce(o.orders_filled, 0) AS orders_filled,
	o.order_fill_rate,
	coalesce(o.orders_backordered, 0) AS orders_backordered,
	o.backorder_rate,
	coalesce(b.opened_units, 0) AS opened_units,
	coalesce(b.opened_units_filled, 0) AS opened_units_filled,
	b.backorder_fill_rate,
	coalesce(b.opened_units_cancelled, 0) AS opened_units_cancelled,
	b.backorder_cancellation_rate,
	coalesce(b.opened_units_open, 0) AS opened_units_open,
	coalesce(b.open_unit_days, 0) AS open_unit_days,
	b.average_open_age_days,
	coalesce(c.backorders_filled, 0) AS backorders_filled,
	coalesce(c.backorders_filled_days, 0) AS backorders_filled_days,
	c.average_backorder_duration_days,
	coalesce(f.fill_units, 0) AS fill_units,
	coalesce(f.fill_unit_days, 0) AS fill_unit_days,
	f.average_days_on_backorder,
	coalesce(p.promises_due, 0) AS promises_due,
	coalesce(p.promises_kept, 0) AS promises_kept,
	p.promise_kept_rate,
	coalesce(q.last_promises_due, 0) AS last_promises_due,
	coalesce(q.last_promises_kept, 0) AS last_promises_kept,
	q.last_promise_kept_rate,
	coalesce(b.promises_made, 0) AS promises_made,
	coalesce(b.promise_slip_days, 0) AS promise_slip_days,
	b.mean_promise_slip_days
FROM (
	SELECT
		date_trunc('month', entered_on::timestamp)::date AS month,
		sum(lines) AS lines,
		sum(lines_filled) AS lines_filled,
		backorder.ratio(lines_filled, lines) AS line_fill_rate,
		sum(units) AS units,
		sum(units_backordered) AS units_backordered,
		backorder.fill_rate(units_backordered, units) AS fill_rate
	FROM line_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS l
FULL JOIN (
	SELECT
		date_trunc('month', entered_on::timestamp)::date AS month,
		sum(orders) AS orders,
		sum(orders_filled) AS orders_filled,
		backorder.ratio(orders_filled, orders) AS order_fill_rate,
		sum(orders_backordered) AS orders_backordered,
		backorder.ratio(orders_backordered, orders) AS backorder_rate
	FROM order_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS o USING (month)
FULL JOIN (
	SELECT
		date_trunc('month', opened_on::timestamp)::date AS month,
		sum(units) AS opened_units,
		sum(filled) AS opened_units_filled,
		backorder.ratio(filled, units) AS backorder_fill_rate,
		sum(cancelled) AS opened_units_cancelled,
		backorder.ratio(cancelled, units) AS backorder_cancellation_rate,
		sum(open) AS opened_units_open,
		sum(open * extract(epoch FROM greatest(now() - opened_at, '0'))) / 86400 AS open_unit_days,
		backorder.weighted_average(extract(epoch FROM greatest(now() - opened_at, '0')), open) / 86400 AS average_open_age_days,
		sum(promises_made) AS promises_made,
		sum(promise_slip_days) AS promise_slip_days,
		backorder.ratio(promise_slip_days, 1) FILTER (WHERE promises_made = 1) AS mean_promise_slip_days
	FROM backorder_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS b USING (month)
FULL JOIN (
	SELECT
		date_trunc('month', closed_on::timestamp)::date AS month,
		sum(backorders_filled) AS backorders_filled,
		sum(extract(epoch FROM closed_at - opened_at)) / 86400 AS backorders_filled_days,
		backorder.ratio(extract(epoch FROM closed_at - opened_at), 86400) AS average_backorder_duration_days
	FROM backorder_fact
	WHERE demand_class = 'regular' AND outcome = 'filled'
	GROUP BY 1
) AS c USING (month)
FULL JOIN (
	SELECT
		date_trunc('month', filled_on::timestamp)::date AS month,
		sum(units) AS fill_units,
		sum(units * extract(epoch FROM filled_at - opened_at)) / 86400 AS fill_unit_days,
		backorder.weighted_average(extract(epoch FROM filled_at - opened_at), units) / 86400 AS average_days_on_backorder
	FROM fill_fact
	WHERE demand_class = 'regular'
	GROUP BY 1
) AS f USING (month)
FULL JOIN (
	SELECT
		date_trunc('month', first_promised_on::timestamp)::date AS month,
		sum(promises_due) AS promises_due,
		sum(promises_kept) AS promises_kept,
		backorder.ratio(promises_kept, promises_due) AS promise_kept_rate
	FROM backorder_fact
	WHERE demand_class = 'regular' AND promises_due = 1
	GROUP BY 1
) AS p USING (month)
FULL JOIN (
	SELECT
		date_trunc('month', promised_on::timestamp)::date AS month,
		sum(last_promises_due) AS last_promises_due,
		sum(last_promises_kept) AS last_promises_kept,
		backorder.ratio(last_promises_kept, last_promises_due) AS last_promise_kept_rate
	FROM backorder_fact
	WHERE demand_class = 'regular' AND last_promises_due = 1
	GROUP BY 1
) AS q USING (month)
ORDER BY month;

COMMENT ON VIEW kpi_monthly IS 'The figures of regular demand by month in the ledger''s time zone: lines and orders by entry, backorders by opening, durations by closing, fills by fill, promises by the date promised, slips by opening.';
COMMENT ON COLUMN kpi_monthly.month IS 'First day of the month.';
COMMENT ON COLUMN kpi_monthly.lines IS 'Lines that entered in the month.';
COMMENT ON COLUMN kpi_monthly.lines_filled IS 'Lines of these of which nothing was short at entry.';
COMMENT ON COLUMN kpi_monthly.line_fill_rate IS 'Line fill rate: lines_filled / lines.';
COMMENT ON COLUMN kpi_monthly.units IS 'Stock units of the lines that entered in the month.';
COMMENT ON COLUMN kpi_monthly.units_backordered IS 'Stock units of these that were short at entry.';
COMMENT ON COLUMN kpi_monthly.fill_rate IS 'Fill rate: 1 - units_backordered / units.';
COMMENT ON COLUMN kpi_monthly.orders IS 'Orders whose first line entered in the month.';
COMMENT ON COLUMN kpi_monthly.orders_filled IS 'Orders of these of which no line was short at entry.';
COMMENT ON COLUMN kpi_monthly.order_fill_rate IS 'Order fill rate: orders_filled / orders.';
COMMENT ON COLUMN kpi_monthly.orders_backordered IS 'Orders of these of which a line was short at entry.';
COMMENT ON COLUMN kpi_monthly.backorder_rate IS 'Backorder rate: orders_backordered / orders.';
COMMENT ON COLUMN kpi_monthly.opened_units IS 'Stock units of the backorders opened in the month.';
COMMENT ON COLUMN kpi_monthly.opened_units_filled IS 'Stock units of these that have come, whenever they came.';
COMMENT ON COLUMN kpi_monthly.backorder_fill_rate IS 'Backorder fill rate: opened_units_filled / opened_units.';
COMMENT ON COLUMN kpi_monthly.opened_units_cancelled IS 'Stock units of opened_units that were given up.';
COMMENT ON COLUMN kpi_monthly.backorder_cancellation_rate IS 'Backorder cancellation rate: opened_units_cancelled / opened_units.';
COMMENT ON COLUMN kpi_monthly.opened_units_open IS 'Stock units of opened_units that still wait: while there are any, the two rates above are not final.';
COMMENT ON COLUMN kpi_monthly.open_unit_days IS 'Sum of these units x days of 24 hours since opening.';
COMMENT ON COLUMN kpi_monthly.average_open_age_days IS 'Mean age of what waits: open_unit_days / opened_units_open.';
COMMENT ON COLUMN kpi_monthly.backorders_filled IS 'Backorders filled completely and closed in the month.';
COMMENT ON COLUMN kpi_monthly.backorders_filled_days IS 'Sum of their days of 24 hours from opening to closing.';
COMMENT ON COLUMN kpi_monthly.average_backorder_duration_days IS 'Mean duration of a backorder: backorders_filled_days / backorders_filled.';
COMMENT ON COLUMN kpi_monthly.fill_units IS 'Stock units that came to backorders in the month, whenever these were opened.';
COMMENT ON COLUMN kpi_monthly.fill_unit_days IS 'Sum of these units x days of 24 hours they had been waited for.';
COMMENT ON COLUMN kpi_monthly.average_days_on_backorder IS 'Mean days a unit waited: fill_unit_days / fill_units.';
COMMENT ON COLUMN kpi_monthly.promises_due IS 'Backorders whose first promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi_monthly.promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi_monthly.promise_kept_rate IS 'Promise kept rate, against the first promise: promises_kept / promises_due.';
COMMENT ON COLUMN kpi_monthly.last_promises_due IS 'Backorders whose last promised date has come and that were not cancelled by then.';
COMMENT ON COLUMN kpi_monthly.last_promises_kept IS 'Backorders of these of which every unit had come by that date.';
COMMENT ON COLUMN kpi_monthly.last_promise_kept_rate IS 'Promise kept rate, against the last promise: last_promises_kept / last_promises_due.';
COMMENT ON COLUMN kpi_monthly.promises_made IS 'Backorders opened to which a date was promised.';
COMMENT ON COLUMN kpi_monthly.promise_slip_days IS 'Sum of their days of 24 hours from the first promised date to the last.';
COMMENT ON COLUMN kpi_monthly.mean_promise_slip_days IS 'Mean slip of a promise: promise_slip_days / promises_made.';
