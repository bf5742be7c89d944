\echo Use "CREATE EXTENSION backorder" to load this file. \quit

/*
 * The extension owns code, never data.  The schema is made here rather than by
 * the control file: one that exists could be somebody else's, and is an error.
 */
CREATE SCHEMA backorder;
GRANT USAGE ON SCHEMA backorder TO PUBLIC;
COMMENT ON SCHEMA backorder IS 'Looks after ledgers: orders and stock in ordinary tables, kept right by triggers.';

CREATE FUNCTION backorder.version() RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'backorder';
END;
COMMENT ON FUNCTION backorder.version() IS 'Version of the extension''s objects in this database.';

/* ledgers */

CREATE FUNCTION backorder.create_ledger(ledger name, time_zone text DEFAULT pg_catalog.current_setting('TimeZone')) RETURNS void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'backorder_create_ledger';
COMMENT ON FUNCTION backorder.create_ledger(name, text) IS
	'Creates a ledger: a schema with its tables, views, functions and triggers, owned by the caller. time_zone is that of its calendar days. Errors: 42P06 the schema exists, 42501 no right to create schemas, 22023 unknown time zone.';

CREATE FUNCTION backorder.upgrade_ledger(ledger name) RETURNS void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'backorder_upgrade_ledger';
COMMENT ON FUNCTION backorder.upgrade_ledger(name) IS
	'Brings the code of a ledger to this version and puts back missing views, functions and triggers, also on partitions. For its owner. Locks each table briefly against writing.';

CREATE FUNCTION backorder.empty_ledger(ledger name) RETURNS void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'backorder_empty_ledger';
COMMENT ON FUNCTION backorder.empty_ledger(name) IS
	'Removes all orders, stock, inbound supply and history of a ledger, for test suites; items, locations, rules and settings stay. For its owner.';

CREATE FUNCTION backorder.check_ledger(ledger name, item text DEFAULT NULL,
		OUT invariant text, OUT item text, OUT location text, OUT order_id text, OUT line_no bigint, OUT expected text, OUT actual text)
	RETURNS SETOF record
	LANGUAGE c STABLE ROWS 10
	AS 'MODULE_PATHNAME', 'backorder_check_ledger';
COMMENT ON FUNCTION backorder.check_ledger(name, text) IS
	'Proves a ledger: every disagreement with what it promises, and every missing or disabled trigger; no rows means that all is well. item limits it to one item. Reads only, also on a standby. For its owner.';

CREATE FUNCTION backorder.rebuild_ledger(ledger name) RETURNS void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'backorder_rebuild_ledger';
COMMENT ON FUNCTION backorder.rebuild_ledger(name) IS
	'Recomputes balances, backorders and the engine''s columns from order lines, stock moves and the journal; decides nothing anew. For its owner. Locks the ledger against writing.';

CREATE FUNCTION backorder.gate(ledger name, item text, location text, OUT classid oid, OUT objid oid, OUT objsubid smallint)
	RETURNS record
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_gate';
COMMENT ON FUNCTION backorder.gate(name, text, text) IS
	'The lock in front of the queue of an item at a location, as pg_locks names it (locktype advisory).';

/* trigger functions */

