/*
 * One line of demand.  The columns from backordered_at_entry on are facts that
 * the engine keeps.  A line that was in stock is never written again: NULL in
 * entered_quantity and entered_at means "as the line says".
 */
CREATE TABLE order_line (
	order_id text COLLATE "C" NOT NULL CONSTRAINT order_line_order_id_not_empty CHECK (order_id <> ''),
	line_no bigint NOT NULL,
	item text COLLATE "C" NOT NULL,
	location text COLLATE "C" NOT NULL DEFAULT 'main',
	quantity numeric NOT NULL CONSTRAINT order_line_quantity_positive CHECK (quantity > 0 AND quantity < 'Infinity'),
	customer text COLLATE "C",
	attributes jsonb NOT NULL DEFAULT '{}' CONSTRAINT order_line_attributes_object CHECK (jsonb_typeof(attributes) = 'object'),
	unit_price numeric CONSTRAINT order_line_unit_price_finite CHECK (unit_price > '-Infinity' AND unit_price < 'Infinity'),
	required_by timestamptz,
	placed_at timestamptz NOT NULL DEFAULT now() CONSTRAINT order_line_placed_at_finite CHECK (isfinite(placed_at)),
	not_before timestamptz CONSTRAINT order_line_not_before_not_past CHECK (not_before > '-infinity'),
	priority integer NOT NULL DEFAULT 0,
	on_short text CONSTRAINT order_line_on_short_known CHECK (on_short IN ('backorder', 'cancel', 'refuse')),
	demand_class text NOT NULL DEFAULT 'regular',
	firm numeric NOT NULL DEFAULT 0 CONSTRAINT order_line_firm_not_negative CHECK (firm >= 0),
	cancelled numeric NOT NULL DEFAULT 0 CONSTRAINT order_line_cancelled_not_negative CHECK (cancelled >= 0),
	cancel_reason text,
	backordered_at_entry numeric NOT NULL DEFAULT 0,
	entered_quantity numeric,
	entered_at timestamptz,
	on_hold boolean NOT NULL DEFAULT false,
	shipped numeric NOT NULL DEFAULT 0 CONSTRAINT order_line_shipped_not_negative CHECK (shipped >= 0),
	CONSTRAINT order_line_pkey PRIMARY KEY (order_id, line_no),
	CONSTRAINT order_line_open_quantity CHECK (cancelled + shipped + firm <= quantity)
) WITH (fillfactor = 90);

/* Supply loss takes units from the lines at the bottom of the ranking. */
CREATE INDEX order_line_open ON order_line (item, location) WHERE cancelled + shipped < quantity;
/* release_due() looks for the held lines whose time has come. */
CREATE INDEX order_line_on_hold ON order_line (not_before) WHERE on_hold;
