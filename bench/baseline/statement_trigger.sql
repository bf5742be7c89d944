/*
 * The best that can be written in PL/pgSQL: statement triggers with transition
 * tables, one stock row for each item and location.  Made on top of plain.sql.
 *
 * Its advocate's choices: stock rows are locked in order, so statements over many
 * items do not deadlock; a statement over one item in stock costs one look at the
 * transition table and one UPDATE that checks and takes at once; everything else
 * is set-based, for all items of the statement together; the queues are read from
 * the front in growing batches, so a receipt costs what it fills.
 *
 * It does less than the extension: no priority rules, no limits, no holds, no
 * raises, no losses, no reallocation, READ COMMITTED only, no owner switch; a fill
 * by several receipts of an item in one statement names only the first of them.
 */

/*
 * Gives units to the queues of several items at once; returns what nobody waited
 * for, in the order of the arguments.  The caller holds the stock rows.
 */
CREATE FUNCTION baseline.serve(items text[], locations text[], units numeric[], causes text[], move_ids bigint[], at timestamptz)
RETURNS numeric[] LANGUAGE plpgsql AS $$
DECLARE
	rest numeric[] := units;
	hungry integer[] := ARRAY(SELECT generate_subscripts(items, 1));
	batch integer := 8;
	after_round record;
BEGIN
	WHILE hungry <> '{}' LOOP
		WITH front AS (
			SELECT g.n, rest[g.n] AS rest, b.*,
				sum(b.remaining) OVER (PARTITION BY g.n ORDER BY b.priority DESC, b.rank_at, b.backorder_id) - b.remaining AS before_it
			FROM unnest(hungry) AS g (n)
			CROSS JOIN LATERAL (
				SELECT w.* FROM baseline.backorder AS w
				WHERE w.item = items[g.n] AND w.location = locations[g.n] AND w.closed_at IS NULL
				ORDER BY w.priority DESC, w.rank_at, w.backorder_id
				LIMIT batch
			) AS b
		), part AS (
			SELECT f.*, least(f.remaining, f.rest - f.before_it) AS filled
			FROM front AS f WHERE f.before_it < f.rest
		), written AS (
			UPDATE baseline.backorder AS b
			SET remaining = b.remaining - p.filled,
				closed_at = CASE WHEN b.remaining = p.filled THEN greatest(at, b.opened_at) END,
				outcome = CASE WHEN b.remaining = p.filled THEN CASE WHEN b.cancelled = 0 THEN 'filled' ELSE 'partly filled' END END
			FROM part AS p WHERE b.backorder_id = p.backorder_id
		), noted AS (
			INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id,
				priority, rank_at, rules, happened_at)
			SELECT 'filled', causes[p.n], p.order_id, p.line_no, p.item, p.location, p.filled, p.backorder_id, move_ids[p.n],
				p.priority, p.rank_at, p.rules, greatest(at, p.opened_at)
			FROM part AS p
		), used AS (
			SELECT p.n, sum(p.filled) AS filled, count(*) AS rows FROM part AS p GROUP BY p.n
		)
		SELECT array_agg(r.rest - coalesce(u.filled, 0) ORDER BY r.n) AS rest,
			coalesce(array_agg(r.n ORDER BY r.n) FILTER (WHERE u.rows = batch AND r.rest > u.filled), '{}') AS hungry
		INTO after_round
		FROM unnest(rest) WITH ORDINALITY AS r (rest, n) LEFT JOIN used AS u ON u.n = r.n;
		rest := after_round.rest;
		hungry := after_round.hungry;
		batch := least(batch * 8, 4096);
	END LOOP;
	RETURN rest;
END$$;

CREATE FUNCTION baseline.place_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	sum_of record;
	short_items text[];
	short_locations text[];
	short_taken numeric[];
	items_known bigint;
	items_named bigint;
