/*
 * hand.c
 *	  Decisions that people take: functions of a ledger that are more than a
 *	  statement on its tables.
 *
 *	  Each is called by a function in the ledger's schema, which hands over one of
 *	  its tables, so that it works for the ledger it stands in.
 */
#include "backorder.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

/* The ledger of a table, for a caller who may do "mode" to "table" of it. */
static void
LedgerForCaller(Oid relid, const char *table, AclMode mode, Ledger *ledger)
{
	Oid			target;

	LedgerOfTable(relid, ledger);
	target = LedgerTable(ledger, table);
	if (pg_class_aclcheck(target, GetUserId(), mode) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, table);
}

static void
RequirePositive(Numeric quantity)
{
	if (numeric_is_nan(quantity) || numeric_is_inf(quantity) || NumericSign(quantity) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("quantity must be a number above zero")));
}

/* An item at a location, and a quantity: in, and out. */
typedef struct HandWork
{
	text	   *item;
	text	   *location;		/* NULL: the ledger's default */
	Numeric		quantity;
	MemoryContext memory;		/* of the caller, for the result */
} HandWork;

static void
HandKey(Engine *engine, HandWork *work, StockKey *key)
{
	static const LedgerQuery query = {
		"SELECT default_location FROM @.ledger", 0, {InvalidOid}
	};
	Policy		policy;

	if (work->location == NULL)
	{
		if (EngineExecute(engine, &query, NULL, NULL) != 1)
			EngineFoundDamage(&engine->ledger, "it has no settings");
		work->location = ResultText(0, 1);
	}
	StockKeyInit(key, work->item, work->location);
	GateLock(&engine->ledger, key->stripe, ExclusiveLock);
	PolicyOfKey(engine, key, "stock_move", &policy);
}

static Numeric
HandResult(HandWork *work, Numeric value)
{
	MemoryContext old = MemoryContextSwitchTo(work->memory);
	Numeric		result = DatumGetNumericCopy(NumericGetDatum(value));

	MemoryContextSwitchTo(old);
	return result;
}

static void
CountStock(Engine *engine, void *argument)
{
	HandWork   *work = argument;
	StockKey	key;
	Balance		balance;

	HandKey(engine, work, &key);
	StockSum(engine, &key, true, &balance);
	work->quantity = HandResult(work, NumericAdd(balance.available, balance.allocated));
}

/*
 * count_difference(relation regclass, item text, location text, counted numeric):
 * what was counted less what should be on hand, which nobody changes until the end
 * of the transaction.  location NULL is the default.  Needs INSERT on stock_move.
 * Locks: the gate, EXCLUSIVE, and all slots.  Errors: 22004, 22023, 23503, 42501.
 */
PG_FUNCTION_INFO_V1(backorder_count_difference);
Datum
backorder_count_difference(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	HandWork	work = {.memory = CurrentMemoryContext};
	Numeric		counted;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("item and count must not be NULL")));
	counted = PG_GETARG_NUMERIC(3);
	if (numeric_is_nan(counted) || numeric_is_inf(counted) || NumericSign(counted) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("what is counted must be a number not below zero")));
	LedgerForCaller(PG_GETARG_OID(0), "stock_move", ACL_INSERT, &ledger);
	work.item = PG_GETARG_TEXT_PP(1);
	work.location = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
	EngineRun(&ledger, CountStock, &work);
	PG_RETURN_NUMERIC(NumericSubtract(counted, work.quantity));
}

static void
ServeByHand(Engine *engine, void *argument)
{
	HandWork   *work = argument;
	StockKey	key;

	HandKey(engine, work, &key);
	work->quantity = HandResult(work, QueueServeAvailable(engine, &key, work->quantity));
}

/*
 * serve_queue(relation regclass, item text, location text, quantity numeric): gives
 * up to "quantity" available units (NULL: all) to the queue; returns how many.
 * Needs UPDATE on order_line.  Locks: the gate, EXCLUSIVE, and slots.
 */
PG_FUNCTION_INFO_V1(backorder_serve_queue);
Datum
backorder_serve_queue(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	HandWork	work = {.memory = CurrentMemoryContext};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("item must not be NULL")));
	LedgerForCaller(PG_GETARG_OID(0), "order_line", ACL_UPDATE, &ledger);
	work.item = PG_GETARG_TEXT_PP(1);
	work.location = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
	work.quantity = PG_ARGISNULL(3) ? NULL : PG_GETARG_NUMERIC(3);
	if (work.quantity != NULL)
		RequirePositive(work.quantity);
	EngineRun(&ledger, ServeByHand, &work);
	PG_RETURN_NUMERIC(work.quantity);
}

