/*
 * The clocks of late orders.  Conditions of policies are evaluated in UTC, as
 * those of rules are.  Compiling the view would take longer than reading it.
 */
CREATE OR REPLACE FUNCTION legal_due(order_id text, line_no bigint) RETURNS SETOF legal_clock
LANGUAGE sql STABLE ROWS 1 SET TimeZone = 'UTC' SET jit = off
BEGIN ATOMIC
	SELECT c.* FROM legal_clock AS c WHERE c.order_id = $1 AND c.line_no = $2;
END;
COMMENT ON FUNCTION legal_due(text, bigint) IS
	'The legal clock of one order line: by which policy it is due when, and what follows. No row: no policy matches, or the line is on hold.';

CREATE OR REPLACE FUNCTION notices_due(as_of timestamptz DEFAULT now())
RETURNS TABLE (order_id text, line_no bigint, customer text, item text, policy text, jurisdiction text,
	send_by timestamptz, notice text, expected_at timestamptz, consent text)
LANGUAGE sql STABLE ROWS 100 SET TimeZone = 'UTC' SET jit = off
BEGIN ATOMIC
	WITH candidate AS MATERIALIZED (
		SELECT l.order_id, l.line_no
		FROM order_line AS l
		CROSS JOIN (SELECT min(p.allowed_days - p.notice_days) AS days FROM delay_policy AS p) AS m
		WHERE l.cancelled + l.shipped < l.quantity AND NOT l.on_hold AND m.days IS NOT NULL
			AND (coalesce(l.clock_started_at, l.entered_at, greatest(l.placed_at, l.not_before)) <= $1 - make_interval(days => m.days - 1)
				OR EXISTS (SELECT FROM backorder AS b WHERE b.order_id = l.order_id AND b.line_no = l.line_no AND b.outcome IS NULL))
	)
	SELECT c.order_id, c.line_no, c.customer, c.item, c.policy, c.jurisdiction, c.due_at,
		CASE WHEN c.notices = 0 AND c.agreed_at IS NULL THEN 'first' ELSE 'renewed' END,
		w.promised_at,
		CASE WHEN c.notices = 0 AND c.agreed_at IS NULL AND w.promised_at < c.due_at + make_interval(days => c.silence_days) THEN 'silence' ELSE 'express' END
	FROM candidate AS l
	CROSS JOIN LATERAL (
		SELECT k.*, (k.due_at - k.ship_by) AS transit FROM legal_clock AS k
		WHERE k.order_id = l.order_id AND k.line_no = l.line_no AND k.due_at < 'infinity' AND k.refused_at IS NULL
		OFFSET 0
	) AS c
	CROSS JOIN LATERAL (
		SELECT max(b.promised_at) AS promised_at FROM backorder AS b
		WHERE b.order_id = c.order_id AND b.line_no = c.line_no AND b.outcome IS NULL
		HAVING count(*) = count(b.promised_at) FILTER (WHERE b.promise_basis <> 'unknown')
		UNION ALL
		SELECT NULL WHERE NOT EXISTS (SELECT FROM backorder AS b WHERE b.order_id = c.order_id AND b.line_no = c.line_no AND b.outcome IS NULL
			HAVING count(*) = count(b.promised_at) FILTER (WHERE b.promise_basis <> 'unknown'))
	) AS w
	WHERE (w.promised_at >= c.ship_by OR $1 >= c.due_at - make_interval(days => c.notice_days))
		AND NOT EXISTS (
			SELECT FROM notice AS n
			WHERE n.order_id = c.order_id AND n.line_no = c.line_no AND n.kind = 'delay'
				AND (c.agreed_at IS NULL OR n.sent_at > c.agreed_at)
				AND (n.revised_at IS NULL OR n.revised_at + c.transit >= greatest(w.promised_at + c.transit, c.due_at)))
	ORDER BY c.due_at, c.order_id, c.line_no;
END;
COMMENT ON FUNCTION notices_due(timestamptz) IS
	'Lines whose customers must be offered the choice to wait or to cancel: those whose promised date lies behind their due date, and those that are due within the notice_days of their policy; less those to whom a notice was sent that covers it. send_by is the last moment; notice says whether it is the first, consent whether silence accepts the date.';

