/*
 * The legal clock of each order line that has entered and is not on hold.
 *
 * A day lasts until midnight in the ledger's time zone.  due_at is the first
 * moment at which the line is late.  From the first due date on, each of these
 * moves it: a first delay that silence accepts, an answer of the customer, and a
 * renewed notice where the policy asks for no answer; but only what came before
 * the date it moves had passed, and nothing behind the first gap.
 */
CREATE OR REPLACE VIEW legal_clock WITH (security_invoker = true) AS
SELECT
	l.order_id,
	l.line_no,
	l.item,
	l.location,
	l.customer,
	l.quantity - l.cancelled - l.shipped AS open,
	l.firm,
	p.name AS policy,
	p.jurisdiction,
	p.runs_to,
	s.started_at,
	w.stated_at,
	d.first_due_at,
	m.due_at,
	(((m.due_at - interval '1 microsecond') AT TIME ZONE z.time_zone)::date - p.transit_days + 1)::timestamp AT TIME ZONE z.time_zone AS ship_by,
	m.agreed_at,
	n.notices,
	n.first_sent_at,
	CASE WHEN m.agreed_at IS NULL THEN r.answer_by END AS answer_by,
	x.refused_at,
	CASE
		WHEN x.refused_at IS NOT NULL THEN x.refused_at
		WHEN NOT p.auto_cancel THEN NULL
		WHEN m.agreed_at IS NULL AND r.answer_by IS NOT NULL THEN r.answer_by
		ELSE m.due_at
	END AS cancel_at,
	CASE
		WHEN x.refused_at IS NOT NULL THEN 'refused by the customer'
		WHEN NOT p.auto_cancel THEN NULL
		WHEN m.agreed_at IS NOT NULL THEN 'the date agreed to has passed'
		WHEN r.answer_by IS NOT NULL THEN 'no consent to the delay'
		ELSE 'no notice of delay in time'
	END AS cancel_cause,
	p.notice_days,
	p.silence_days,
	p.refund_days
