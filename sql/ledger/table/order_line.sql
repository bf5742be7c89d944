/*
 * One line of demand.  The columns from backordered_at_entry on are facts that
 * the engine keeps.  A line that was in stock is never written again: NULL in
 * entered_quantity and entered_at means "as the line says".
 *
 * What a line may say is checked by the trigger that places it.  PostgreSQL reads
 * CHECK constraints anew from the catalog for each statement, and eleven of them
 * tripled the time of an INSERT; check_ledger() proves the quantities of the rows.
 */
CREATE TABLE order_line (
	order_id text COLLATE "C" NOT NULL,
	line_no bigint NOT NULL,
	item text COLLATE "C" NOT NULL,
	location text COLLATE "C" NOT NULL DEFAULT 'main',
	quantity numeric NOT NULL,
	customer text COLLATE "C",
	attributes jsonb NOT NULL DEFAULT '{}',
	unit_price numeric,
	required_by timestamptz,
	placed_at timestamptz NOT NULL DEFAULT now(),
	not_before timestamptz,
	clock_started_at timestamptz,
	priority integer NOT NULL DEFAULT 0,
	on_short text,
	demand_class text NOT NULL DEFAULT 'regular',
	firm numeric NOT NULL DEFAULT 0,
	cancelled numeric NOT NULL DEFAULT 0,
	cancel_reason text,
	backordered_at_entry numeric NOT NULL DEFAULT 0,
	entered_quantity numeric,
	entered_at timestamptz,
	on_hold boolean NOT NULL DEFAULT false,
	shipped numeric NOT NULL DEFAULT 0,
	CONSTRAINT order_line_pkey PRIMARY KEY (order_id, line_no)
) WITH (fillfactor = 90);

/* Supply loss takes units from the lines at the bottom of the ranking. */
CREATE INDEX order_line_open ON order_line (item, location) WHERE cancelled + shipped < quantity;
/* release_due() looks for the held lines whose time has come. */
CREATE INDEX order_line_on_hold ON order_line (not_before) WHERE on_hold;