/*
 * Policies are matched only for lines that may be due by any of them: called
 * every minute, this must not follow all open lines.  (OFFSET 0 keeps the planner
 * from computing the whole view for them.)  Who refuses is cancelled without a
 * policy, too.
 */
CREATE OR REPLACE FUNCTION auto_cancel_due(as_of timestamptz DEFAULT now())
RETURNS TABLE (order_id text, line_no bigint, customer text, item text, quantity numeric, policy text, jurisdiction text,
	cancel_at timestamptz, cause text)
LANGUAGE sql STABLE ROWS 100 SET TimeZone = 'UTC' SET jit = off
BEGIN ATOMIC
	WITH candidate AS MATERIALIZED (
		SELECT l.order_id, l.line_no
		FROM order_line AS l
		CROSS JOIN (SELECT min(p.allowed_days) AS days FROM delay_policy AS p WHERE p.auto_cancel) AS m
		WHERE l.cancelled + l.shipped < l.quantity AND l.cancelled + l.shipped + l.firm < l.quantity
			AND NOT l.on_hold AND m.days IS NOT NULL
			AND (coalesce(l.clock_started_at, l.entered_at, greatest(l.placed_at, l.not_before)) <= $1 - make_interval(days => m.days - 1)
				OR (l.backordered_at_entry > 0 AND EXISTS (
					SELECT FROM journal AS j
					WHERE j.order_id = l.order_id AND j.line_no = l.line_no AND j.kind = 'backordered' AND j.promised_at <= $1)))
	)
	SELECT c.order_id, c.line_no, c.customer, c.item, c.open - c.firm, c.policy, c.jurisdiction, c.cancel_at, c.cancel_cause
	FROM candidate AS l
	CROSS JOIN LATERAL (
		SELECT k.* FROM legal_clock AS k WHERE k.order_id = l.order_id AND k.line_no = l.line_no OFFSET 0
	) AS c
	WHERE c.cancel_at <= $1 AND c.refused_at IS NULL
	UNION ALL
	SELECT l.order_id, l.line_no, l.customer, l.item, l.quantity - l.cancelled - l.shipped - l.firm, NULL, NULL,
		k.refused_at, 'refused by the customer'
	FROM (
		SELECT r.order_id, r.line_no, min(r.given_at) AS refused_at FROM consent AS r
		WHERE r.kind = 'refused'
		GROUP BY r.order_id, r.line_no
	) AS k
	JOIN order_line AS l ON l.order_id = k.order_id AND l.line_no = k.line_no
	WHERE k.refused_at <= $1 AND l.cancelled + l.shipped + l.firm < l.quantity
	ORDER BY order_id, line_no;
END;
COMMENT ON FUNCTION auto_cancel_due(timestamptz) IS
	'Lines that are to be cancelled, and why: their customers refused, or their policy cancels what is late without consent. run_clocks() does it.';

CREATE OR REPLACE FUNCTION refunds_due(as_of timestamptz DEFAULT now(), since timestamptz DEFAULT NULL)
RETURNS TABLE (order_id text, line_no bigint, customer text, item text, quantity numeric, value numeric, policy text,
	jurisdiction text, cancelled_at timestamptz, refund_by timestamptz)
