/*
 * Put the engine's balances right: from the facts (order lines, moves) and the
 * journal, deciding nothing anew.  Nobody else writes meanwhile, and the guards
 * of the engine's columns and tables are lifted.  Rows that are right stay as
 * they are, with whatever columns users have added to them.
 *
 * Where facts and journal themselves disagree, this fails on a CHECK of the
 * tables rather than choose whom to believe: a journal that fills more than it
 * opened (backorder_sum), moves that ship more than was ordered
 * (order_line_open_quantity), lines that hold more than was moved in
 * (the caller looks for available stock below zero).  Mend the fact that is wrong, then rebuild.
 */

/* Backorders the journal never opened. */
DELETE FROM backorder AS b
WHERE NOT EXISTS (SELECT FROM journal AS j WHERE j.backorder_id = b.backorder_id AND j.kind = 'backordered');

/* All others as the journal tells them; a turn counts from the line's entry, or from the change that made it wait. */
MERGE INTO backorder AS b
USING (
	SELECT t.backorder_id,
		(t.opening).order_id, (t.opening).line_no, (t.opening).item, (t.opening).location,
		(t.opening).quantity, (t.opening).quantity - t.filled - t.given_up AS remaining, t.given_up AS cancelled,
		(t.opening).cause,
		CASE WHEN (t.opening).cause IN ('entry', 'loss', 'reallocated')
			THEN coalesce(l.entered_at, greatest(l.placed_at, l.not_before))
			ELSE (t.opening).happened_at
		END AS claim_at,
		(t.ranking).priority, (t.ranking).rank_at, coalesce((t.ranking).rules, '{}') AS rules,
		(t.opening).happened_at AS opened_at,
		CASE WHEN (t.opening).quantity <= t.filled + t.given_up THEN t.ended_at END AS closed_at,
		CASE WHEN (t.opening).quantity > t.filled + t.given_up THEN NULL
			WHEN t.filled = 0 THEN 'cancelled'
			WHEN t.given_up = 0 THEN 'filled'
			ELSE 'partly filled'
		END AS outcome,
		(t.promise).promised_at, (t.promise).promise_basis, t.first_promised_at
	FROM (
		SELECT backorder_id,
			(array_agg(j) FILTER (WHERE kind = 'backordered'))[(count(*) FILTER (WHERE kind = 'backordered'))::integer] AS opening,
			(array_agg(j) FILTER (WHERE kind IN ('backordered', 'reranked')))[1] AS ranking,
			max(happened_at) FILTER (WHERE kind IN ('filled', 'cancelled')) AS ended_at,
			(array_agg(j) FILTER (WHERE kind IN ('backordered', 'promised')))[1] AS promise,
			(array_agg(promised_at) FILTER (WHERE promised_at IS NOT NULL))[count(promised_at)::integer] AS first_promised_at,
			coalesce(sum(quantity) FILTER (WHERE kind = 'filled'), 0) AS filled,
			coalesce(sum(quantity) FILTER (WHERE kind = 'cancelled'), 0) AS given_up
		FROM (
			SELECT j, j.backorder_id, j.kind, j.quantity, j.happened_at, j.promised_at
			FROM journal AS j
			WHERE j.backorder_id IS NOT NULL
			ORDER BY j.backorder_id, j.journal_id DESC
		) AS latest_first
		GROUP BY backorder_id
		HAVING count(*) FILTER (WHERE kind = 'backordered') > 0
	) AS t
	JOIN order_line AS l ON l.order_id = (t.opening).order_id AND l.line_no = (t.opening).line_no
) AS t ON b.backorder_id = t.backorder_id
WHEN MATCHED AND
	(b.order_id, b.line_no, b.item, b.location, b.quantity, b.remaining, b.cancelled, b.cause,
		b.claim_at, b.priority, b.rank_at, b.rules, b.opened_at, b.closed_at, b.outcome,
		b.promised_at, b.promise_basis, b.first_promised_at)
	IS DISTINCT FROM
	(t.order_id, t.line_no, t.item, t.location, t.quantity, t.remaining, t.cancelled, t.cause,
		t.claim_at, t.priority, t.rank_at, t.rules, t.opened_at, t.closed_at, t.outcome,
		t.promised_at, t.promise_basis, t.first_promised_at)
THEN UPDATE SET
	order_id = t.order_id, line_no = t.line_no, item = t.item, location = t.location,
	quantity = t.quantity, remaining = t.remaining, cancelled = t.cancelled, cause = t.cause,
	claim_at = t.claim_at, priority = t.priority, rank_at = t.rank_at, rules = t.rules,
	opened_at = t.opened_at, closed_at = t.closed_at, outcome = t.outcome,
	promised_at = t.promised_at, promise_basis = t.promise_basis, first_promised_at = t.first_promised_at
WHEN NOT MATCHED THEN INSERT
	(backorder_id, order_id, line_no, item, location, quantity, remaining, cancelled, cause,
		claim_at, priority, rank_at, rules, opened_at, closed_at, outcome,
		promised_at, promise_basis, first_promised_at)
	VALUES
	(t.backorder_id, t.order_id, t.line_no, t.item, t.location, t.quantity, t.remaining, t.cancelled, t.cause,
		t.claim_at, t.priority, t.rank_at, t.rules, t.opened_at, t.closed_at, t.outcome,
		t.promised_at, t.promise_basis, t.first_promised_at);