BEGIN
	SELECT min(item) AS item, max(item) AS last_item, min(location) AS location, max(location) AS last_location, sum(quantity) AS quantity
	INTO sum_of FROM inserted;
	IF sum_of.item IS NULL THEN
		RETURN NULL;
	END IF;
	IF sum_of.item = sum_of.last_item AND sum_of.location = sum_of.last_location THEN
		UPDATE baseline.stock
		SET available = available - sum_of.quantity, allocated = allocated + sum_of.quantity
		WHERE item = sum_of.item AND location = sum_of.location AND available >= sum_of.quantity;
		IF FOUND THEN
			RETURN NULL;
		END IF;
	END IF;

	WITH need AS MATERIALIZED (
		SELECT item, location, sum(quantity) AS quantity FROM inserted GROUP BY item, location
	), locked AS MATERIALIZED (
		SELECT s.item, s.location, n.quantity, s.available
		FROM need AS n JOIN baseline.stock AS s ON s.item = n.item AND s.location = n.location
		ORDER BY s.item, s.location
		FOR NO KEY UPDATE OF s
	), taken AS (
		UPDATE baseline.stock AS s
		SET available = s.available - least(l.quantity, s.available), allocated = s.allocated + least(l.quantity, s.available)
		FROM locked AS l
		WHERE s.item = l.item AND s.location = l.location AND l.available > 0
	)
	SELECT array_agg(l.item) FILTER (WHERE l.available < l.quantity),
		array_agg(l.location) FILTER (WHERE l.available < l.quantity),
		array_agg(l.available) FILTER (WHERE l.available < l.quantity),
		count(*), (SELECT count(*) FROM need)
	INTO short_items, short_locations, short_taken, items_known, items_named
	FROM locked AS l;
	IF items_known < items_named THEN
		RAISE foreign_key_violation USING MESSAGE = 'an order line names an unknown item or location';
	END IF;
	IF short_items IS NULL THEN
		RETURN NULL;
	END IF;

	WITH line AS (
		SELECT i.order_id, i.line_no, i.item, i.location, i.placed_at, i.priority,
			least(i.quantity, sum(i.quantity) OVER turn - t.taken) AS missing,
			row_number() OVER turn AS n
		FROM (SELECT *, row_number() OVER () AS position FROM inserted) AS i
		JOIN unnest(short_items, short_locations, short_taken) AS t (item, location, taken)
			ON t.item = i.item AND t.location = i.location
		WINDOW turn AS (PARTITION BY i.item, i.location ORDER BY i.placed_at, i.priority DESC, i.position)
	), opened AS (
		INSERT INTO baseline.backorder (order_id, line_no, item, location, quantity, remaining, cause,
			claim_at, priority, rank_at, opened_at)
		SELECT order_id, line_no, item, location, missing, missing, 'entry', placed_at, priority, placed_at, placed_at
		FROM line WHERE missing > 0 ORDER BY item, location, n
		RETURNING *
	), flagged AS (
		UPDATE baseline.order_line AS l SET backordered_at_entry = o.quantity
		FROM opened AS o WHERE l.order_id = o.order_id AND l.line_no = o.line_no
	)
	INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id,
		priority, rank_at, rules, happened_at)
	SELECT 'backordered', 'entry', order_id, line_no, item, location, quantity, backorder_id, priority, rank_at, rules, opened_at
	FROM opened;
	RETURN NULL;
END$$;
CREATE TRIGGER place_lines AFTER INSERT ON baseline.order_line REFERENCING NEW TABLE AS inserted
	FOR EACH STATEMENT EXECUTE FUNCTION baseline.place_lines();

CREATE FUNCTION baseline.cancel_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	free record;
BEGIN
	IF NOT EXISTS (SELECT FROM after AS n JOIN before AS o USING (order_id, line_no) WHERE n.cancelled > o.cancelled) THEN
		RETURN NULL;
	END IF;
	PERFORM FROM baseline.stock AS s
	WHERE (s.item, s.location) IN (
		SELECT n.item, n.location FROM after AS n JOIN before AS o USING (order_id, line_no) WHERE n.cancelled > o.cancelled)
	ORDER BY s.item, s.location FOR NO KEY UPDATE;

	WITH changed AS MATERIALIZED (
		SELECT n.order_id, n.line_no, n.item, n.location, n.cancelled - o.cancelled AS units
		FROM after AS n JOIN before AS o USING (order_id, line_no) WHERE n.cancelled > o.cancelled
	), part AS MATERIALIZED (
		SELECT w.*, least(w.remaining, w.units - w.before_it) AS given_up
		FROM (
			SELECT c.units, b.*, sum(b.remaining) OVER (PARTITION BY b.order_id, b.line_no ORDER BY b.backorder_id DESC) - b.remaining AS before_it
			FROM changed AS c
			JOIN baseline.backorder AS b ON b.order_id = c.order_id AND b.line_no = c.line_no AND b.outcome IS NULL
		) AS w WHERE w.before_it < w.units
	), written AS (
		UPDATE baseline.backorder AS b
		SET remaining = b.remaining - p.given_up, cancelled = b.cancelled + p.given_up,
			closed_at = CASE WHEN b.remaining = p.given_up THEN greatest(now(), b.opened_at) END,
			outcome = CASE WHEN b.remaining = p.given_up THEN CASE WHEN b.cancelled + p.given_up = b.quantity THEN 'cancelled' ELSE 'partly filled' END END
		FROM part AS p WHERE b.backorder_id = p.backorder_id
	), released AS MATERIALIZED (
		SELECT c.order_id, c.line_no, c.item, c.location, c.units - coalesce(sum(p.given_up), 0) AS units
		FROM changed AS c LEFT JOIN part AS p ON p.order_id = c.order_id AND p.line_no = c.line_no
		GROUP BY c.order_id, c.line_no, c.item, c.location, c.units
	), noted AS (
		INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id, happened_at)
		SELECT 'cancelled', 'cancel', order_id, line_no, item, location, given_up, backorder_id, now() FROM part
		UNION ALL
		SELECT 'released', 'cancel', order_id, line_no, item, location, units, NULL, now() FROM released WHERE units > 0
	), total AS (
		SELECT item, location, sum(units) AS units FROM released WHERE units > 0 GROUP BY item, location
	)
	SELECT array_agg(item) AS items, array_agg(location) AS locations, array_agg(units) AS units,
		array_agg('release'::text) AS causes, array_agg(NULL::bigint) AS move_ids
	INTO free FROM total;
	IF free.items IS NULL THEN
		RETURN NULL;
	END IF;

	UPDATE baseline.stock AS s SET available = s.available + r.rest, allocated = s.allocated - r.rest
	FROM unnest(free.items, free.locations,
		baseline.serve(free.items, free.locations, free.units, free.causes, free.move_ids, now())) AS r (item, location, rest)
	WHERE s.item = r.item AND s.location = r.location AND r.rest > 0;
	RETURN NULL;