CREATE FUNCTION backorder.order_line_before_insert() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_order_line_before_insert';
COMMENT ON FUNCTION backorder.order_line_before_insert() IS 'Trigger function: the lines of an INSERT are pending from here on.';
CREATE FUNCTION backorder.order_line_insert() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_order_line_insert';
COMMENT ON FUNCTION backorder.order_line_insert() IS 'Trigger function: places new order lines, allocating stock or opening backorders.';
CREATE FUNCTION backorder.order_line_update() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_order_line_update';
COMMENT ON FUNCTION backorder.order_line_update() IS 'Trigger function: cancels, holds, enters, raises, lowers, relocates and re-ranks order lines.';
CREATE FUNCTION backorder.order_line_delete() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_order_line_delete';
COMMENT ON FUNCTION backorder.order_line_delete() IS 'Trigger function: only lines that never entered may be deleted.';
CREATE FUNCTION backorder.order_line_status_write() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_order_line_status_write';
COMMENT ON FUNCTION backorder.order_line_status_write() IS 'Trigger function: makes order_line_status writable, so that RETURNING tells what became of a line.';
CREATE FUNCTION backorder.stock_move_complete() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_stock_move_complete';
COMMENT ON FUNCTION backorder.stock_move_complete() IS 'Trigger function: fills in an item or location that a stock move leaves out.';
CREATE FUNCTION backorder.stock_move_insert() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_stock_move_insert';
COMMENT ON FUNCTION backorder.stock_move_insert() IS 'Trigger function: moves stock, serving the queue with what comes in.';
CREATE FUNCTION backorder.inbound_complete() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_inbound_complete';
COMMENT ON FUNCTION backorder.inbound_complete() IS 'Trigger function: keeps what a supplier promised first.';
CREATE FUNCTION backorder.inbound_change() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_inbound_change';
COMMENT ON FUNCTION backorder.inbound_change() IS 'Trigger function: moves the promises that rest on inbound supply.';
CREATE FUNCTION backorder.item_by_hand() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_item_by_hand';
COMMENT ON FUNCTION backorder.item_by_hand() IS 'Trigger function: orders look up how their item is allocated from now on.';
CREATE FUNCTION backorder.item_update() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_item_update';
COMMENT ON FUNCTION backorder.item_update() IS 'Trigger function: serves the queue when allocation is automatic again; items are not renamed.';
CREATE FUNCTION backorder.item_delete() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_item_delete';
COMMENT ON FUNCTION backorder.item_delete() IS 'Trigger function: items that orders or moves refer to stay.';
CREATE FUNCTION backorder.location_update() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_location_update';
COMMENT ON FUNCTION backorder.location_update() IS 'Trigger function: locations are not renamed.';
CREATE FUNCTION backorder.location_delete() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_location_delete';
COMMENT ON FUNCTION backorder.location_delete() IS 'Trigger function: locations that orders or moves refer to stay.';
CREATE FUNCTION backorder.priority_rule_check() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_priority_rule_check';
COMMENT ON FUNCTION backorder.priority_rule_check() IS 'Trigger function: the condition of a priority rule or delay policy must be a predicate.';
CREATE FUNCTION backorder.ledger_update() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_ledger_update';
COMMENT ON FUNCTION backorder.ledger_update() IS 'Trigger function: applies changed settings of a ledger.';
CREATE FUNCTION backorder.refuse_write() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'backorder_refuse_write';
COMMENT ON FUNCTION backorder.refuse_write() IS 'Trigger function: refuses to write what only the engine writes, and to change history.';

/* the triggers that every ledger has */