/* What the journal tells of waiting too long. */
UPDATE backorder AS b
SET escalated_at = t.escalated_at, escalation = t.escalation
FROM (
	SELECT backorder_id, e.happened_at AS escalated_at, coalesce(e.priority, 0) AS escalation
	FROM backorder
	LEFT JOIN (SELECT * FROM journal WHERE kind = 'escalated') AS e USING (backorder_id)
) AS t
WHERE b.backorder_id = t.backorder_id AND (b.escalated_at, b.escalation) IS DISTINCT FROM (t.escalated_at, t.escalation);

/* The two sums a line carries: what was shipped, and what was short when it entered. */
UPDATE order_line AS l
SET shipped = t.shipped, backordered_at_entry = t.backordered_at_entry
FROM (
	SELECT order_id, line_no, coalesce(m.shipped, 0) AS shipped, coalesce(b.quantity, 0) AS backordered_at_entry
	FROM order_line
	LEFT JOIN (
		SELECT order_id, line_no, sum(CASE kind WHEN 'shipment' THEN quantity ELSE -quantity END) AS shipped
		FROM stock_move
		WHERE kind IN ('shipment', 'shipment_reversal')
		GROUP BY order_id, line_no
	) AS m USING (order_id, line_no)
	LEFT JOIN (
		SELECT order_id, line_no, sum(quantity) AS quantity
		FROM backorder
		WHERE cause = 'entry'
		GROUP BY order_id, line_no
	) AS b USING (order_id, line_no)
) AS t
WHERE (l.order_id, l.line_no) = (t.order_id, t.line_no)
	AND (l.shipped, l.backordered_at_entry) <> (t.shipped, t.backordered_at_entry);

/*
 * The balance of an item at a location, in one slot: what lines have open and do
 * not wait for is allocated, the rest of what was moved in is available.  Slots
 * spread again as orders come.
 */
DELETE FROM stock_slot;

INSERT INTO stock_slot (item, location, slot, available, allocated, backordered)
SELECT item, location, 0, sum(moved) - sum(open) + sum(waiting), sum(open) - sum(waiting), sum(waiting)
FROM (
	SELECT item, location,
		CASE WHEN kind IN ('shipment', 'return_to_vendor', 'transfer_out') THEN -quantity ELSE quantity END,
		0, 0
	FROM stock_move
	UNION ALL
	SELECT item, location, 0, quantity - cancelled - shipped, 0
	FROM order_line
	WHERE NOT on_hold AND cancelled + shipped < quantity
	UNION ALL
	SELECT l.item, l.location, 0, 0, b.remaining
	FROM backorder AS b
	JOIN order_line AS l USING (order_id, line_no)
	WHERE b.closed_at IS NULL
) AS part (item, location, moved, open, waiting)
GROUP BY item, location
HAVING sum(moved) <> 0 OR sum(open) <> 0 OR sum(waiting) <> 0;

/* What arrived of expected supply; a first promise that is missing is what the row says now. */
UPDATE inbound AS i
SET received = t.received, last_received_at = t.last_received_at,
	first_quantity = t.first_quantity, first_expected_at = t.first_expected_at
FROM (
	SELECT n.inbound_id, coalesce(m.received, 0) AS received, m.last_received_at,
		coalesce(n.first_quantity, n.quantity) AS first_quantity,
		coalesce(n.first_expected_at, n.expected_at) AS first_expected_at
	FROM inbound AS n
	LEFT JOIN (
		SELECT inbound_id, sum(quantity) AS received, max(moved_at) AS last_received_at
		FROM stock_move
		WHERE inbound_id IS NOT NULL
		GROUP BY inbound_id
	) AS m USING (inbound_id)
) AS t
WHERE i.inbound_id = t.inbound_id
	AND (i.received, i.last_received_at, i.first_quantity, i.first_expected_at)
		IS DISTINCT FROM (t.received, t.last_received_at, t.first_quantity, t.first_expected_at);

/* Sequences that fell behind, as after rows were copied in by hand; never back. */
SELECT setval(pg_get_serial_sequence('stock_move', 'move_id'), max(move_id)) FROM stock_move
HAVING max(move_id) >= backorder.next_id('stock_move', 'move_id');

SELECT setval(pg_get_serial_sequence('inbound', 'inbound_id'), max(inbound_id)) FROM inbound
HAVING max(inbound_id) >= backorder.next_id('inbound', 'inbound_id');

SELECT setval(pg_get_serial_sequence('backorder', 'backorder_id'), max(backorder_id)) FROM backorder
HAVING max(backorder_id) >= backorder.next_id('backorder', 'backorder_id');

SELECT setval(pg_get_serial_sequence('journal', 'journal_id'), max(journal_id)) FROM journal
HAVING max(journal_id) >= backorder.next_id('journal', 'journal_id');
