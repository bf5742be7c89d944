/*
 * The figures.  Every argument is optional: since and until bound the window
 * [since, until), NULL bounds nothing.  NULL is the answer where there was
 * nothing to measure.
 */
CREATE OR REPLACE FUNCTION fill_rate(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.fill_rate(f.units_backordered, f.units)
	FROM line_fact AS f
	WHERE (fill_rate.since IS NULL OR f.entered_at >= fill_rate.since)
		AND (fill_rate.until IS NULL OR f.entered_at < fill_rate.until)
		AND (fill_rate.item IS NULL OR f.item = fill_rate.item)
		AND (fill_rate.location IS NULL OR f.location = fill_rate.location)
		AND (fill_rate.customer IS NULL OR f.customer = fill_rate.customer)
		AND (fill_rate.demand_class IS NULL OR f.demand_class = fill_rate.demand_class);
END;
COMMENT ON FUNCTION fill_rate(timestamptz, timestamptz, text, text, text, text) IS
	'Share of the units that were in stock when ordered: 1 - sum(units_backordered) / sum(units) of line_fact, lines that entered in the window. NULL demand_class: all.';

CREATE OR REPLACE FUNCTION line_fill_rate(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.ratio(f.lines_filled, f.lines)
	FROM line_fact AS f
	WHERE (line_fill_rate.since IS NULL OR f.entered_at >= line_fill_rate.since)
		AND (line_fill_rate.until IS NULL OR f.entered_at < line_fill_rate.until)
		AND (line_fill_rate.item IS NULL OR f.item = line_fill_rate.item)
		AND (line_fill_rate.location IS NULL OR f.location = line_fill_rate.location)
		AND (line_fill_rate.customer IS NULL OR f.customer = line_fill_rate.customer)
		AND (line_fill_rate.demand_class IS NULL OR f.demand_class = line_fill_rate.demand_class);
END;
COMMENT ON FUNCTION line_fill_rate(timestamptz, timestamptz, text, text, text, text) IS
	'Share of the lines of which nothing was short when ordered: sum(lines_filled) / sum(lines) of line_fact, lines that entered in the window. NULL demand_class: all.';

CREATE OR REPLACE FUNCTION order_fill_rate(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.ratio(CASE WHEN o.lines_backordered = 0 THEN 1 ELSE 0 END, 1)
	FROM (
		SELECT sum(f.lines_backordered) AS lines_backordered
		FROM line_fact AS f
		WHERE order_fill_rate.demand_class IS NULL OR f.demand_class = order_fill_rate.demand_class
		GROUP BY f.order_id
		HAVING (order_fill_rate.since IS NULL OR min(f.entered_at) >= order_fill_rate.since)
			AND (order_fill_rate.until IS NULL OR min(f.entered_at) < order_fill_rate.until)
			AND (order_fill_rate.customer IS NULL OR min(f.customer) = order_fill_rate.customer)
	) AS o;
END;
COMMENT ON FUNCTION order_fill_rate(timestamptz, timestamptz, text, text) IS
	'Share of the orders of which no line was short when ordered; an order is dated by its first line and counts once: sum(orders_filled) / sum(orders) of order_fact. NULL demand_class: all lines of an order, whatever their class.';

CREATE OR REPLACE FUNCTION backorder_rate(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.ratio(CASE WHEN o.lines_backordered = 0 THEN 0 ELSE 1 END, 1)
	FROM (
		SELECT sum(f.lines_backordered) AS lines_backordered
		FROM line_fact AS f
		WHERE backorder_rate.demand_class IS NULL OR f.demand_class = backorder_rate.demand_class
		GROUP BY f.order_id
		HAVING (backorder_rate.since IS NULL OR min(f.entered_at) >= backorder_rate.since)
			AND (backorder_rate.until IS NULL OR min(f.entered_at) < backorder_rate.until)
			AND (backorder_rate.customer IS NULL OR min(f.customer) = backorder_rate.customer)
	) AS o;
END;
COMMENT ON FUNCTION backorder_rate(timestamptz, timestamptz, text, text) IS
	'Share of the orders of which a line was short when ordered: 1 - order_fill_rate, sum(orders_backordered) / sum(orders) of order_fact. Below 0.05 is healthy, above 0.10 asks for a look.';

CREATE OR REPLACE FUNCTION backorder_fill_rate(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.ratio(f.filled, f.units)
	FROM backorder_fact AS f
	WHERE (backorder_fill_rate.since IS NULL OR f.opened_at >= backorder_fill_rate.since)
		AND (backorder_fill_rate.until IS NULL OR f.opened_at < backorder_fill_rate.until)
		AND (backorder_fill_rate.item IS NULL OR f.item = backorder_fill_rate.item)
		AND (backorder_fill_rate.location IS NULL OR f.location = backorder_fill_rate.location)
		AND (backorder_fill_rate.customer IS NULL OR f.customer = backorder_fill_rate.customer)
		AND (backorder_fill_rate.demand_class IS NULL OR f.demand_class = backorder_fill_rate.demand_class);
END;
COMMENT ON FUNCTION backorder_fill_rate(timestamptz, timestamptz, text, text, text, text) IS
	'Share of the backordered units that have come: sum(filled) / sum(units) of backorder_fact, backorders opened in the window, whenever they were filled. NULL demand_class: all.';

CREATE OR REPLACE FUNCTION backorder_cancellation_rate(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.ratio(f.cancelled, f.units)
	FROM backorder_fact AS f
	WHERE (backorder_cancellation_rate.since IS NULL OR f.opened_at >= backorder_cancellation_rate.since)
		AND (backorder_cancellation_rate.until IS NULL OR f.opened_at < backorder_cancellation_rate.until)
		AND (backorder_cancellation_rate.item IS NULL OR f.item = backorder_cancellation_rate.item)
		AND (backorder_cancellation_rate.location IS NULL OR f.location = backorder_cancellation_rate.location)
		AND (backorder_cancellation_rate.customer IS NULL OR f.customer = backorder_cancellation_rate.customer)
		AND (backorder_cancellation_rate.demand_class IS NULL OR f.demand_class = backorder_cancellation_rate.demand_class);
END;
COMMENT ON FUNCTION backorder_cancellation_rate(timestamptz, timestamptz, text, text, text, text) IS
	'Share of the backordered units that were given up: sum(cancelled) / sum(units) of backorder_fact, backorders opened in the window. What neither came nor was given up is still open. NULL demand_class: all.';

CREATE OR REPLACE FUNCTION average_backorder_duration(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.average_duration(f.opened_at, f.closed_at)
	FROM backorder_fact AS f
	WHERE f.outcome = 'filled'
		AND (average_backorder_duration.since IS NULL OR f.closed_at >= average_backorder_duration.since)
		AND (average_backorder_duration.until IS NULL OR f.closed_at < average_backorder_duration.until)
		AND (average_backorder_duration.item IS NULL OR f.item = average_backorder_duration.item)
		AND (average_backorder_duration.location IS NULL OR f.location = average_backorder_duration.location)
		AND (average_backorder_duration.customer IS NULL OR f.customer = average_backorder_duration.customer)
		AND (average_backorder_duration.demand_class IS NULL OR f.demand_class = average_backorder_duration.demand_class);
END;
COMMENT ON FUNCTION average_backorder_duration(timestamptz, timestamptz, text, text, text, text) IS
	'Mean time from opening to closing of the backorders of backorder_fact that were filled completely and closed in the window, each counting once. NULL demand_class: all.';

CREATE OR REPLACE FUNCTION average_days_on_backorder(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.weighted_average(extract(epoch FROM f.filled_at - f.opened_at), f.units) / 86400
	FROM fill_fact AS f
	WHERE (average_days_on_backorder.since IS NULL OR f.filled_at >= average_days_on_backorder.since)
		AND (average_days_on_backorder.until IS NULL OR f.filled_at < average_days_on_backorder.until)
		AND (average_days_on_backorder.item IS NULL OR f.item = average_days_on_backorder.item)
		AND (average_days_on_backorder.location IS NULL OR f.location = average_days_on_backorder.location)
		AND (average_days_on_backorder.customer IS NULL OR f.customer = average_days_on_backorder.customer)
		AND (average_days_on_backorder.demand_class IS NULL OR f.demand_class = average_days_on_backorder.demand_class);
END;
COMMENT ON FUNCTION average_days_on_backorder(timestamptz, timestamptz, text, text, text, text) IS
	'Days of 24 hours that a unit waited, over the units that came in the window: sum(unit_days) / sum(units) of fill_fact. NULL demand_class: all.';

CREATE OR REPLACE FUNCTION average_open_age_days(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.weighted_average(extract(epoch FROM greatest(now() - f.opened_at, '0')), f.open) / 86400
	FROM backorder_fact AS f
	WHERE f.closed_at IS NULL
		AND (average_open_age_days.since IS NULL OR f.opened_at >= average_open_age_days.since)
		AND (average_open_age_days.until IS NULL OR f.opened_at < average_open_age_days.until)
		AND (average_open_age_days.item IS NULL OR f.item = average_open_age_days.item)
		AND (average_open_age_days.location IS NULL OR f.location = average_open_age_days.location)
		AND (average_open_age_days.customer IS NULL OR f.customer = average_open_age_days.customer)
		AND (average_open_age_days.demand_class IS NULL OR f.demand_class = average_open_age_days.demand_class);
END;
COMMENT ON FUNCTION average_open_age_days(timestamptz, timestamptz, text, text, text, text) IS
	'Days of 24 hours that a unit that still waits has been waiting until now: sum(open x age) / sum(open) of backorder_fact, open backorders opened in the window. NULL demand_class: all.';

CREATE OR REPLACE FUNCTION promise_kept_rate(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular',
	against text DEFAULT 'first'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.ratio(CASE promise_kept_rate.against WHEN 'last' THEN f.last_promises_kept ELSE f.promises_kept END, 1)
	FROM backorder_fact AS f
	WHERE CASE promise_kept_rate.against WHEN 'first' THEN f.promises_due WHEN 'last' THEN f.last_promises_due END = 1
		AND (promise_kept_rate.since IS NULL OR CASE promise_kept_rate.against WHEN 'last' THEN f.promised_at ELSE f.first_promised_at END >= promise_kept_rate.since)
		AND (promise_kept_rate.until IS NULL OR CASE promise_kept_rate.against WHEN 'last' THEN f.promised_at ELSE f.first_promised_at END < promise_kept_rate.until)
		AND (promise_kept_rate.item IS NULL OR f.item = promise_kept_rate.item)
		AND (promise_kept_rate.location IS NULL OR f.location = promise_kept_rate.location)
		AND (promise_kept_rate.customer IS NULL OR f.customer = promise_kept_rate.customer)
		AND (promise_kept_rate.demand_class IS NULL OR f.demand_class = promise_kept_rate.demand_class);
END;
COMMENT ON FUNCTION promise_kept_rate(timestamptz, timestamptz, text, text, text, text, text) IS
	'Share of the backorders of which every unit had come by the promised date, of those whose promised date lies in the window and has come and that were not cancelled by then. against: first or last, the promise that counts; NULL demand_class: all.';

CREATE OR REPLACE FUNCTION mean_promise_slip_days(
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	item text DEFAULT NULL, location text DEFAULT NULL, customer text DEFAULT NULL, demand_class text DEFAULT 'regular'
) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT backorder.ratio(f.promise_slip_days, 1)
	FROM backorder_fact AS f
	WHERE f.promises_made = 1
		AND (mean_promise_slip_days.since IS NULL OR f.opened_at >= mean_promise_slip_days.since)
		AND (mean_promise_slip_days.until IS NULL OR f.opened_at < mean_promise_slip_days.until)
		AND (mean_promise_slip_days.item IS NULL OR f.item = mean_promise_slip_days.item)
		AND (mean_promise_slip_days.location IS NULL OR f.location = mean_promise_slip_days.location)
		AND (mean_promise_slip_days.customer IS NULL OR f.customer = mean_promise_slip_days.customer)
		AND (mean_promise_slip_days.demand_class IS NULL OR f.demand_class = mean_promise_slip_days.demand_class);
END;
COMMENT ON FUNCTION mean_promise_slip_days(timestamptz, timestamptz, text, text, text, text) IS
	'Mean days of 24 hours from the first promised date of a backorder to the last: sum(promise_slip_days) / sum(promises_made) of backorder_fact, backorders opened in the window. Below 0: sooner. NULL demand_class: all.';