CREATE VIEW backorder.required_trigger (table_name, trigger_name, event, options, function_name, purpose) AS VALUES
	('order_line', 'backorder_before_insert', 'BEFORE INSERT', 'FOR EACH STATEMENT', 'order_line_before_insert', 'Notes that lines are about to be placed.'),
	('order_line', 'backorder_insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT', 'order_line_insert', 'Places new lines: allocates stock or opens backorders.'),
	('order_line', 'backorder_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT', 'order_line_update', 'Cancels, holds, enters, raises, lowers, relocates and re-ranks lines.'),
	('order_line', 'backorder_delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT', 'order_line_delete', 'Lines that have been demand are not deleted.'),
	('order_line', 'backorder_truncate', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Orders, stock and history are emptied together, by backorder.empty_ledger().'),
	('order_line_status', 'backorder_write', 'INSTEAD OF INSERT OR UPDATE OR DELETE', 'FOR EACH ROW', 'order_line_status_write', 'Makes the view writable, so that RETURNING tells what became of a line.'),
	('stock_move', 'backorder_complete', 'BEFORE INSERT', 'FOR EACH ROW WHEN (NEW.item IS NULL OR NEW.location IS NULL)', 'stock_move_complete', 'Fills in an item or location that was left out.'),
	('stock_move', 'backorder_insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT', 'stock_move_insert', 'Moves stock: what comes in serves the queue.'),
	('stock_move', 'backorder_refuse', 'BEFORE UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Moves are history.'),
	('inbound', 'backorder_complete', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW WHEN (NEW.first_quantity IS NULL OR (NEW.first_expected_at IS NULL AND NEW.expected_at IS NOT NULL))', 'inbound_complete', 'Keeps what the supplier promised first.'),
	('inbound', 'backorder_insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT', 'inbound_change', 'Moves the promises that rest on it.'),
	('inbound', 'backorder_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT', 'inbound_change', 'Moves the promises that rest on it.'),
	('inbound', 'backorder_delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT', 'inbound_change', 'Moves the promises that rest on it; supply that was received stays.'),
	('inbound', 'backorder_truncate', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Orders, stock and history are emptied together, by backorder.empty_ledger().'),
	('item', 'backorder_by_hand', 'AFTER INSERT OR UPDATE', 'FOR EACH ROW WHEN (NOT NEW.auto_allocate)', 'item_by_hand', 'Tells all sessions that there are items allocated by hand.'),
	('item', 'backorder_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT', 'item_update', 'Serves the queue when allocation is automatic again; items are not renamed.'),
	('item', 'backorder_delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT', 'item_delete', 'Items that orders or moves refer to stay.'),
	('item', 'backorder_truncate', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Orders, stock and history are emptied together, by backorder.empty_ledger().'),
	('location', 'backorder_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT', 'location_update', 'Locations are not renamed.'),
	('location', 'backorder_delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT', 'location_delete', 'Locations that orders or moves refer to stay.'),
	('location', 'backorder_truncate', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Orders, stock and history are emptied together, by backorder.empty_ledger().'),
	('priority_rule', 'backorder_insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT', 'priority_rule_check', 'A condition must be a predicate.'),
	('priority_rule', 'backorder_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT', 'priority_rule_check', 'A condition must be a predicate.'),
	('delay_policy', 'backorder_insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT', 'priority_rule_check', 'A condition must be a predicate.'),
	('delay_policy', 'backorder_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT', 'priority_rule_check', 'A condition must be a predicate.'),
	('notice', 'backorder_refuse', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Evidence.'),
	('consent', 'backorder_refuse', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Evidence.'),
	('clock_run', 'backorder_refuse', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Written by the engine alone.'),
	('ledger', 'backorder_update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT', 'ledger_update', 'Applies changed settings.'),
	('ledger', 'backorder_refuse', 'BEFORE INSERT OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'A ledger has one row of settings.'),
	('stock_slot', 'backorder_refuse', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Written by the engine alone.'),
	('backorder', 'backorder_refuse', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Written by the engine alone.'),
	('journal', 'backorder_refuse', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT', 'refuse_write', 'Written by the engine alone.');
COMMENT ON VIEW backorder.required_trigger IS 'The triggers of a ledger: on which table, when, and which function of the extension they call.';
COMMENT ON COLUMN backorder.required_trigger.table_name IS 'Table or view of a ledger.';
COMMENT ON COLUMN backorder.required_trigger.trigger_name IS 'Name of the trigger.';
COMMENT ON COLUMN backorder.required_trigger.event IS 'When it fires.';
COMMENT ON COLUMN backorder.required_trigger.options IS 'How it fires: transition tables, level and condition.';
COMMENT ON COLUMN backorder.required_trigger.function_name IS 'Function in schema backorder that it calls.';
COMMENT ON COLUMN backorder.required_trigger.purpose IS 'What it is for.';

/* what the functions of a ledger call; relation is any table of that ledger */

CREATE FUNCTION backorder.count_difference(relation regclass, item text, location text, counted numeric) RETURNS numeric
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_count_difference';
COMMENT ON FUNCTION backorder.count_difference(regclass, text, text, numeric) IS
	'What was counted less the units on hand of an item at a location (NULL: the default), which nobody changes until the end of the transaction. Needs INSERT on stock_move.';
CREATE FUNCTION backorder.serve_queue(relation regclass, item text, location text, quantity numeric) RETURNS numeric
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_serve_queue';
COMMENT ON FUNCTION backorder.serve_queue(regclass, text, text, numeric) IS
	'Gives up to quantity available units (NULL: all) to the queue and returns how many. Needs UPDATE on order_line.';
CREATE FUNCTION backorder.move_allocation(relation regclass, from_order text, from_line bigint, to_order text, to_line bigint, quantity numeric, reason text) RETURNS numeric
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_move_allocation';
COMMENT ON FUNCTION backorder.move_allocation(regclass, text, bigint, text, bigint, numeric, text) IS
	'Gives allocated units of one order line to another that waits. Needs UPDATE on order_line.';
CREATE FUNCTION backorder.rerank(relation regclass, item text, customer text) RETURNS bigint
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_rerank';
COMMENT ON FUNCTION backorder.rerank(regclass, text, text) IS
	'Ranks what is waiting by the rules as they are now and returns how many backorders moved. Needs UPDATE on order_line.';
CREATE FUNCTION backorder.place_lines(relation regclass, order_id text, lines jsonb, customer text, attributes jsonb,
		placed_at timestamptz, required_by timestamptz, demand_class text) RETURNS void
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_place_lines';
COMMENT ON FUNCTION backorder.place_lines(regclass, text, jsonb, text, jsonb, timestamptz, timestamptz, text) IS
	'Inserts the lines of an order in one statement, as the caller, naming only the columns that are given.';
CREATE FUNCTION backorder.record_contact(relation regclass, order_id text, line_no bigint, kind text, until timestamptz, happened_at timestamptz, channel text, evidence text) RETURNS bigint
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_record_contact';
COMMENT ON FUNCTION backorder.record_contact(regclass, text, bigint, text, timestamptz, timestamptz, text, text) IS
	'Adds a row for each line to the table notice or consent of a ledger. Needs INSERT on it, and SELECT on order_line.';
CREATE FUNCTION backorder.run_clocks(relation regclass, as_of timestamptz) RETURNS void
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_run_clocks';
COMMENT ON FUNCTION backorder.run_clocks(regclass, timestamptz) IS
	'Cancels what must be cancelled as the caller, and escalates what has waited too long. Needs UPDATE on order_line.';
CREATE FUNCTION backorder.next_transaction_id() RETURNS xid8
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_next_transaction_id';
COMMENT ON FUNCTION backorder.next_transaction_id() IS 'The number that the next transaction of this server gets, as far as it knows; also on a standby.';
CREATE FUNCTION backorder.check_transfer(from_location text, to_location text, quantity numeric) RETURNS void
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_check_transfer';
COMMENT ON FUNCTION backorder.check_transfer(text, text, numeric) IS
	'Error 22004 or 22023 unless the locations are two and the quantity is above zero.';
CREATE FUNCTION backorder.lock_lines(relation regclass, order_id text, line_no bigint, quantity numeric) RETURNS void
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_lock_lines';
COMMENT ON FUNCTION backorder.lock_lines(regclass, text, bigint, numeric) IS
	'Locks an order line, or all lines of an order (line_no NULL); error 23503 if the caller sees none, 22023 if quantity is given and not above zero. Needs SELECT on order_line, and INSERT on stock_move or UPDATE on order_line.';
CREATE FUNCTION backorder.move_promises(relation regclass, item text, location text) RETURNS bigint
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'backorder_move_promises';
COMMENT ON FUNCTION backorder.move_promises(regclass, text, text) IS
	'Sets the promised date of what is waiting to the expected one, where it is further from it than the item''s tolerance, and returns how many moved. Needs UPDATE on order_line.';
CREATE FUNCTION backorder.promise_schedule(relation regclass, item text, location text,
		OUT item text, OUT location text, OUT "position" bigint, OUT backorder_id bigint, OUT order_id text, OUT line_no bigint,
		OUT quantity numeric, OUT inbound_id bigint, OUT expected_at timestamptz, OUT basis text)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_promise_schedule';
COMMENT ON FUNCTION backorder.promise_schedule(regclass, text, text) IS
	'Which supply is going to serve whom and when, as it is now: one row for each part of a backorder. Needs SELECT on backorder, and shows what the caller may read of it.';
CREATE FUNCTION backorder.expected_at(relation regclass, item text, location text, backorder_id bigint, units numeric, opened_at timestamptz) RETURNS timestamptz
	LANGUAGE c STABLE PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'backorder_expected_at';
COMMENT ON FUNCTION backorder.expected_at(regclass, text, text, bigint, numeric, timestamptz) IS
	'When a backorder can expect its last unit, as it is now; units is what waits before it and its own. For the view open_backorder. Needs SELECT on backorder.';
CREATE FUNCTION backorder.expected_basis(relation regclass, item text, location text, backorder_id bigint, units numeric, opened_at timestamptz) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'backorder_expected_basis';
COMMENT ON FUNCTION backorder.expected_basis(regclass, text, text, bigint, numeric, timestamptz) IS
	'What the date that expected_at() tells rests on: stock, inbound, lead time or unknown.';
CREATE FUNCTION backorder.promise_for(relation regclass, item text, location text, quantity numeric, customer text, attributes jsonb,
		unit_price numeric, required_by timestamptz, demand_class text, placed_at timestamptz, priority integer,
		OUT promised_at timestamptz, OUT promise_basis text, OUT allocated numeric, OUT backordered numeric, OUT units_ahead numeric,
		OUT "rank_priority" integer, OUT rank_at timestamptz, OUT rules text[])
	RETURNS record
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_promise_for';
COMMENT ON FUNCTION backorder.promise_for(regclass, text, text, numeric, text, jsonb, numeric, timestamptz, text, timestamptz, integer) IS
	'What an order that is not yet placed would be promised; writes nothing. Needs SELECT on item; units_ahead is NULL for who may not read all of backorder.';
