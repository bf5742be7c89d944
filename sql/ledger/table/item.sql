/* What can be ordered, and the policy for when it runs short. */
CREATE TABLE item (
	item text COLLATE "C" PRIMARY KEY CONSTRAINT item_not_empty CHECK (item <> ''),
	description text,
	unit text,
	unit_price numeric CONSTRAINT item_unit_price_finite CHECK (unit_price > '-Infinity' AND unit_price < 'Infinity'),
	lead_time interval CONSTRAINT item_lead_time_not_negative CHECK (lead_time >= '0'),
	on_short text NOT NULL DEFAULT 'backorder' CONSTRAINT item_on_short_known CHECK (on_short IN ('backorder', 'cancel', 'refuse')),
	backorder_limit numeric CONSTRAINT item_backorder_limit_not_negative CHECK (backorder_limit >= 0 AND backorder_limit < 'Infinity'),
	auto_allocate boolean NOT NULL DEFAULT true,
	promise_tolerance interval NOT NULL DEFAULT '0' CONSTRAINT item_promise_tolerance_not_negative CHECK (promise_tolerance >= '0'),
	longest_wait interval CONSTRAINT item_longest_wait_positive CHECK (longest_wait > '0'),
	escalation integer NOT NULL DEFAULT 0,
	attributes jsonb NOT NULL DEFAULT '{}' CONSTRAINT item_attributes_object CHECK (jsonb_typeof(attributes) = 'object')
);
CREATE INDEX item_by_hand ON item (item) WHERE NOT auto_allocate;
