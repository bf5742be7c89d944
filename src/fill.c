/*
 * fill.c
 *	  Units that come, and whom they fill.
 *
 *	  The queue is served under the exclusive gate, from the front.
 */
#include "backorder.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* rows after which the memory of a fill is given back */
#define FILL_ROWS 256

static const LedgerQuery read_line = {
	"SELECT" WAITING_COLUMNS " FROM @.backorder AS b"
	" WHERE b.order_id = $3 AND b.line_no = $4 AND (b.item, b.location) IS NOT DISTINCT FROM ($1, $2)"
	" AND b.outcome IS NULL ORDER BY b.priority DESC, b.rank_at, b.backorder_id",
	4, {TEXTOID, TEXTOID, TEXTOID, INT8OID}
};

/* Units that sources bring, used up one source after the other. */
typedef struct Supply
{
	Source	   *sources;
	int			count;
	int			current;
	Numeric		left;			/* in the current source */
} Supply;

/* Fills what one row waits for, as far as there is supply. */
static void
FillRow(Engine *engine, const StockKey *key, const Waiting *row, Supply *supply, Changes *changes)
{
	Numeric		rest = row->remaining;	/* NumericZero() itself when there is none */
	TimestampTz at = 0;
	bool		filled = false;

	while (supply->current < supply->count && rest != NumericZero())
	{
		const Source *source = &supply->sources[supply->current];
		int			order = NumericCompare(supply->left, rest);
		Numeric		part = order < 0 ? supply->left : rest;

		if (order >= 0 || NumericSign(part) > 0)
		{
			JournalWaiting(engine, "filled", key, row, part, source);
			rest = order < 0 ? NumericSubtract(rest, part) : NumericZero();
			at = source->at;
			filled = true;
		}
		if (order > 0)
			supply->left = NumericSubtract(supply->left, part);
		else if (++supply->current < supply->count)
			supply->left = supply->sources[supply->current].quantity;
		else
			supply->left = NumericZero();
	}
	if (filled)
		ChangesAdd(engine, changes, row,
				   rest == NumericZero() ? row->remaining : NumericSubtract(row->remaining, rest), at);
}

/* The current row; its values live until the next one. */
static void
WaitingOfWalk(const Walk *walk, Waiting *row)
{
	row->slot = walk->slot;
	row->tid = &walk->slot->tts_tid;
	row->backorder_id = DatumGetInt64(RowValue(walk->slot, walk->attnum[WALK_BACKORDER_ID]));
	row->order_id = DatumGetTextPP(RowValue(walk->slot, walk->attnum[WALK_ORDER_ID]));
	row->line_no = DatumGetInt64(RowValue(walk->slot, walk->attnum[WALK_LINE_NO]));
	row->remaining = walk->remaining;
	row->priority = DatumGetInt32(RowValue(walk->slot, walk->attnum[WALK_PRIORITY]));
	row->rank_at = DatumGetTimestampTz(RowValue(walk->slot, walk->attnum[WALK_RANK_AT]));
	row->rules = RowValue(walk->slot, walk->attnum[WALK_RULES]);
	row->opened_at = DatumGetTimestampTz(RowValue(walk->slot, walk->attnum[WALK_OPENED_AT]));
	row->quantity = DatumGetNumeric(RowValue(walk->slot, walk->attnum[WALK_QUANTITY]));
}

/* Goes along the queue from the front for as long as there is supply. */
static void
ServeWalk(Engine *engine, const StockKey *key, Walk *walk, Supply *supply, Changes *changes)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "backorder fill", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);
	Waiting		row;

	for (int rows = 1; supply->current < supply->count && WalkNext(walk); rows++)
	{
		CHECK_FOR_INTERRUPTS();
		WaitingOfWalk(walk, &row);
		FillRow(engine, key, &row, supply, changes);
		if (rows % FILL_ROWS == 0)
		{
			MemoryContextSwitchTo(caller);
			supply->left = DatumGetNumericCopy(NumericGetDatum(supply->left));
			MemoryContextSwitchTo(memory);
			MemoryContextReset(memory);
		}
	}
	MemoryContextSwitchTo(caller);
	supply->left = DatumGetNumericCopy(NumericGetDatum(supply->left));
	MemoryContextDelete(memory);
}

/*
 * Serves the queue from the front with what the sources bring.  Returns how much
 * was used; slots are the caller's, also what they say of the units that wait.
 * The cost follows the lines filled, not the lines waiting: what is written on
 * the way is not met again.
 */
Numeric
QueueServe(Engine *engine, const StockKey *key, Source *sources, int count)
{
	Supply		supply = {sources, count, 0, sources[0].quantity};
	Datum		values[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};
	Numeric		used = NumericZero();
	Reader		reader;
	Walk		walk;
	Changes		changes;

	ChangesInit(&changes, false);
	CommandCounterIncrement();
	ReaderOpen(&reader, &engine->ledger, GetLatestSnapshot());
	WalkOpen(&walk, &reader, values, 2, ForwardScanDirection, false);
	ServeWalk(engine, key, &walk, &supply, &changes);
	WalkClose(&walk);
	ReaderClose(&reader);
	for (int i = 0; i < supply.current; i++)
		used = NumericAdd(used, sources[i].quantity);
	if (supply.current < count && changes.memory != NULL)
		used = NumericAdd(used, NumericSubtract(sources[supply.current].quantity, supply.left));
	ChangesEnd(engine, &changes);
	return used;
}

/*
 * Serves the queue with what is available, by hand or because allocation is
 * automatic again; at most "limit" units (NULL: all).  Returns how much.
 */
Numeric
QueueServeAvailable(Engine *engine, const StockKey *key, Numeric limit)
{
	Numeric		wanted = QueueWaiting(engine, key);
	Source		source = {0, "allocate", NULL, GetCurrentTransactionStartTimestamp(), NULL};

	if (limit != NULL)
		wanted = NumericLeast(wanted, limit);
	source.quantity = NumericSign(wanted) > 0 ? StockTakeUpTo(engine, key, wanted) : NumericZero();
	if (NumericSign(source.quantity) > 0)
		WaitingAdd(engine, key, NumericNegate(QueueServe(engine, key, &source, 1)));
	return source.quantity;
}

/* Fills waiting units of one line, out of turn: a decision taken by people. */
void
QueueFillLine(Engine *engine, const StockKey *key, text *order_id, int64 line_no, const Source *source)
{
	Datum		values[4] = {PointerGetDatum(key->item), PointerGetDatum(key->location), PointerGetDatum(order_id), Int64GetDatum(line_no)};
	Source		own = *source;
	Supply		supply = {&own, 1, 0, source->quantity};
	uint64		rows = EngineExecute(engine, &read_line, values, NULL);
	Waiting    *waiting = QueueRows(rows);
	Changes		changes;

	ChangesInit(&changes, false);
	for (uint64 i = 0; i < rows && supply.current == 0; i++)
		FillRow(engine, key, &waiting[i], &supply, &changes);
	if (supply.current == 0)
		EngineFoundDamage(&engine->ledger, "an order line does not wait for what it should");
	ChangesEnd(engine, &changes);
	WaitingAdd(engine, key, NumericNegate(source->quantity));
}