END$$;
CREATE TRIGGER cancel_lines AFTER UPDATE ON baseline.order_line REFERENCING OLD TABLE AS before NEW TABLE AS after
	FOR EACH STATEMENT EXECUTE FUNCTION baseline.cancel_lines();

CREATE FUNCTION baseline.move_stock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	come record;
	shipped bigint;
	written bigint;
BEGIN
	IF EXISTS (SELECT FROM inserted WHERE kind = 'shipment') THEN
		SELECT count(*) INTO shipped FROM (SELECT DISTINCT order_id, line_no FROM inserted WHERE kind = 'shipment') AS m;
		UPDATE baseline.order_line AS l SET shipped = l.shipped + m.units
		FROM (SELECT order_id, line_no, sum(quantity) AS units FROM inserted WHERE kind = 'shipment' GROUP BY order_id, line_no) AS m
		WHERE l.order_id = m.order_id AND l.line_no = m.line_no
			AND m.units <= l.quantity - l.cancelled - l.shipped - coalesce((
				SELECT sum(b.remaining) FROM baseline.backorder AS b
				WHERE b.order_id = m.order_id AND b.line_no = m.line_no AND b.outcome IS NULL), 0);
		GET DIAGNOSTICS written = ROW_COUNT;
		IF written < shipped THEN
			RAISE check_violation USING MESSAGE = 'more shipped than is allocated';
		END IF;
		WITH locked AS MATERIALIZED (
			SELECT s.item, s.location, m.units
			FROM (SELECT item, location, sum(quantity) AS units FROM inserted WHERE kind = 'shipment' GROUP BY item, location) AS m
			JOIN baseline.stock AS s ON s.item = m.item AND s.location = m.location
			ORDER BY s.item, s.location FOR NO KEY UPDATE OF s
		), gone AS (
			UPDATE baseline.stock AS s SET allocated = s.allocated - l.units
			FROM locked AS l WHERE s.item = l.item AND s.location = l.location
		)
		INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, move_id, happened_at)
		SELECT 'shipped', 'shipment', order_id, line_no, item, location, quantity, move_id, moved_at
		FROM inserted WHERE kind = 'shipment';
	END IF;

	WITH locked AS MATERIALIZED (
		SELECT s.item, s.location, m.units, m.cause, m.move_id, m.at
		FROM (
			SELECT item, location, sum(quantity) AS units, min(kind) AS cause, min(move_id) AS move_id, max(moved_at) AS at
			FROM inserted WHERE kind IN ('receipt', 'customer_return', 'transfer_in') GROUP BY item, location
		) AS m
		JOIN baseline.stock AS s ON s.item = m.item AND s.location = m.location
		ORDER BY s.item, s.location FOR NO KEY UPDATE OF s
	)
	SELECT array_agg(item) AS items, array_agg(location) AS locations, array_agg(units) AS units,
		array_agg(cause) AS causes, array_agg(move_id) AS move_ids, max(at) AS at
	INTO come FROM locked;
	IF come.items IS NULL THEN
		RETURN NULL;
	END IF;
	UPDATE baseline.stock AS s SET available = s.available + r.rest, allocated = s.allocated + r.units - r.rest
	FROM unnest(come.items, come.locations, come.units,
		baseline.serve(come.items, come.locations, come.units, come.causes, come.move_ids, come.at)) AS r (item, location, units, rest)
	WHERE s.item = r.item AND s.location = r.location;
	RETURN NULL;
END$$;
CREATE TRIGGER move_stock AFTER INSERT ON baseline.stock_move REFERENCING NEW TABLE AS inserted
	FOR EACH STATEMENT EXECUTE FUNCTION baseline.move_stock();
