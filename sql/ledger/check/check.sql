/*
 * Every disagreement in a ledger, one row each; none means that the facts, the
 * balances and the journal tell one story.  $1 is an item, or NULL for all.
 * It only reads, and works on a standby.  Each name (column invariant) is
 * explained at its branch below.  Triggers and versions are checked in C.
 *
 * The tables are read a few times each, whatever the number of rows that
 * disagree: everything is a hash join or one sort, nothing is looked up row by
 * row.  (What may be NULL is only joined where it is not: many NULLs in a hash
 * table cost dear.)  Columns that users have added do not matter, whatever their
 * names.  A row whose item was tampered with shows up as missing for its true item.
 */
WITH line AS (
	/* every order line, what of it is open, and what its backorders, moves and journal rows add up to */
	SELECT l.order_id, l.line_no, l.item, l.location, l.quantity, l.cancelled, l.shipped, l.firm, l.not_before,
		l.on_hold, l.entered_at, l.backordered_at_entry, l.entered_quantity,
		NOT l.on_hold OR l.entered_at IS NOT NULL AS ever_entered,
		coalesce(l.entered_at, greatest(l.placed_at, l.not_before)) AS entry_time,
		CASE WHEN l.on_hold THEN 0 ELSE l.quantity - l.cancelled - l.shipped END AS open,
		coalesce(b.waiting, 0) AS waiting,
		coalesce(b.quantity_at_entry, 0) AS quantity_at_entry,
		coalesce(m.shipped, 0) AS moved,
		j.first_entries, j.first_entered, j.first_entered_at, j.held, j.given_up_for_hold,
		CASE WHEN j.relocated IS NOT TRUE
			THEN coalesce(j.last_entered, l.entered_quantity, l.quantity) + coalesce(j.change, 0)
		END AS told_open
	FROM order_line AS l
	LEFT JOIN (
		SELECT order_id, line_no,
			sum(remaining) AS waiting,
			sum(quantity) FILTER (WHERE cause = 'entry') AS quantity_at_entry
		FROM backorder
		WHERE $1 IS NULL OR item = $1
		GROUP BY order_id, line_no
	) AS b USING (order_id, line_no)
	LEFT JOIN (
		SELECT order_id, line_no,
			sum(CASE kind WHEN 'shipment' THEN quantity ELSE -quantity END) AS shipped
		FROM stock_move
		WHERE kind IN ('shipment', 'shipment_reversal') AND ($1 IS NULL OR item = $1)
		GROUP BY order_id, line_no
	) AS m USING (order_id, line_no)
	LEFT JOIN (
		SELECT order_id, line_no,
			count(*) FILTER (WHERE first_time) AS first_entries,
			max(quantity) FILTER (WHERE first_time) AS first_entered,
			max(happened_at) FILTER (WHERE first_time) AS first_entered_at,
			max(quantity) FILTER (WHERE journal_id = last_entry) AS last_entered,
			coalesce(sum(quantity) FILTER (WHERE kind = 'held'), 0) AS held,
			coalesce(sum(quantity) FILTER (WHERE cause = 'hold' AND kind <> 'held'), 0) AS given_up_for_hold,
			sum(CASE
				WHEN kind = 'unshipped' OR (kind = 'changed' AND cause = 'raise') THEN quantity
				WHEN kind IN ('cancelled', 'released', 'shipped') THEN -quantity
			END) FILTER (WHERE since_last_entry) AS change,
			/* a change of location gives everything up and asks for it again, which tells nothing of a new quantity */
			bool_or(cause = 'move') FILTER (WHERE since_last_entry) AS relocated
		FROM (
			SELECT j.journal_id, j.kind, j.cause, j.order_id, j.line_no, j.quantity, j.happened_at, e.last_entry,
				j.kind = 'entered' AND j.cause = 'entry' AS first_time,
				e.last_entry IS NULL OR j.journal_id > e.last_entry AS since_last_entry
			FROM journal AS j
			LEFT JOIN (
				SELECT order_id, line_no, max(journal_id) AS last_entry
				FROM journal
				WHERE kind = 'entered'
				GROUP BY order_id, line_no
			) AS e ON e.order_id = j.order_id AND e.line_no = j.line_no
			WHERE $1 IS NULL OR j.item = $1
		) AS told
		GROUP BY order_id, line_no
	) AS j USING (order_id, line_no)
	WHERE $1 IS NULL OR l.item = $1
),
balance AS (
	/* each item at each location: what the slots say, and what moves, lines and backorders say */
	SELECT item, location,
		sum(moved) AS moved, sum(open) AS open, sum(waiting) AS waiting,
		sum(available) AS available, sum(allocated) AS allocated, sum(backordered) AS backordered
	FROM (
		SELECT item, location, sum(available), sum(allocated), sum(backordered), 0, 0, 0
		FROM stock_slot
		WHERE $1 IS NULL OR item = $1
		GROUP BY item, location
		UNION ALL
		SELECT item, location, 0, 0, 0,
			sum(CASE WHEN kind IN ('shipment', 'return_to_vendor', 'transfer_out') THEN -quantity ELSE quantity END), 0, 0
		FROM stock_move
		WHERE $1 IS NULL OR item = $1
		GROUP BY item, location
		UNION ALL
		SELECT item, location, 0, 0, 0, 0, sum(open), sum(waiting)
		FROM line
		GROUP BY item, location
	) AS part (item, location, available, allocated, backordered, moved, open, waiting)
	GROUP BY item, location
),
told AS (
	/* each backorder as the journal tells it: how it was opened, last ranked and last changed, and what was filled and given up */
	SELECT backorder_id,
		count(*) FILTER (WHERE kind = 'backordered') AS openings,
		count(*) FILTER (WHERE kind = 'reranked') AS rerankings,
		(array_agg(j) FILTER (WHERE kind = 'backordered'))[(count(*) FILTER (WHERE kind = 'backordered'))::integer] AS opening,
		(array_agg(j) FILTER (WHERE kind IN ('backordered', 'reranked')))[1] AS ranking,
		(array_agg(j) FILTER (WHERE kind IN ('filled', 'cancelled')))[1] AS ending,
		max(happened_at) FILTER (WHERE kind IN ('filled', 'cancelled')) AS ended_at,
		(array_agg(j) FILTER (WHERE kind IN ('backordered', 'promised')))[1] AS promise,
		(array_agg(promised_at) FILTER (WHERE promised_at IS NOT NULL))[count(promised_at)::integer] AS first_promised_at,
		coalesce(sum(quantity) FILTER (WHERE kind = 'filled'), 0) AS filled,
		coalesce(sum(quantity) FILTER (WHERE kind = 'cancelled'), 0) AS cancelled
	FROM (
		SELECT j, j.backorder_id, j.kind, j.quantity, j.happened_at, j.promised_at
		FROM journal AS j
		WHERE j.backorder_id IS NOT NULL AND ($1 IS NULL OR j.item = $1)
		ORDER BY j.backorder_id, j.journal_id DESC
	) AS latest_first
	GROUP BY backorder_id
),
disagreement AS (
	/* one item at one location */
	SELECT found.invariant, b.item, b.location, NULL::text AS order_id, NULL::bigint AS line_no, found.expected, found.actual
	FROM balance AS b
	LEFT JOIN item AS i ON i.item = b.item,
	LATERAL (
		/* on hand: what the slots hold is what the moves brought in less what they took out */
		SELECT 'on hand' AS invariant, trim_scale(b.moved)::text AS expected, trim_scale(b.available + b.allocated)::text AS actual
		WHERE b.available + b.allocated <> b.moved
		UNION ALL
		/* allocated: what the slots have given away is what the lines have: open and not waiting */
		SELECT 'allocated', trim_scale(b.open - b.waiting)::text, trim_scale(b.allocated)::text
		WHERE b.allocated <> b.open - b.waiting
		UNION ALL
		/* backordered: what the slots count as waiting is what the lines wait for */
		SELECT 'backordered', trim_scale(b.waiting)::text, trim_scale(b.backordered)::text
		WHERE b.backordered <> b.waiting
		UNION ALL
		/* available: nothing is oversold; the facts themselves never promise more than was moved in */
		SELECT 'available', '0 or more', trim_scale(b.moved - (b.open - b.waiting))::text
		WHERE b.moved < b.open - b.waiting
		UNION ALL
		/* nothing idle: nobody waits beside available stock, unless the item is allocated by hand */
		SELECT 'nothing idle', '0 available while ' || trim_scale(b.waiting) || ' wait', trim_scale(b.available)::text
		WHERE b.available > 0 AND b.waiting > 0 AND coalesce(i.auto_allocate, true)
	) AS found

	UNION ALL
	/* available: not even one slot is below zero (the sum might hide it) */
	SELECT 'available', item, location, NULL, NULL, '0 or more in slot ' || slot, trim_scale(available)::text
	FROM stock_slot
	WHERE NOT available >= 0 AND ($1 IS NULL OR item = $1)

	UNION ALL
	/* one order line */
	SELECT found.invariant, l.item, l.location, l.order_id, l.line_no, found.expected, found.actual
	FROM line AS l
	LEFT JOIN item AS i ON i.item = l.item
	LEFT JOIN location AS p ON p.location = l.location,
	LATERAL (
		/* waiting: a line waits for no more than is open, and for nothing while it is on hold */
		SELECT 'waiting' AS invariant, trim_scale(l.open) || ' or less' AS expected, trim_scale(l.waiting)::text AS actual
		WHERE l.waiting > l.open
		UNION ALL
		/* open quantity: what is open is what entered, and what the journal says was added, given up and shipped since */
		SELECT 'open quantity', trim_scale(l.told_open)::text, trim_scale(l.open)::text
		WHERE NOT l.on_hold AND l.open <> l.told_open
		UNION ALL
		/* quantities: something is ordered, nothing is below zero, and no more is cancelled, shipped and picked than was ordered */
		SELECT 'quantities', 'cancelled, shipped and firm within quantity',
			concat_ws(' ', l.cancelled, l.shipped, l.firm, 'of', l.quantity)
		WHERE NOT (l.quantity > 0 AND l.quantity < 'Infinity' AND l.cancelled >= 0 AND l.shipped >= 0 AND l.firm >= 0
			AND l.cancelled + l.shipped + l.firm <= l.quantity)
		UNION ALL
		/* firm: picked units are allocated */
		SELECT 'firm', trim_scale(l.open - l.waiting) || ' or less', trim_scale(l.firm)::text
		WHERE l.firm > greatest(l.open - l.waiting, 0)
		UNION ALL
		/* shipped: what the line says was shipped is shipments less reversals */
		SELECT 'shipped', trim_scale(l.moved)::text, trim_scale(l.shipped)::text
		WHERE l.shipped <> l.moved
		UNION ALL
		/* backordered at entry: the flag is the sum of the episodes that opened on entry */
		SELECT 'backordered at entry', trim_scale(l.quantity_at_entry)::text, trim_scale(l.backordered_at_entry)::text
		WHERE l.backordered_at_entry <> l.quantity_at_entry
		UNION ALL
		/* entered quantity: no more was short at entry than was entered */
		SELECT 'entered quantity', trim_scale(l.backordered_at_entry) || ' or more', trim_scale(coalesce(l.entered_quantity, l.quantity))::text
		WHERE coalesce(l.entered_quantity, l.quantity) < l.backordered_at_entry OR l.entered_quantity <= 0
		UNION ALL
		/* entered quantity, entry time: a line that was on hold entered once, with the quantity and at the time that count for the figures */
		SELECT 'entered quantity', trim_scale(coalesce(l.entered_quantity, l.quantity)) || ' entered once',
			trim_scale(l.first_entered) || ' entered, ' || l.first_entries || ' times'
		WHERE l.first_entries > 1 OR l.first_entered <> coalesce(l.entered_quantity, l.quantity)
		UNION ALL
		SELECT 'entry time', l.first_entered_at::text, l.entry_time::text
		WHERE l.first_entered_at <> l.entry_time
		UNION ALL
		/* on hold: a line with something to enter is on hold until a date, and one that has entered waits for no date to come */
		SELECT 'on hold', 'a date to wait for', 'none'
		WHERE l.on_hold AND l.not_before IS NULL AND l.cancelled + l.shipped < l.quantity
		UNION ALL
		SELECT 'on hold', 'on hold until ' || l.not_before, 'entered'
		WHERE NOT l.on_hold AND l.not_before > clock_timestamp()
		UNION ALL
		/* on hold: what has never entered was never short, and has no past */
		SELECT 'on hold', 'no facts before entry', concat_ws(', ',
			'shipped ' || trim_scale(nullif(l.shipped, 0)),
			'backordered at entry ' || trim_scale(nullif(l.backordered_at_entry, 0)),
			'entered quantity ' || trim_scale(l.entered_quantity))
		WHERE NOT l.ever_entered AND (l.shipped <> 0 OR l.backordered_at_entry <> 0 OR l.entered_quantity IS NOT NULL)
		UNION ALL
		/* on hold: what was open when it was put on hold was given up */
		SELECT 'on hold', trim_scale(l.held) || ' given up', trim_scale(l.given_up_for_hold)::text
		WHERE l.held <> l.given_up_for_hold
		UNION ALL
		/* known item, known location: the line names rows that exist */
		SELECT 'known item', l.item, NULL
		WHERE i.item IS NULL
		UNION ALL
		SELECT 'known location', l.location, NULL
		WHERE p.location IS NULL
	) AS found

	UNION ALL
	/* one backorder, and what the journal tells of it */
	SELECT found.invariant,
		coalesce(b.item, (t.opening).item, (t.ending).item, (t.ranking).item),
		coalesce(b.location, (t.opening).location, (t.ending).location, (t.ranking).location),
		coalesce(b.order_id, (t.opening).order_id, (t.ending).order_id, (t.ranking).order_id),
		coalesce(b.line_no, (t.opening).line_no, (t.ending).line_no, (t.ranking).line_no),
		found.expected, found.actual
	FROM (SELECT * FROM backorder WHERE $1 IS NULL OR item = $1) AS b
	FULL JOIN told AS t USING (backorder_id)
	LEFT JOIN line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no,
	LATERAL (
		SELECT (t.opening).quantity - t.filled - t.cancelled AS remaining,
			CASE
				WHEN t.filled = 0 THEN 'cancelled'
				WHEN t.cancelled = 0 THEN 'filled'
				ELSE 'partly filled'
			END AS outcome
	) AS due,
	LATERAL (
		/* backorder of journal: what the journal tells of a backorder, a row of the table shows */
		SELECT 'backorder of journal' AS invariant, 'backorder ' || t.backorder_id AS expected, NULL::text AS actual
		WHERE b.backorder_id IS NULL
		UNION ALL
		/* opening of backorder: the journal opens each backorder once, … */
		SELECT 'opening of backorder', '1 journal row', coalesce(t.openings, 0)::text
		WHERE b.backorder_id IS NOT NULL AND t.openings IS DISTINCT FROM 1
		UNION ALL
		/* opening of backorder: … at the time and for the cause that the backorder shows */
		SELECT 'opening of backorder', concat_ws(' ', (t.opening).cause, (t.opening).happened_at), concat_ws(' ', b.cause, b.opened_at)
		WHERE (b.cause, b.opened_at) <> ((t.opening).cause, (t.opening).happened_at)
		UNION ALL
		/* line of backorder: it waits for the line, item and location it was opened for */
		SELECT 'line of backorder',
			concat_ws(' ', (t.opening).order_id, (t.opening).line_no, (t.opening).item, (t.opening).location),
			concat_ws(' ', b.order_id, b.line_no, b.item, b.location)
		WHERE (b.order_id, b.line_no, b.item, b.location)
			<> ((t.opening).order_id, (t.opening).line_no, (t.opening).item, (t.opening).location)
		UNION ALL
		/* line of backorder: the line exists, and an open backorder waits where its line does */
		SELECT 'line of backorder', concat_ws(' ', l.order_id, l.line_no, l.item, l.location), concat_ws(' ', b.order_id, b.line_no, b.item, b.location)
		WHERE b.backorder_id IS NOT NULL
			AND (l.order_id IS NULL OR b.item <> l.item OR (b.remaining > 0 AND b.location <> l.location))
		UNION ALL
		/* quantity of backorder: it was opened for as much as the journal says */
		SELECT 'quantity of backorder', trim_scale((t.opening).quantity)::text, trim_scale(b.quantity)::text
		WHERE b.quantity <> (t.opening).quantity
		UNION ALL
		/* cancelled of backorder: what the journal says was given up */
		SELECT 'cancelled of backorder', trim_scale(t.cancelled)::text, trim_scale(b.cancelled)::text
		WHERE b.cancelled <> t.cancelled
		UNION ALL
		/* remaining of backorder: opened, less filled, less given up */
		SELECT 'remaining of backorder', trim_scale(due.remaining)::text, trim_scale(b.remaining)::text
		WHERE b.remaining <> due.remaining
		UNION ALL
		/* rank of backorder: it stands where the journal last put it */
		SELECT 'rank of backorder',
			concat_ws(' ', (t.ranking).priority, (t.ranking).rank_at, (t.ranking).rules),
			concat_ws(' ', b.priority, b.rank_at, b.rules)
		WHERE (b.priority, b.rank_at, b.rules)
			IS DISTINCT FROM ((t.ranking).priority, (t.ranking).rank_at, coalesce((t.ranking).rules, '{}'))
			AND (t.ranking).journal_id IS NOT NULL AND b.backorder_id IS NOT NULL
		UNION ALL
		/* promise of backorder: what the journal last told, and what it rests on */
		SELECT 'promise of backorder',
			coalesce(nullif(concat_ws(' ', (t.promise).promise_basis, (t.promise).promised_at), ''), 'none'),
			coalesce(nullif(concat_ws(' ', b.promise_basis, b.promised_at), ''), 'none')
		WHERE (b.promise_basis, b.promised_at) IS DISTINCT FROM ((t.promise).promise_basis, (t.promise).promised_at)
			AND (t.promise).journal_id IS NOT NULL AND b.backorder_id IS NOT NULL
		UNION ALL
		/* first promise: the first date that the journal told, kept for ever */
		SELECT 'first promise', coalesce(t.first_promised_at::text, 'none'), coalesce(b.first_promised_at::text, 'none')
		WHERE b.first_promised_at IS DISTINCT FROM t.first_promised_at
			AND (t.opening).journal_id IS NOT NULL AND b.backorder_id IS NOT NULL
		UNION ALL
		/* claim of backorder: its turn counts from the line's entry, or from the change that made it wait */
		SELECT 'claim of backorder', l.entry_time::text, b.claim_at::text
		WHERE b.cause IN ('entry', 'loss', 'reallocated') AND b.claim_at <> l.entry_time
		UNION ALL
		SELECT 'claim of backorder', b.opened_at::text, b.claim_at::text
		WHERE b.cause NOT IN ('loss', 'reallocated') AND b.claim_at <> b.opened_at
		UNION ALL
		/* end of backorder: closed when nothing remains, at its last fill or cancellation, with the outcome these add up to */
		SELECT 'end of backorder',
			CASE WHEN due.remaining > 0 THEN 'open' ELSE concat_ws(' ', due.outcome, t.ended_at) END,
			CASE WHEN b.closed_at IS NULL THEN 'open' ELSE concat_ws(' ', b.outcome, b.closed_at) END
		WHERE b.backorder_id IS NOT NULL
			AND CASE WHEN due.remaining > 0 THEN b.closed_at IS NOT NULL OR b.outcome IS NOT NULL
				ELSE (b.outcome, b.closed_at) IS DISTINCT FROM (due.outcome, t.ended_at)
					AND (t.opening).journal_id IS NOT NULL
				END
	) AS found

	UNION ALL
	/* one journal row */
	SELECT found.invariant, j.item, j.location, j.order_id, j.line_no, found.expected, found.actual
	FROM (SELECT * FROM journal WHERE $1 IS NULL OR item = $1) AS j
	LEFT JOIN line AS l ON l.order_id = j.order_id AND l.line_no = j.line_no,
	LATERAL (
		/* line of journal: it tells of a line that exists, and of the item of that line (cancelled before entry, it may be gone or another's) */
		SELECT 'line of journal' AS invariant, concat_ws(' ', l.order_id, l.line_no, l.item) AS expected,
			concat_ws(' ', j.order_id, j.line_no, j.item, 'in row', j.journal_id) AS actual
		WHERE (l.order_id IS NULL OR l.item <> j.item) AND (j.kind, j.cause) <> ('changed', 'cancel')
		UNION ALL
		/* backorder of journal: what happens to a backorder names it, and what happens to allocated units names none */
		SELECT 'backorder of journal', CASE WHEN j.backorder_id IS NULL THEN 'a backorder' ELSE 'none' END,
			concat_ws(' ', j.kind, 'backorder ' || j.backorder_id, 'in row', j.journal_id)
		WHERE (j.backorder_id IS NOT NULL) <> (j.kind IN ('backordered', 'filled', 'cancelled', 'reranked', 'promised', 'escalated'))
		UNION ALL
		/* move of journal: what is shipped or taken back names the move */
		SELECT 'move of journal', 'a move', concat_ws(' ', j.kind, 'in row', j.journal_id)
		WHERE j.kind IN ('shipped', 'unshipped') AND j.move_id IS NULL
	) AS found

	UNION ALL
	/* former promise: a promise that moved names the one told before */
	SELECT 'former promise', item, location, order_id, line_no, coalesce(before::text, 'none'),
		coalesce(former_promised_at::text, 'none') || ' in row ' || journal_id
	FROM (
		SELECT item, location, order_id, line_no, kind, journal_id, former_promised_at,
			lag(promised_at) OVER (PARTITION BY backorder_id ORDER BY journal_id) AS before
		FROM journal
		WHERE kind IN ('backordered', 'promised') AND ($1 IS NULL OR item = $1)
	) AS j
	WHERE kind = 'promised' AND former_promised_at IS DISTINCT FROM before

	UNION ALL
	/* one journal row that names a backorder (which exists: see above) */
	SELECT found.invariant, j.item, j.location, j.order_id, j.line_no, found.expected, found.actual
	FROM (SELECT * FROM journal WHERE backorder_id IS NOT NULL AND ($1 IS NULL OR item = $1)) AS j
	JOIN backorder AS b ON b.backorder_id = j.backorder_id
	JOIN told AS t ON t.backorder_id = j.backorder_id,
	LATERAL (
		/* backorder of journal: it tells of the line, item and location of its backorder */
		SELECT 'backorder of journal' AS invariant, concat_ws(' ', b.order_id, b.line_no, b.item, b.location) AS expected,
			concat_ws(' ', j.order_id, j.line_no, j.item, j.location, 'in row', j.journal_id) AS actual
		WHERE j.kind <> 'backordered'
			AND (b.order_id, b.line_no, b.item, b.location) <> (j.order_id, j.line_no, j.item, j.location)
		UNION ALL
		/* time of journal: nothing is filled or given up before it was short */
		SELECT 'time of journal', b.opened_at || ' or later', j.happened_at || ' in row ' || j.journal_id
		WHERE j.happened_at < b.opened_at AND j.kind IN ('filled', 'cancelled')
		UNION ALL
		/* rank of journal: what was never ranked anew was filled or given up at the rank with which it opened */
		SELECT 'rank of journal',
			concat_ws(' ', (t.opening).priority, (t.opening).rank_at, (t.opening).rules),
			concat_ws(' ', j.priority, j.rank_at, j.rules, 'in row', j.journal_id)
		WHERE j.kind IN ('filled', 'cancelled') AND t.openings = 1 AND t.rerankings = 0
			AND (j.priority, j.rank_at, j.rules)
				IS DISTINCT FROM ((t.opening).priority, (t.opening).rank_at, (t.opening).rules)
	) AS found

	UNION ALL
	/* one journal row that names a move */
	SELECT found.invariant, j.item, j.location, j.order_id, j.line_no, found.expected, found.actual
	FROM (SELECT * FROM journal WHERE move_id IS NOT NULL AND ($1 IS NULL OR item = $1)) AS j
	LEFT JOIN stock_move AS m ON m.move_id = j.move_id,
	LATERAL (
		/* move of journal: the move exists, and is of that item and location */
		SELECT 'move of journal' AS invariant, concat_ws(' ', 'move ' || m.move_id, m.item, m.location) AS expected,
			concat_ws(' ', 'move ' || j.move_id, j.item, j.location, 'in row', j.journal_id) AS actual
		WHERE m.move_id IS NULL OR (m.item, m.location) <> (j.item, j.location)
		UNION ALL
		/* move of journal: shipped and taken back is what a shipment or its reversal says of its line */
		SELECT 'move of journal', concat_ws(' ', m.kind, m.order_id, m.line_no),
			concat_ws(' ', j.kind, 'by', j.cause, j.order_id, j.line_no, 'in row', j.journal_id)
		WHERE j.kind IN ('shipped', 'unshipped')
			AND (m.kind, m.kind, m.order_id, m.line_no)
				<> (CASE j.kind WHEN 'shipped' THEN 'shipment' ELSE 'shipment_reversal' END, j.cause, j.order_id, j.line_no)
		UNION ALL
		/* move of journal: a fill is caused by the kind of move, but a shipment takes what it lacks from others */
		SELECT 'move of journal', CASE m.kind WHEN 'shipment' THEN 'reallocated' ELSE m.kind END,
			concat_ws(' ', 'filled by', j.cause, 'in row', j.journal_id)
		WHERE j.kind = 'filled' AND j.cause <> CASE m.kind WHEN 'shipment' THEN 'reallocated' ELSE m.kind END
		UNION ALL
		/* time of journal: what is shipped and taken back happens when it moves */
		SELECT 'time of journal', m.moved_at::text, j.happened_at || ' in row ' || j.journal_id
		WHERE j.kind IN ('shipped', 'unshipped') AND j.happened_at <> m.moved_at
	) AS found

	UNION ALL
	/* time of journal: a move fills when it moves, but nothing before it was short; it takes away when it moves, but from no line before it entered */
	SELECT 'time of journal', j.item, j.location, j.order_id, j.line_no, due.happened_at::text, j.happened_at || ' in row ' || j.journal_id
	FROM (
		SELECT *
		FROM journal
		WHERE kind IN ('filled', 'backordered') AND move_id IS NOT NULL AND backorder_id IS NOT NULL AND ($1 IS NULL OR item = $1)
	) AS j
	JOIN stock_move AS m ON m.move_id = j.move_id
	JOIN backorder AS b ON b.backorder_id = j.backorder_id
	JOIN line AS l ON l.order_id = j.order_id AND l.line_no = j.line_no,
	LATERAL (
		SELECT greatest(m.moved_at, CASE j.kind WHEN 'filled' THEN b.opened_at ELSE l.entry_time END) AS happened_at
	) AS due
	WHERE j.happened_at <> due.happened_at

	UNION ALL
	/* one move, and what the journal says that it did */
	SELECT found.invariant, m.item, m.location, m.order_id, m.line_no, found.expected, found.actual
	FROM (SELECT * FROM stock_move WHERE $1 IS NULL OR item = $1) AS m
	LEFT JOIN item AS i ON i.item = m.item
	LEFT JOIN location AS p ON p.location = m.location
	LEFT JOIN (
		SELECT move_id,
			sum(quantity) FILTER (WHERE kind IN ('shipped', 'unshipped')) AS shipped,
			sum(quantity) FILTER (WHERE kind = 'filled') AS filled,
			sum(quantity) FILTER (WHERE kind = 'backordered') AS lost
		FROM journal
		WHERE move_id IS NOT NULL AND ($1 IS NULL OR item = $1)
		GROUP BY move_id
	) AS j ON j.move_id = m.move_id,
	LATERAL (
		/* journal of move: each shipment and each reversal is told with its quantity */
		SELECT 'journal of move' AS invariant, trim_scale(m.quantity) || ' by move ' || m.move_id AS expected,
			trim_scale(coalesce(j.shipped, 0))::text AS actual
		WHERE coalesce(j.shipped, 0) <> CASE WHEN m.kind IN ('shipment', 'shipment_reversal') THEN m.quantity ELSE 0 END
		UNION ALL
		/* journal of move: it fills no more than it brings (or finds, for a shipment), … */
		SELECT 'journal of move', trim_scale(abs(m.quantity)) || ' or less filled by move ' || m.move_id, trim_scale(j.filled)::text
		WHERE j.filled > abs(m.quantity)
		UNION ALL
		/* journal of move: … and takes no more from lines than it takes away */
		SELECT 'journal of move', trim_scale(abs(m.quantity)) || ' or less lost by move ' || m.move_id, trim_scale(j.lost)::text
		WHERE j.lost > abs(m.quantity)
		UNION ALL
		/* quantities: a move moves something, and only an adjustment says by its sign where to */
		SELECT 'quantities', 'a number above zero in move ' || m.move_id, trim_scale(m.quantity) || ' by ' || m.kind
		WHERE NOT (m.quantity < 1e30 AND (m.quantity > 0 OR m.kind = 'adjustment' AND m.quantity < 0 AND m.quantity > -1e30))
		UNION ALL
		/* kind of move: one that is known */
		SELECT 'kind of move', 'a known kind of move ' || m.move_id, m.kind
		WHERE m.kind NOT IN ('receipt', 'customer_return', 'return_to_vendor', 'shipment', 'shipment_reversal', 'adjustment',
			'transfer_out', 'transfer_in')
		UNION ALL
		/* line of move: a line is named in full */
		SELECT 'line of move', 'order and line of move ' || m.move_id, concat_ws(' ', m.order_id, m.line_no)
		WHERE (m.order_id IS NULL) <> (m.line_no IS NULL)
		UNION ALL
		/* known item, known location: the move names rows that exist */
		SELECT 'known item', m.item, NULL
		WHERE i.item IS NULL
		UNION ALL
		SELECT 'known location', m.location, NULL
		WHERE p.location IS NULL
	) AS found

	UNION ALL
	/* line of move: the line of a shipment or its reversal exists, and is of that item */
	SELECT 'line of move', m.item, m.location, m.order_id, m.line_no, concat_ws(' ', l.order_id, l.line_no, l.item),
		concat_ws(' ', m.order_id, m.line_no, m.item, 'in move', m.move_id)
	FROM (SELECT * FROM stock_move WHERE kind IN ('shipment', 'shipment_reversal') AND ($1 IS NULL OR item = $1)) AS m
	LEFT JOIN line AS l ON l.order_id = m.order_id AND l.line_no = m.line_no
	WHERE l.order_id IS NULL OR l.item <> m.item

	UNION ALL
	/* one row of expected supply, and the receipts that name it */
	SELECT found.invariant, coalesce(n.item, m.item), coalesce(n.location, m.location), NULL, NULL, found.expected, found.actual
	FROM (SELECT * FROM inbound WHERE $1 IS NULL OR item = $1) AS n
	FULL JOIN (
		SELECT inbound_id, min(item) AS item, min(location) AS location, sum(quantity) AS quantity, max(moved_at) AS moved_at,
			bool_and(kind = 'receipt') AS receipts, count(DISTINCT (item, location)) AS places
		FROM stock_move
		WHERE inbound_id IS NOT NULL AND ($1 IS NULL OR item = $1)
		GROUP BY inbound_id
	) AS m USING (inbound_id),
	LATERAL (
		/* received: what has arrived is the sum of the receipts, and the latest of them the last */
		SELECT 'received' AS invariant, concat_ws(' ', trim_scale(coalesce(m.quantity, 0)), m.moved_at) AS expected,
			concat_ws(' ', trim_scale(n.received), n.last_received_at, 'of inbound', inbound_id) AS actual
		WHERE n.item IS NOT NULL
			AND (n.received, n.last_received_at) IS DISTINCT FROM (coalesce(m.quantity, 0), m.moved_at)
		UNION ALL
		/* inbound of move: what a receipt names exists, and is of its item and location; nothing else names it */
		SELECT 'inbound of move', concat_ws(' ', n.item, n.location), concat_ws(' ', m.item, m.location, 'of inbound', inbound_id)
		WHERE m.quantity IS NOT NULL
			AND ((m.item, m.location) IS DISTINCT FROM (n.item, n.location) OR NOT m.receipts OR m.places > 1)
		UNION ALL
		/* promise of supplier: what he promised first is on record */
		SELECT 'promise of supplier', 'a quantity and, where one was promised, a time', concat_ws(' ', n.first_quantity, n.first_expected_at, 'of inbound', inbound_id)
		WHERE n.item IS NOT NULL
			AND (n.first_quantity IS NULL OR (n.first_expected_at IS NULL AND n.expected_at IS NOT NULL))
	) AS found

	UNION ALL
	/*
	 * queue order: nobody who still waits was passed over by a fill since the
	 * journal last ranked him.  (Reallocation by hand and shipments say whom they
	 * serve.)  The gate orders openings and fills of one item and location, so
	 * journal_id is their order.  Worse-ranked fills come first in the window, a
	 * waiting backorder before its own.
	 */
	SELECT 'queue order', item, location, order_id, line_no,
		'filled before row ' || last_worse_fill, 'waiting since row ' || ranked_by
	FROM (
		SELECT item, location, order_id, line_no, ranked_by,
			max(filled_by) OVER (
				PARTITION BY item, location
				ORDER BY priority, rank_at DESC, backorder_id DESC, filled_by NULLS FIRST
				ROWS UNBOUNDED PRECEDING
			) AS last_worse_fill
		FROM (
			SELECT b.item, b.location, b.order_id, b.line_no, b.priority, b.rank_at, b.backorder_id,
				(t.ranking).journal_id, NULL::bigint
			FROM backorder AS b
			JOIN told AS t USING (backorder_id)
			WHERE b.closed_at IS NULL AND ($1 IS NULL OR b.item = $1)
			UNION ALL
			SELECT item, location, NULL, NULL, priority, rank_at, backorder_id, NULL, journal_id
			FROM journal
			WHERE kind = 'filled' AND cause NOT IN ('reallocated', 'shipment') AND ($1 IS NULL OR item = $1)
				AND (item, location) IN (SELECT item, location FROM backorder WHERE closed_at IS NULL)
		) AS event (item, location, order_id, line_no, priority, rank_at, backorder_id, ranked_by, filled_by)
	) AS ranked
	WHERE ranked_by < last_worse_fill

	UNION ALL
	/*
	 * sequence: the next number a table gives is above all it has (not where its
	 * rows come from a publisher: numbers are given there, and sequences do not follow)
	 */
	SELECT 'sequence', NULL, NULL, NULL, NULL, s.table_name || ' above ' || s.greatest_id, 'next is ' || s.next_id
	FROM (
		SELECT 'stock_move', (SELECT max(move_id) FROM stock_move), backorder.next_id('stock_move', 'move_id')
		UNION ALL
		SELECT 'inbound', (SELECT max(inbound_id) FROM inbound), backorder.next_id('inbound', 'inbound_id')
		UNION ALL
		SELECT 'backorder', (SELECT max(backorder_id) FROM backorder), backorder.next_id('backorder', 'backorder_id')
		UNION ALL
		SELECT 'journal', (SELECT max(journal_id) FROM journal), backorder.next_id('journal', 'journal_id')
	) AS s (table_name, greatest_id, next_id)
	WHERE s.next_id <= s.greatest_id AND $1 IS NULL
		AND NOT EXISTS (SELECT FROM pg_subscription_rel AS r WHERE r.srrelid = s.table_name::regclass)

	UNION ALL
	/* clock: as of the last run_clocks(), what had waited longer than acceptable is escalated (and what was to be cancelled is: in C) */
	SELECT 'clock', b.item, b.location, b.order_id, b.line_no, 'backorder ' || b.backorder_id || ' escalated', 'waiting since ' || b.opened_at
	FROM clock_run AS r
	JOIN backorder AS b ON b.closed_at IS NULL AND b.escalated_at IS NULL
	WHERE ($1 IS NULL OR b.item = $1) AND EXISTS (
		SELECT FROM item AS i WHERE i.item = b.item AND b.opened_at + i.longest_wait <= r.as_of
		UNION ALL
		SELECT FROM priority_rule AS p WHERE p.name = ANY (b.rules) AND b.opened_at + p.longest_wait <= r.as_of)
	UNION ALL
	/* escalation: the journal tells it once, at its time, with what was added to the priority */
	SELECT 'escalation', b.item, b.location, b.order_id, b.line_no,
		coalesce(e.rows || ' journal row, ' || concat_ws(' ', e.happened_at, e.added), 'no journal row'),
		'backorder ' || b.backorder_id || ' ' || coalesce(concat_ws(' ', b.escalated_at, b.escalation), 'not escalated')
	FROM (SELECT * FROM backorder WHERE $1 IS NULL OR item = $1) AS b
	LEFT JOIN (
		SELECT backorder_id, count(*) AS rows, max(happened_at) AS happened_at, max(priority) AS added
		FROM journal
		WHERE kind = 'escalated' AND ($1 IS NULL OR item = $1)
		GROUP BY backorder_id
	) AS e USING (backorder_id)
	WHERE (b.escalated_at, b.escalation) IS DISTINCT FROM (e.happened_at, coalesce(e.added, 0)) OR e.rows > 1

	UNION ALL
	/* outbox: a row's horizon lies above the transaction that wrote it, so that readers of the journal skip nothing, … */
	SELECT 'outbox', item, location, order_id, line_no, 'horizon above ' || transaction_id, 'horizon ' || horizon || ' in row ' || journal_id
	FROM journal
	WHERE NOT horizon > transaction_id AND ($1 IS NULL OR item = $1)
	UNION ALL
	/* outbox: … and each number is drawn when its row is written */
	SELECT 'outbox', NULL, NULL, NULL, NULL, 'numbers of the journal one by one', 'cache of ' || q.seqcache
	FROM pg_sequence AS q
	WHERE q.seqrelid = pg_get_serial_sequence('journal', 'journal_id')::regclass AND q.seqcache <> 1 AND $1 IS NULL

	UNION ALL
	/* one row: the table ledger has it (pg_dump --data-only restores may leave none) */
	SELECT 'one row', NULL, NULL, NULL, NULL, '1 row in table ledger', count(*)::text
	FROM ledger
	HAVING count(*) <> 1 AND $1 IS NULL
)
SELECT DISTINCT invariant COLLATE "C", item COLLATE "C", location COLLATE "C", order_id COLLATE "C", line_no,
	expected COLLATE "C", actual COLLATE "C"
FROM disagreement
ORDER BY invariant, item, location, order_id, line_no, expected, actual
