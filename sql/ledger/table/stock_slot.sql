/*
 * A part of the balance of one item at one location.  Only the sums over the
 * slots mean anything, and users see only the view stock.  Slots below 0 count
 * units that wait, and hold no stock.  Every order updates
 * one slot in place, so pages are left mostly empty for the next versions.  That
 * available is never below zero is checked where it is written, for every order
 * would pay for a CHECK constraint.
 */
CREATE TABLE stock_slot (
	item text COLLATE "C" NOT NULL,
	location text COLLATE "C" NOT NULL,
	slot integer NOT NULL,
	available numeric NOT NULL,
	allocated numeric NOT NULL,
	backordered numeric NOT NULL DEFAULT 0,
	CONSTRAINT stock_slot_pkey PRIMARY KEY (item, location, slot)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
