/*
 * What is usually written: PL/pgSQL row triggers, one stock row for each item
 * and location, and a loop over the queue's index.  Made on top of plain.sql.
 *
 * Its advocate's choices: AFTER ROW, so that COPY keeps its multi-row inserts and
 * ON CONFLICT cannot take stock for a row that never comes; a line in stock costs
 * one UPDATE that checks and takes at once; the row lock on stock is the queue's
 * lock; the queue is read through a cursor, so the planner goes by the index and
 * fetches no more than it fills, and WHERE CURRENT OF saves the second look-up.
 *
 * It does less than the extension: no priority rules, no limits, no holds, no
 * raises, no losses, no reallocation, READ COMMITTED only, no owner switch.
 */

/* Gives up to "units" to the queue; returns what nobody waited for.  The caller holds the stock row. */
CREATE FUNCTION baseline.serve(p_item text, p_location text, units numeric, p_cause text, p_move_id bigint, p_at timestamptz)
RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	queue CURSOR FOR
		SELECT b.backorder_id, b.order_id, b.line_no, b.remaining, b.cancelled, b.priority, b.rank_at, b.rules, b.opened_at
		FROM baseline.backorder AS b
		WHERE b.item = p_item AND b.location = p_location AND b.closed_at IS NULL
		ORDER BY b.priority DESC, b.rank_at, b.backorder_id;
	rest numeric := units;
	part numeric;
BEGIN
	FOR w IN queue LOOP
		EXIT WHEN rest = 0;
		part := least(rest, w.remaining);
		IF part = w.remaining THEN
			UPDATE baseline.backorder
			SET remaining = 0, closed_at = greatest(p_at, opened_at),
				outcome = CASE WHEN cancelled = 0 THEN 'filled' ELSE 'partly filled' END
			WHERE CURRENT OF queue;
		ELSE
			UPDATE baseline.backorder SET remaining = remaining - part WHERE CURRENT OF queue;
		END IF;
		INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id,
			priority, rank_at, rules, happened_at)
		VALUES ('filled', p_cause, w.order_id, w.line_no, p_item, p_location, part, w.backorder_id, p_move_id,
			w.priority, w.rank_at, w.rules, greatest(p_at, w.opened_at));
		rest := rest - part;
	END LOOP;
	RETURN rest;
END$$;

CREATE FUNCTION baseline.place_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	taken numeric;
	missing numeric;
	id bigint;
BEGIN
	UPDATE baseline.stock
	SET available = available - NEW.quantity, allocated = allocated + NEW.quantity
	WHERE item = NEW.item AND location = NEW.location AND available >= NEW.quantity;
	IF FOUND THEN
		RETURN NULL;
	END IF;

	SELECT least(available, NEW.quantity) INTO taken FROM baseline.stock
	WHERE item = NEW.item AND location = NEW.location FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE foreign_key_violation USING MESSAGE = format('there is no item "%s" at "%s"', NEW.item, NEW.location);
	END IF;
	IF taken > 0 THEN
		UPDATE baseline.stock SET available = available - taken, allocated = allocated + taken
		WHERE item = NEW.item AND location = NEW.location;
	END IF;
	missing := NEW.quantity - taken;
	IF missing > 0 THEN
		UPDATE baseline.order_line SET backordered_at_entry = missing
		WHERE order_id = NEW.order_id AND line_no = NEW.line_no;
		INSERT INTO baseline.backorder (order_id, line_no, item, location, quantity, remaining, cause,
			claim_at, priority, rank_at, opened_at)
		VALUES (NEW.order_id, NEW.line_no, NEW.item, NEW.location, missing, missing, 'entry',
			NEW.placed_at, NEW.priority, NEW.placed_at, NEW.placed_at)
		RETURNING backorder_id INTO id;
		INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id,
			priority, rank_at, rules, happened_at)
		VALUES ('backordered', 'entry', NEW.order_id, NEW.line_no, NEW.item, NEW.location, missing, id,
			NEW.priority, NEW.placed_at, '{}', NEW.placed_at);
	END IF;
	RETURN NULL;
END$$;
CREATE TRIGGER place_line AFTER INSERT ON baseline.order_line
	FOR EACH ROW EXECUTE FUNCTION baseline.place_line();