/* Whom to rank anew. */
typedef struct RerankWork
{
	text	   *item;			/* NULL: all */
	text	   *customer;		/* NULL: all */
	int64		count;
} RerankWork;

static const LedgerQuery rerank_keys = {
	"SELECT DISTINCT b.item, b.location FROM @.backorder AS b"
	" JOIN @.order_line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no"
	" WHERE b.closed_at IS NULL AND (b.item = $1 OR $1 IS NULL) AND (l.customer = $2 OR $2 IS NULL)",
	2, {TEXTOID, TEXTOID}
};

static const LedgerQuery rerank_lines = {
	"SELECT DISTINCT b.order_id, b.line_no FROM @.backorder AS b"
	" JOIN @.order_line AS l ON l.order_id = b.order_id AND l.line_no = b.line_no"
	" WHERE b.item = $1 AND b.location = $2 AND b.closed_at IS NULL AND (l.customer = $3 OR $3 IS NULL)",
	3, {TEXTOID, TEXTOID, TEXTOID}
};

static int64
RerankKey(Engine *engine, const StockKey *key, const RerankWork *work)
{
	Datum		values[3] = {PointerGetDatum(key->item), PointerGetDatum(key->location), PointerGetDatum(work->customer)};
	Rows		lines;
	uint64		rows;
	int64		moved;

	RowsInit(&lines, &line_keys);
	rows = EngineExecute(engine, &rerank_lines, values, work->customer ? NULL : "  n");
	for (uint64 i = 0; i < rows; i++)
		RowsAddLine(&lines, ResultText(i, 1), ResultInt64(i, 2));
	moved = QueueRerank(engine, key, &lines);
	RowsEnd(&lines);
	return moved;
}

/*
 * Who joins an empty queue at this moment may have been ranked by rules that have
 * changed since, so the gates of what does not wait yet are taken as well.
 */
static void
Rerank(Engine *engine, void *argument)
{
	RerankWork *work = argument;
	Datum		values[2] = {PointerGetDatum(work->item), PointerGetDatum(work->customer)};
	char		nulls[3] = {work->item ? ' ' : 'n', work->customer ? ' ' : 'n', '\0'};
	int			count;
	StockKey   *keys;

	if (work->item == NULL)
		GateLockAll(&engine->ledger);
	else
	{
		Rows		items;

		RowsInit(&items, &item_rows);
		RowsAdd(&items, &values[0], NULL);
		GateLockItems(engine, &items);
		RowsEnd(&items);
	}
	count = (int) EngineExecute(engine, &rerank_keys, values, nulls);
	keys = ResultKeys(engine, count);
	for (int i = 0; i < count; i++)
		work->count += RerankKey(engine, &keys[i], work);
}

/*
 * rerank(relation regclass, item text, customer text): ranks what is waiting by the
 * rules as they are now; NULL is all.  Returns how many backorders moved.
 * Needs UPDATE on order_line.  Locks: the gates of the item at all locations, or
 * of all items, EXCLUSIVE.
 */
PG_FUNCTION_INFO_V1(backorder_rerank);
Datum
backorder_rerank(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	RerankWork	work = {NULL, NULL, 0};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	LedgerForCaller(PG_GETARG_OID(0), "order_line", ACL_UPDATE, &ledger);
	work.item = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	work.customer = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
	EngineRun(&ledger, Rerank, &work);
	PG_RETURN_INT64(work.count);
}

/* One side of a reallocation. */
typedef struct Side
{
	text	   *order_id;
	int64		line_no;
	text	   *item;
	text	   *location;
	Numeric		open;
	Numeric		firm;
	TimestampTz entered_at;
	int32		priority;
	Share		share;
} Side;

typedef struct Reallocation
{
	Side		from;
	Side		to;
	Numeric		quantity;
	text	   *reason;
} Reallocation;

static const LedgerQuery lock_sides = {
	"SELECT l.order_id, l.line_no, l.item, l.location, l.quantity - l.cancelled - l.shipped, l.firm,"
	" l.on_hold, coalesce(l.entered_at, greatest(l.placed_at, l.not_before)), l.priority"
	" FROM (VALUES ($1, $2), ($3, $4)) AS k (order_id, line_no)"
	" JOIN @.order_line AS l ON l.order_id = k.order_id AND l.line_no = k.line_no"
	" ORDER BY l.order_id, l.line_no FOR NO KEY UPDATE OF l",
	4, {TEXTOID, INT8OID, TEXTOID, INT8OID}
};

