/*
 * The same tables without any trigger: what the writing itself costs.
 *
 * bench/run replaces "baseline." by the schema to make and "template." by a
 * ledger whose tables are copied, with their defaults, checks and indexes.  The
 * balance is one row for each item and location, made together with the item.
 */
CREATE SCHEMA baseline;
CREATE TABLE baseline.item (LIKE template.item INCLUDING ALL);
CREATE TABLE baseline.order_line (LIKE template.order_line INCLUDING ALL);
CREATE TABLE baseline.stock_move (LIKE template.stock_move INCLUDING ALL);
CREATE TABLE baseline.backorder (LIKE template.backorder INCLUDING ALL);
CREATE TABLE baseline.journal (LIKE template.journal INCLUDING ALL);
CREATE TABLE baseline.stock (
	item text COLLATE "C" NOT NULL,
	location text COLLATE "C" NOT NULL,
	available numeric NOT NULL DEFAULT 0 CHECK (available >= 0),
	allocated numeric NOT NULL DEFAULT 0,
	PRIMARY KEY (item, location)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE baseline.stock_move ALTER location SET DEFAULT 'main';
/* who did it, and when, is written with each row; nobody reads this outbox */
ALTER TABLE baseline.journal
	ALTER recorded_at SET DEFAULT clock_timestamp(),
	ALTER actor SET DEFAULT nullif(current_setting('backorder.actor', true), ''),
	ALTER session_user_name SET DEFAULT session_user,
	ALTER transaction_id SET DEFAULT pg_current_xact_id(),
	ALTER horizon SET DEFAULT '0';

/* LIKE leaves the storage parameters of the tables behind. */
SELECT format('ALTER TABLE baseline.%I SET (%s)', relname, array_to_string(reloptions, ', '))
FROM pg_class
WHERE relnamespace = 'template'::regnamespace AND relkind = 'r' AND reloptions IS NOT NULL
	AND relname IN ('item', 'order_line', 'stock_move', 'backorder', 'journal')
\gexec

CREATE FUNCTION baseline.make_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO baseline.stock (item, location) SELECT item, 'main' FROM inserted;
	RETURN NULL;
END$$;
CREATE TRIGGER make_stock AFTER INSERT ON baseline.item REFERENCING NEW TABLE AS inserted
	FOR EACH STATEMENT EXECUTE FUNCTION baseline.make_stock();

/* What a line has and waits for, as the ledger's view of this name tells it. */
CREATE VIEW baseline.order_line_status AS
SELECT l.order_id, l.line_no, l.item, l.location, l.quantity, l.cancelled, l.shipped, l.backordered_at_entry,
	l.quantity - l.cancelled - l.shipped - coalesce(b.waiting, 0) AS allocated,
	coalesce(b.waiting, 0) AS backordered
FROM baseline.order_line AS l
LEFT JOIN LATERAL (
	SELECT sum(w.remaining) AS waiting
	FROM baseline.backorder AS w
	WHERE w.order_id = l.order_id AND w.line_no = l.line_no AND w.outcome IS NULL
) AS b ON true;