CREATE FUNCTION baseline.cancel_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	waiting CURSOR FOR
		SELECT b.backorder_id, b.remaining FROM baseline.backorder AS b
		WHERE b.order_id = NEW.order_id AND b.line_no = NEW.line_no AND b.outcome IS NULL
		ORDER BY b.backorder_id DESC;
	units numeric := NEW.cancelled - OLD.cancelled;
	part numeric;
	rest numeric;
BEGIN
	PERFORM FROM baseline.stock WHERE item = NEW.item AND location = NEW.location FOR NO KEY UPDATE;
	FOR w IN waiting LOOP
		EXIT WHEN units = 0;
		part := least(units, w.remaining);
		UPDATE baseline.backorder
		SET remaining = remaining - part, cancelled = cancelled + part,
			closed_at = CASE WHEN remaining = part THEN greatest(now(), opened_at) END,
			outcome = CASE WHEN remaining = part THEN CASE WHEN cancelled + part = quantity THEN 'cancelled' ELSE 'partly filled' END END
		WHERE backorder_id = w.backorder_id;
		INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id, happened_at)
		VALUES ('cancelled', 'cancel', NEW.order_id, NEW.line_no, NEW.item, NEW.location, part, w.backorder_id, now());
		units := units - part;
	END LOOP;
	IF units > 0 THEN
		INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, happened_at)
		VALUES ('released', 'cancel', NEW.order_id, NEW.line_no, NEW.item, NEW.location, units, now());
		rest := baseline.serve(NEW.item, NEW.location, units, 'release', NULL, now());
		UPDATE baseline.stock SET available = available + rest, allocated = allocated - rest
		WHERE item = NEW.item AND location = NEW.location;
	END IF;
	RETURN NULL;
END$$;
CREATE TRIGGER cancel_line AFTER UPDATE OF cancelled ON baseline.order_line
	FOR EACH ROW WHEN (NEW.cancelled > OLD.cancelled) EXECUTE FUNCTION baseline.cancel_line();

CREATE FUNCTION baseline.move_stock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	rest numeric;
BEGIN
	IF NEW.kind IN ('receipt', 'customer_return', 'transfer_in') THEN
		PERFORM FROM baseline.stock WHERE item = NEW.item AND location = NEW.location FOR NO KEY UPDATE;
		IF NOT FOUND THEN
			RAISE foreign_key_violation USING MESSAGE = format('there is no item "%s" at "%s"', NEW.item, NEW.location);
		END IF;
		rest := baseline.serve(NEW.item, NEW.location, NEW.quantity, NEW.kind, NEW.move_id, NEW.moved_at);
		UPDATE baseline.stock SET available = available + rest, allocated = allocated + NEW.quantity - rest
		WHERE item = NEW.item AND location = NEW.location;
	ELSIF NEW.kind = 'shipment' THEN
		UPDATE baseline.order_line SET shipped = shipped + NEW.quantity
		WHERE order_id = NEW.order_id AND line_no = NEW.line_no
			AND NEW.quantity <= quantity - cancelled - shipped - coalesce((
				SELECT sum(b.remaining) FROM baseline.backorder AS b
				WHERE b.order_id = NEW.order_id AND b.line_no = NEW.line_no AND b.outcome IS NULL), 0);
		IF NOT FOUND THEN
			RAISE check_violation USING MESSAGE = 'more shipped than is allocated';
		END IF;
		UPDATE baseline.stock SET allocated = allocated - NEW.quantity
		WHERE item = NEW.item AND location = NEW.location;
		INSERT INTO baseline.journal (kind, cause, order_id, line_no, item, location, quantity, move_id, happened_at)
		VALUES ('shipped', 'shipment', NEW.order_id, NEW.line_no, NEW.item, NEW.location, NEW.quantity, NEW.move_id, NEW.moved_at);
	ELSE
		RAISE feature_not_supported USING MESSAGE = format('no stock move of kind %s here', NEW.kind);
	END IF;
	RETURN NULL;
END$$;
CREATE TRIGGER move_stock AFTER INSERT ON baseline.stock_move
	FOR EACH ROW EXECUTE FUNCTION baseline.move_stock();