static void
ReadSide(Engine *engine, Side *side, uint64 rows)
{
	for (uint64 i = 0; i < rows; i++)
	{
		if (ResultInt64(i, 2) != side->line_no || TextCompare(ResultText(i, 1), side->order_id) != 0)
			continue;
		side->item = ResultText(i, 3);
		side->location = ResultText(i, 4);
		side->open = ResultBool(i, 7) ? NumericZero() : ResultNumeric(i, 5);
		side->firm = ResultNumeric(i, 6);
		side->entered_at = ResultTime(i, 8);
		side->priority = ResultInt32(i, 9);
		side->share.order_id = side->order_id;
		side->share.line_no = side->line_no;
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("there is no order line \"%s\"/" INT64_FORMAT, text_to_cstring(side->order_id),
					side->line_no)));
}

static void
RefusePendingSides(Engine *engine, const Reallocation *work)
{
	Rows		lines;

	RowsInit(&lines, &line_keys);
	RowsAddLine(&lines, work->from.order_id, work->from.line_no);
	RowsAddLine(&lines, work->to.order_id, work->to.line_no);
	PendingRefuse(engine, &lines);
	RowsEnd(&lines);
}

static void
CheckReallocation(Engine *engine, const Reallocation *work)
{
	bool		tell = CallerMayRead(engine, "order_line") && CallerMayRead(engine, "backorder");
	Numeric		free = NumericSubtract(NumericSubtract(work->from.open, work->from.share.waiting), work->from.firm);

	if (NumericCompare(work->quantity, free) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_STOCK),
				 errmsg("order line \"%s\"/" INT64_FORMAT " does not hold that many units that are not firm",
						text_to_cstring(work->from.order_id), work->from.line_no),
				 !tell ? 0 : errdetail("%s to be reallocated, %s to be had.", NumericText(work->quantity), NumericText(free)),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "reallocate_from")));
	if (NumericCompare(work->quantity, work->to.share.waiting) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("order line \"%s\"/" INT64_FORMAT " does not wait for that many units",
						text_to_cstring(work->to.order_id), work->to.line_no),
				 !tell ? 0 : errdetail("%s to be reallocated, %s waiting.", NumericText(work->quantity),
						   NumericText(work->to.share.waiting)),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "reallocate_to")));
}

static void
Reallocate(Engine *engine, void *argument)
{
	Reallocation *work = argument;
	Datum		values[4] = {PointerGetDatum(work->from.order_id), Int64GetDatum(work->from.line_no), PointerGetDatum(work->to.order_id), Int64GetDatum(work->to.line_no)};
	uint64		rows = EngineLockRows(engine, &lock_sides, NULL, values, NULL);
	Share	   *shares[2] = {&work->from.share, &work->to.share};
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Source		source = {0, "reallocated", work->quantity, now, work->reason};
	Claim	   *claim = palloc0(sizeof(Claim));
	StockKey	key;

	ReadSide(engine, &work->from, rows);
	ReadSide(engine, &work->to, rows);
	RefusePendingSides(engine, work);
	if (TextCompare(work->from.item, work->to.item) != 0 || TextCompare(work->from.location, work->to.location) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("units can be reallocated between lines of one item at one location only")));
	StockKeyInit(&key, work->from.item, work->from.location);
	GateLock(&engine->ledger, key.stripe, ExclusiveLock);
	QueueWaitingOf(engine, &key, shares, 2);
	CheckReallocation(engine, work);
	claim->order_id = work->from.order_id;
	claim->line_no = work->from.line_no;
	claim->key = &key;
	claim->quantity = claim->shortage = work->quantity;
	claim->priority = work->from.priority;
	claim->cause = "reallocated";
	claim->claim_at = work->from.entered_at;
	claim->opened_at = Max(now, claim->claim_at);
	claim->reason = work->reason;
	RuleRank(engine, &claim, 1);
	QueueFillLine(engine, &key, work->to.order_id, work->to.line_no, &source);
	QueueOpen(engine, &claim, 1);
}

/*
 * move_allocation(relation regclass, from_order text, from_line bigint, to_order text,
 * to_line bigint, quantity numeric, reason text): gives allocated units of one line
 * to another of the same item and location that waits; the first waits for them then.
 * Needs UPDATE on order_line.  Locks: both lines, then the gate, EXCLUSIVE.
 * Errors: 22023, 23503, 23514, 23B02.
 */