FROM order_line AS l
CROSS JOIN ledger AS z
CROSS JOIN LATERAL (
	SELECT coalesce(l.clock_started_at, l.entered_at, greatest(l.placed_at, l.not_before)) AS started_at
	OFFSET 0
) AS s
JOIN rule_input AS i ON i.order_id = l.order_id AND i.line_no = l.line_no
CROSS JOIN LATERAL (
	SELECT q.name, q.jurisdiction, q.runs_to, q.transit_days, q.allowed_days, q.stated_date, q.working_day_end, q.silence_days,
		q.answer_days, q.renewal_needs_consent, q.auto_cancel, q.notice_days, q.refund_days, q.calendar, q.weekend
	FROM delay_policy AS q
	WHERE (q.valid_from <= s.started_at) IS NOT FALSE AND (s.started_at < q.valid_to) IS NOT FALSE
		AND jsonb_path_match_tz(i.line, q.condition, '{}', true)
	ORDER BY q.precedence DESC, q.name
	LIMIT 1
) AS p
CROSS JOIN LATERAL (
	/* what was said when the line entered */
	SELECT CASE WHEN p.stated_date AND l.backordered_at_entry > 0 THEN (
		SELECT max(j.promised_at) FROM journal AS j
		WHERE j.order_id = l.order_id AND j.line_no = l.line_no AND j.kind = 'backordered' AND j.cause = 'entry'
			AND j.promise_basis <> 'unknown')
	END AS stated_at
	OFFSET 0
) AS w
CROSS JOIN LATERAL (
	SELECT coalesce((w.stated_at AT TIME ZONE z.time_zone)::date, (s.started_at AT TIME ZONE z.time_zone)::date + p.allowed_days) AS day
	OFFSET 0
) AS a
CROSS JOIN LATERAL (
	SELECT (CASE WHEN p.working_day_end THEN (
			SELECT min(g.day)::date FROM generate_series(a.day::timestamp, a.day::timestamp + interval '60 days', '1 day') AS g (day)
			WHERE NOT extract(isodow FROM g.day)::integer = ANY (p.weekend)
				AND NOT EXISTS (SELECT FROM holiday AS h WHERE h.calendar = p.calendar AND h.day = g.day::date)
		) ELSE a.day END) AS first_day
	OFFSET 0
) AS f
CROSS JOIN LATERAL (
	SELECT (f.first_day + 1)::timestamp AT TIME ZONE z.time_zone AS first_due_at
	OFFSET 0
) AS d
CROSS JOIN LATERAL (
	SELECT count(*) AS notices, min(t.sent_at) AS first_sent_at,
		(array_agg((t.revised_at AT TIME ZONE z.time_zone)::date ORDER BY t.sent_at, t.notice_id))[1] AS first_revised_on
	FROM notice AS t
	WHERE t.order_id = l.order_id AND t.line_no = l.line_no AND t.kind = 'delay'
) AS n
CROSS JOIN LATERAL (
	SELECT n.first_revised_on <= f.first_day + p.silence_days AS silence,
		CASE WHEN n.first_sent_at < d.first_due_at AND (n.first_revised_on <= f.first_day + p.silence_days) IS NOT TRUE
			THEN (f.first_day + p.answer_days + 1)::timestamp AT TIME ZONE z.time_zone END AS answer_by
	OFFSET 0
) AS r
CROSS JOIN LATERAL (
	SELECT coalesce(max(e.until) FILTER (WHERE NOT e.broken), d.first_due_at) AS due_at,
		max(e.at) FILTER (WHERE NOT e.broken) AS agreed_at
	FROM (
		SELECT c.at, greatest(c.until, d.first_due_at) AS until,
			bool_or(c.at >= greatest(c.before, d.first_due_at, r.answer_by)) OVER (ORDER BY c.at, c.until ROWS UNBOUNDED PRECEDING) AS broken
		FROM (
			SELECT b.at, b.until, max(b.until) OVER (ORDER BY b.at, b.until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
			FROM (
				SELECT k.given_at, ((k.until AT TIME ZONE z.time_zone)::date + 1)::timestamp AT TIME ZONE z.time_zone
				FROM consent AS k
				WHERE k.order_id = l.order_id AND k.line_no = l.line_no AND k.kind <> 'refused'
				UNION ALL
				SELECT t.sent_at, ((t.revised_at AT TIME ZONE z.time_zone)::date + 1)::timestamp AT TIME ZONE z.time_zone
				FROM notice AS t
				WHERE t.order_id = l.order_id AND t.line_no = l.line_no AND t.kind = 'delay' AND t.revised_at IS NOT NULL
					AND CASE WHEN t.sent_at = n.first_sent_at THEN r.silence ELSE NOT p.renewal_needs_consent END
			) AS b (at, until)
		) AS c
	) AS e
) AS m
CROSS JOIN LATERAL (
	SELECT min(k.given_at) AS refused_at
	FROM consent AS k
	WHERE k.order_id = l.order_id AND k.line_no = l.line_no AND k.kind = 'refused'
) AS x
WHERE NOT l.on_hold AND isfinite(coalesce(l.clock_started_at, l.placed_at));

COMMENT ON VIEW legal_clock IS 'When each order line is due by the delay policy that matches it, with what customers were told and have agreed to. Lines on hold, and lines that no policy matches, have no clock.';
COMMENT ON COLUMN legal_clock.order_id IS 'Order.';
COMMENT ON COLUMN legal_clock.line_no IS 'Line of the order.';
COMMENT ON COLUMN legal_clock.item IS 'Item.';
COMMENT ON COLUMN legal_clock.location IS 'Location.';
COMMENT ON COLUMN legal_clock.customer IS 'Customer.';
COMMENT ON COLUMN legal_clock.open IS 'Stock units neither shipped nor cancelled.';
COMMENT ON COLUMN legal_clock.firm IS 'Stock units of these that are picked: they are not cancelled.';
COMMENT ON COLUMN legal_clock.policy IS 'Name of the delay policy.';
COMMENT ON COLUMN legal_clock.jurisdiction IS 'Where it holds.';
COMMENT ON COLUMN legal_clock.runs_to IS 'What must have happened by due_at: shipment or delivery.';
COMMENT ON COLUMN legal_clock.started_at IS 'When the clock started: clock_started_at of the line, or its entry.';
COMMENT ON COLUMN legal_clock.stated_at IS 'The date promised at entry, where the policy counts it.';
COMMENT ON COLUMN legal_clock.first_due_at IS 'End of the last day without any delay agreed to: from then on the line is late.';
COMMENT ON COLUMN legal_clock.due_at IS 'The same, with the delays agreed to; infinity: whatever it takes.';
COMMENT ON COLUMN legal_clock.ship_by IS 'The same less the days for the way.';
COMMENT ON COLUMN legal_clock.agreed_at IS 'When the last delay that counts was agreed to, by answer or by silence; NULL: none.';
COMMENT ON COLUMN legal_clock.notices IS 'Notices of delay sent.';
COMMENT ON COLUMN legal_clock.first_sent_at IS 'When the first of them was sent.';
COMMENT ON COLUMN legal_clock.answer_by IS 'End of the last day for an answer to a first delay that needs consent; NULL: none is waited for.';
COMMENT ON COLUMN legal_clock.refused_at IS 'When the customer asked to cancel, by record_consent().';
COMMENT ON COLUMN legal_clock.cancel_at IS 'From then on run_clocks() cancels what is open and not firm; NULL: it does not.';
COMMENT ON COLUMN legal_clock.cancel_cause IS 'Why it would.';
COMMENT ON COLUMN legal_clock.notice_days IS 'How many days before due_at notices_due() lists the line.';
COMMENT ON COLUMN legal_clock.silence_days IS 'How many days of a first delay silence accepts.';
COMMENT ON COLUMN legal_clock.refund_days IS 'Working days in which to refund.';

CREATE OR REPLACE VIEW escalated WITH (security_invoker = true) AS
SELECT
	b.backorder_id,
	b.order_id,
	b.line_no,
	b.item,
	b.location,
	l.customer,
	b.remaining,
	b.opened_at,
	b.escalated_at,
	b.escalation,
	b.priority,
	b.rules,
	extract(epoch FROM greatest(now() - b.opened_at, '0')) / 86400 AS age_days,
	b.promised_at,
	b.promise_basis
FROM backorder AS b
JOIN order_line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no
WHERE b.closed_at IS NULL AND b.escalated_at IS NOT NULL;

COMMENT ON VIEW escalated IS 'Backorders that have waited longer than acceptable and wait still.';
COMMENT ON COLUMN escalated.backorder_id IS 'Number of the backorder.';
COMMENT ON COLUMN escalated.order_id IS 'Order.';
COMMENT ON COLUMN escalated.line_no IS 'Line of the order.';
COMMENT ON COLUMN escalated.item IS 'Item.';
COMMENT ON COLUMN escalated.location IS 'Location.';
COMMENT ON COLUMN escalated.customer IS 'Customer.';
COMMENT ON COLUMN escalated.remaining IS 'Stock units that still wait.';
COMMENT ON COLUMN escalated.opened_at IS 'Since when it waits.';
COMMENT ON COLUMN escalated.escalated_at IS 'When the breach was recorded.';
COMMENT ON COLUMN escalated.escalation IS 'What was added to its priority.';
COMMENT ON COLUMN escalated.priority IS 'Its priority now.';
COMMENT ON COLUMN escalated.rules IS 'Names of the priority rules that matched.';
COMMENT ON COLUMN escalated.age_days IS 'How long it has waited, in days of 24 hours.';
COMMENT ON COLUMN escalated.promised_at IS 'The date that was promised last.';
COMMENT ON COLUMN escalated.promise_basis IS 'What that rests on.';