LANGUAGE sql STABLE ROWS 100 SET TimeZone = 'UTC' SET jit = off
BEGIN ATOMIC
	SELECT c.order_id, c.line_no, c.customer, c.item, j.quantity,
		j.quantity * coalesce(l.unit_price, i.unit_price), c.policy, c.jurisdiction, j.cancelled_at, r.refund_by
	FROM (
		SELECT e.order_id, e.line_no, sum(e.quantity) AS quantity, max(e.happened_at) AS cancelled_at
		FROM journal AS e
		WHERE e.kind IN ('cancelled', 'released', 'changed') AND e.cause = 'cancel'
			AND e.recorded_at >= coalesce($2, $1 - interval '90 days')
		GROUP BY e.order_id, e.line_no
	) AS j
	CROSS JOIN LATERAL (
		SELECT k.* FROM legal_clock AS k WHERE k.order_id = j.order_id AND k.line_no = j.line_no OFFSET 0
	) AS c
	JOIN delay_policy AS p ON p.name = c.policy
	JOIN order_line AS l ON l.order_id = j.order_id AND l.line_no = j.line_no
	LEFT JOIN item AS i ON i.item = l.item
	CROSS JOIN ledger AS z
	CROSS JOIN LATERAL (
		SELECT CASE WHEN p.refund_days IS NOT NULL THEN (
			SELECT (d.day::date + 1)::timestamp AT TIME ZONE z.time_zone
			FROM generate_series((j.cancelled_at AT TIME ZONE z.time_zone)::date + 1,
				(j.cancelled_at AT TIME ZONE z.time_zone)::date + 60 + 2 * p.refund_days, '1 day') AS d (day)
			WHERE NOT extract(isodow FROM d.day)::integer = ANY (p.weekend)
				AND NOT EXISTS (SELECT FROM holiday AS h WHERE h.calendar = p.calendar AND h.day = d.day::date)
			ORDER BY d.day
			OFFSET greatest(p.refund_days, 1) - 1 LIMIT 1)
		END AS refund_by
	) AS r
	WHERE NOT EXISTS (
		SELECT FROM notice AS n
		WHERE n.order_id = j.order_id AND n.line_no = j.line_no AND n.kind = 'refunded' AND n.sent_at >= j.cancelled_at)
	ORDER BY r.refund_by NULLS FIRST, c.order_id, c.line_no;
END;
COMMENT ON FUNCTION refunds_due(timestamptz, timestamptz) IS
	'Cancelled lines that no notice ''refunded'' was recorded for, with the last moment for it by working days; refund_by NULL: without undue delay. Looks at what was cancelled since then (NULL: in the 90 days before as_of). Whether anything was paid, the ledger does not know.';

CREATE OR REPLACE FUNCTION record_notice(
	order_id text,
	line_no bigint DEFAULT NULL,
	kind text DEFAULT 'delay',
	revised_at timestamptz DEFAULT NULL,
	sent_at timestamptz DEFAULT now(),
	channel text DEFAULT NULL,
	evidence text DEFAULT NULL
) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.record_contact('notice'::regclass, $1, $2, $3, $4, $5, $6, $7);
END;
COMMENT ON FUNCTION record_notice(text, bigint, text, timestamptz, timestamptz, text, text) IS
	'Records that a customer was told: of a delay (to revised_at, NULL: no date can be given), that goods were delivered, or that money was refunded. line_no NULL: all lines of the order, for a delay those with something open. Returns how many lines. Errors: 22023, 23503 no such line, 23514, 42501 no INSERT on notice, 55000 nothing is open.';

CREATE OR REPLACE FUNCTION record_consent(
	order_id text,
	line_no bigint DEFAULT NULL,
	kind text DEFAULT 'accepted',
	until timestamptz DEFAULT NULL,
	given_at timestamptz DEFAULT now(),
	channel text DEFAULT NULL,
	evidence text DEFAULT NULL
) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.record_contact('consent'::regclass, $1, $2, $3, $4, $5, $6, $7);
END;
COMMENT ON FUNCTION record_consent(text, bigint, text, timestamptz, timestamptz, text, text) IS
	'Records what a customer answered: accepted (will wait until then; NULL: until the date of the last notice, or whatever it takes if that named none), additional period (calls for delivery until then), refused (run_clocks() cancels). line_no NULL: all lines of the order with something open. Returns how many lines. Errors: 22023 no date to wait for, 23503 no such line, 23514, 42501 no INSERT on consent, 55000 nothing is open.';

CREATE OR REPLACE PROCEDURE run_clocks(as_of timestamptz DEFAULT now())
LANGUAGE sql
BEGIN ATOMIC
	SELECT backorder.run_clocks('order_line'::regclass, $1);
END;
COMMENT ON PROCEDURE run_clocks(timestamptz) IS
	'Cancels what auto_cancel_due() lists, and escalates the backorders that have waited longer than acceptable: journals it, and raises their priority where item or rule says so. Does each once, however often and by however many it is called; what is locked is left for the next call. For a scheduler, say every minute. Needs: UPDATE on order_line, SELECT on what legal_clock reads.';