PG_FUNCTION_INFO_V1(backorder_move_allocation);
Datum
backorder_move_allocation(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	Reallocation work;

	for (int i = 0; i < 6; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("lines and quantity must not be NULL")));
	LedgerForCaller(PG_GETARG_OID(0), "order_line", ACL_UPDATE, &ledger);
	memset(&work, 0, sizeof(work));
	work.from.order_id = PG_GETARG_TEXT_PP(1);
	work.from.line_no = PG_GETARG_INT64(2);
	work.to.order_id = PG_GETARG_TEXT_PP(3);
	work.to.line_no = PG_GETARG_INT64(4);
	work.quantity = PG_GETARG_NUMERIC(5);
	work.reason = PG_ARGISNULL(6) ? NULL : PG_GETARG_TEXT_PP(6);
	RequirePositive(work.quantity);
	if (work.from.line_no == work.to.line_no && TextCompare(work.from.order_id, work.to.order_id) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("units cannot be reallocated from a line to itself")));
	EngineRun(&ledger, Reallocate, &work);
	PG_RETURN_NUMERIC(work.quantity);
}

/* Lines of an order that a function is about to work on. */
typedef struct LineLock
{
	text	   *order_id;
	int64		line_no;
	bool		all;			/* of the order */
} LineLock;

static void
LockLines(Engine *engine, void *argument)
{
	static const LedgerQuery query = {
		"SELECT FROM @.order_line WHERE order_id = $1 AND (line_no = $2 OR $2 IS NULL)"
		" ORDER BY order_id, line_no FOR NO KEY UPDATE",
		2, {TEXTOID, INT8OID}
	};
	LineLock   *lock = argument;
	Datum		values[2] = {PointerGetDatum(lock->order_id), Int64GetDatum(lock->line_no)};

	(void) EngineLockRows(engine, &query, NULL, values, lock->all ? " n" : NULL);
}

/* Does the caller see such a line? */
static bool
CallerSeesLine(const Ledger *ledger, const LineLock *lock)
{
	static const LedgerQuery query = {
		"SELECT FROM @.order_line WHERE order_id OPERATOR(pg_catalog.=) $1"
		" AND (line_no OPERATOR(pg_catalog.=) $2 OR $2 IS NULL) LIMIT 1",
		2, {TEXTOID, INT8OID}
	};
	Datum		values[2] = {PointerGetDatum(lock->order_id), Int64GetDatum(lock->line_no)};
	bool		found;

	SpiConnect();
	SpiExpect(SPI_execute_plan(LedgerPlan(ledger, &query), values, lock->all ? " n" : NULL, false, 1));
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/*
 * lock_lines(relation regclass, order_id text, line_no bigint, quantity numeric):
 * locks the line, or with line_no NULL all lines of the order, so that the next
 * statement sees them as they are; quantity, where given, must be above zero.  Needs SELECT on order_line, and INSERT on stock_move or UPDATE on
 * order_line.  Errors: 22004, 22023, 42501, 23503 if the caller sees no such line.
 */
PG_FUNCTION_INFO_V1(backorder_lock_lines);
Datum
backorder_lock_lines(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	LineLock	lock;
	Oid			moves;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("order_id must not be NULL")));
	if (!PG_ARGISNULL(3))
		RequirePositive(PG_GETARG_NUMERIC(3));
	LedgerOfTable(PG_GETARG_OID(0), &ledger);
	moves = LedgerTable(&ledger, "stock_move");
	if (pg_class_aclcheck(moves, GetUserId(), ACL_INSERT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(LedgerTable(&ledger, "order_line"), GetUserId(), ACL_UPDATE,
								  ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, "order_line");
	lock.order_id = PG_GETARG_TEXT_PP(1);
	lock.all = PG_ARGISNULL(2);
	lock.line_no = lock.all ? 0 : PG_GETARG_INT64(2);
	if (!CallerSeesLine(&ledger, &lock))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 lock.all ? errmsg("there is no order \"%s\"", text_to_cstring(lock.order_id)) :
				 errmsg("there is no order line \"%s\"/" INT64_FORMAT, text_to_cstring(lock.order_id), lock.line_no)));
	EngineRun(&ledger, LockLines, &lock);
	PG_RETURN_VOID();
}

/*
 * check_transfer(from_location text, to_location text, quantity numeric): error
 * 22004 or 22023 unless stock can be transferred like this.
 */
PG_FUNCTION_INFO_V1(backorder_check_transfer);
Datum
backorder_check_transfer(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("locations and quantity must not be NULL")));
	RequirePositive(PG_GETARG_NUMERIC(2));
	if (TextCompare(PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("stock can be transferred between different locations only")));
	PG_RETURN_VOID();
}
