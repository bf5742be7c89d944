/*
 * fill.c
 *	  Units that come, and whom they fill.
 *
 *	  The queue is served under the exclusive gate, from the front.
 */
#include "backorder.h"

#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#define FIRST_BATCH 8
#define LARGEST_BATCH 4096

static const LedgerQuery read_front = {
	"SELECT" WAITING_COLUMNS " FROM @.backorder AS b"
	" WHERE b.item = $1 AND b.location = $2 AND b.closed_at IS NULL"
	" ORDER BY b.priority DESC, b.rank_at, b.backorder_id",
	2, {TEXTOID, TEXTOID}
};

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

/* Fills what one row waits for, as far as there is supply; returns how many units. */
static Numeric
FillRow(Engine *engine, const StockKey *key, const Waiting *row, Supply *supply, Rows *changes)
{
	Numeric		rest = row->remaining;
	Numeric		filled;
	TimestampTz at = 0;

	while (supply->current < supply->count && NumericSign(rest) > 0)
	{
		const Source *source = &supply->sources[supply->current];
		int			order = NumericCompare(supply->left, rest);
		Numeric		part = order < 0 ? supply->left : rest;

		if (NumericSign(part) > 0)
		{
			JournalWaiting(engine, "filled", key, row, part, source);
			supply->left = order > 0 ? NumericSubtract(supply->left, part) : NumericZero();
			rest = order < 0 ? NumericSubtract(rest, part) : NumericZero();
			at = source->at;
		}
		if (NumericSign(supply->left) == 0 && ++supply->current < supply->count)
			supply->left = supply->sources[supply->current].quantity;
	}
	filled = rest == NumericZero() ? row->remaining : NumericSubtract(row->remaining, rest);
	if (NumericSign(filled) > 0)
		ChangesAdd(changes, row, filled, at);
	return filled;
}

/* Serves the next rows of the queue, which have just been fetched. */
static Numeric
ServeRows(Engine *engine, const StockKey *key, Supply *supply, uint64 rows, Rows *changes)
{
	Numeric		used = NumericZero();
	Waiting		row;

	for (uint64 i = 0; i < rows && supply->current < supply->count; i++)
	{
		QueueRow(i, &row);
		used = NumericAdd(used, FillRow(engine, key, &row, supply, changes));
	}
	return used;
}

static double
ToDouble(Numeric number)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(number)));
}

/* How many rows to read next: more each time, but hardly more than it takes if they go on as they began. */
static uint64
NextBatch(uint64 batch, uint64 served, Numeric used, double total)
{
	double		units = ToDouble(used);
	double		needed = units > 0 ? (total - units) * served / units * 1.1 + FIRST_BATCH : LARGEST_BATCH;

	return (uint64) Min(Min(batch * 8, LARGEST_BATCH), needed);
}

/*
 * Serves the queue from the front with what the sources bring.  Returns how much
 * was used; slots are the caller's, also what they say of the units that wait.
 * The queue is read in growing batches, each in memory of its own: the cost
 * follows the lines filled, not the lines waiting.  What is filled is noted on
 * disk, and written once.
 */
Numeric
QueueServe(Engine *engine, const StockKey *key, Source *sources, int count)
{
	Supply		supply = {sources, count, 0, sources[0].quantity};
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "backorder batch", ALLOCSET_DEFAULT_SIZES);
	Datum		values[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};
	Portal		queue = EngineOpen(engine, &read_front, NULL, values);
	Numeric		used = NumericZero();
	uint64		batch = FIRST_BATCH;
	uint64		rows;
	uint64		served = 0;
	double		total = 0;
	Rows		changes;

	for (int i = 0; i < count; i++)
		total += ToDouble(sources[i].quantity);
	ChangesInit(&changes);
	do
	{
		MemoryContext caller = MemoryContextSwitchTo(memory);
		Numeric		part;

		rows = EngineFetch(queue, batch);
		part = ServeRows(engine, key, &supply, rows, &changes);
		MemoryContextSwitchTo(caller);
		used = NumericAdd(used, part);
		supply.left = DatumGetNumericCopy(NumericGetDatum(supply.left));
		MemoryContextReset(memory);
		if (rows < batch)
			break;
		served += rows;
		batch = NextBatch(batch, served, used, total);
	} while (supply.current < count);
	SPI_cursor_close(queue);
	MemoryContextDelete(memory);
	FillsWrite(engine, &changes);
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
	Rows		changes;

	ChangesInit(&changes);
	for (uint64 i = 0; i < rows && supply.current == 0; i++)
		(void) FillRow(engine, key, &waiting[i], &supply, &changes);
	if (supply.current == 0)
		EngineFoundDamage(&engine->ledger, "an order line does not wait for what it should");
	FillsWrite(engine, &changes);
	WaitingAdd(engine, key, NumericNegate(source->quantity));
}
