/*
 * episode.c
 *	  A backorder is an episode of waiting: opened when stock is short, changed when
 *	  units come or are given up, and closed with the last of them.
 *
 *	  Its rows are written here, directly where the table allows it (write.c), or by
 *	  the SQL that says the same.
 */
#include "backorder.h"

#include "commands/sequence.h"
#include "utils/memutils.h"

#define LARGEST_BATCH 4096

enum
{
	EPISODE_ID, EPISODE_REMAINING, EPISODE_CLOSED_AT, EPISODE_OUTCOME, EPISODE_CANCELLED, EPISODE_QUANTITY
};

/* what is changed together stands together */
static RowShape episode_columns = {NULL, {
	{"backorder_id", INT8OID}, {"remaining", NUMERICOID}, {"closed_at", TIMESTAMPTZOID}, {"outcome", TEXTOID},
	{"cancelled", NUMERICOID}, {"quantity", NUMERICOID}, {"order_id", TEXTOID}, {"line_no", INT8OID},
	{"item", TEXTOID}, {"location", TEXTOID}, {"cause", TEXTOID}, {"claim_at", TIMESTAMPTZOID},
	{"priority", INT4OID}, {"rank_at", TIMESTAMPTZOID}, {"rules", TEXTARRAYOID}, {"opened_at", TIMESTAMPTZOID},
	{"promised_at", TIMESTAMPTZOID}, {"promise_basis", TEXTOID}, {"first_promised_at", TIMESTAMPTZOID},
	{"escalation", INT4OID}
}};

static const LedgerQuery open_episodes = {
	"INSERT INTO @.backorder (backorder_id, remaining, closed_at, outcome, cancelled, quantity, order_id, line_no,"
	" item, location, cause, claim_at, priority, rank_at, rules, opened_at, promised_at, promise_basis,"
	" first_promised_at, escalation) OVERRIDING SYSTEM VALUE"
	" SELECT * FROM input",
	0, {0}, &episode_columns
};

/* Adds the row of one claim.  A lost sale is closed at once. */
static void
OpenOne(Additions *rows, const Claim *claim)
{
	const Promise *promise = &claim->promise;
	bool		lost = claim->on_short == SHORT_CANCEL;
	Datum		values[] = {
		Int64GetDatum(claim->backorder_id),
		NumericGetDatum(lost ? NumericZero() : claim->shortage),
		TimestampTzGetDatum(claim->opened_at),
		lost ? CStringGetTextDatum("cancelled") : (Datum) 0,
		NumericGetDatum(lost ? claim->shortage : NumericZero()),
		NumericGetDatum(claim->shortage),
		PointerGetDatum(claim->order_id),
		Int64GetDatum(claim->line_no),
		PointerGetDatum(claim->key->item),
		PointerGetDatum(claim->key->location),
		CStringGetTextDatum(claim->cause),
		TimestampTzGetDatum(claim->claim_at),
		Int32GetDatum(claim->priority),
		TimestampTzGetDatum(claim->rank_at),
		claim->rules,
		TimestampTzGetDatum(claim->opened_at),
		TimestampTzGetDatum(promise->at),
		promise->basis ? CStringGetTextDatum(promise->basis) : (Datum) 0,
		TimestampTzGetDatum(promise->at),
		Int32GetDatum(0)
	};
	bool		nulls[lengthof(values)] = {
		[EPISODE_CLOSED_AT] = !lost,
		[EPISODE_OUTCOME] = !lost,
		[16] = !promise->known,
		[17] = promise->basis == NULL,
		[18] = !promise->known
	};

	AdditionsAdd(rows, values, nulls);
	pfree(DatumGetPointer(values[10]));
}

static void
OpenBatch(Engine *engine, Claim **claims, int count)
{
	Oid			sequence = LedgerSequence(&engine->ledger, "backorder", "backorder_id");
	Additions	rows;

	AdditionsInit(&rows, engine, "backorder", &open_episodes);
	for (int i = 0; i < count; i++)
	{
		claims[i]->backorder_id = nextval_internal(sequence, true);
		OpenOne(&rows, claims[i]);
	}
	AdditionsEnd(&rows, engine);
}

/* Opens a backorder for the shortage of each claim, in the given order. */
void
EpisodesOpen(Engine *engine, Claim **claims, int count)
{
	for (int start = 0; start < count; start += LARGEST_BATCH)
		OpenBatch(engine, claims + start, Min(LARGEST_BATCH, count - start));
}

static RowShape change_rows = {NULL, {
	{"tid", TIDOID}, {"backorder_id", INT8OID}, {"quantity", NUMERICOID}, {"at", TIMESTAMPTZOID}
}};

/* Found by its place, which has not changed since the gate was taken; in partitions a place is not unique. */
#define CHANGE_EPISODES(cancelled, filled, wholly) \
	"UPDATE @.backorder AS b SET remaining = b.remaining - c.quantity," cancelled \
	" closed_at = CASE WHEN b.remaining = c.quantity THEN c.at END," \
	" outcome = CASE WHEN b.remaining = c.quantity" \
	" THEN CASE WHEN " filled " THEN '" wholly "' ELSE 'partly filled' END END" \
	" FROM input AS c WHERE b.ctid = c.tid AND b.backorder_id = c.backorder_id"

static const LedgerQuery write_fills = {
	CHANGE_EPISODES("", "b.cancelled = 0", "filled"),
	0, {0}, &change_rows
};

static const LedgerQuery write_cancels = {
	CHANGE_EPISODES(" cancelled = b.cancelled + c.quantity,", "b.cancelled + c.quantity = b.quantity", "cancelled"),
	0, {0}, &change_rows
};

static const LedgerQuery read_last_change = {
	"SELECT max(happened_at) FROM @.journal WHERE order_id = $1 AND line_no = $2 AND backorder_id = $3"
	" AND kind IN ('filled', 'cancelled') HAVING count(*) > 0",
	3, {TEXTOID, INT8OID, INT8OID}
};

/* When the last of its units so far came or were given up. */
static TimestampTz
LastChange(Engine *engine, const Waiting *row)
{
	Datum		values[3] = {PointerGetDatum(row->order_id), Int64GetDatum(row->line_no), Int64GetDatum(row->backorder_id)};
	TimestampTz last;

	if (NumericCompare(row->remaining, row->quantity) == 0 ||
		EngineExecute(engine, &read_last_change, values, NULL) == 0)
		return row->opened_at;
	last = ResultTime(0, 1);
	return Max(row->opened_at, last);
}

static const char *
OutcomeOf(Writer *writer, Numeric cancelled, bool cancels)
{
	if (!cancels)
		return NumericSign(cancelled) == 0 ? "filled" : "partly filled";
	return NumericCompare(cancelled, DatumGetNumeric(WriterValue(writer, EPISODE_QUANTITY))) == 0 ?
		"cancelled" : "partly filled";
}

/* Writes what a change makes of its row; false if that is not where it was. */
static bool
ChangeRow(Writer *writer, const Waiting *row, Numeric quantity, TimestampTz at, bool cancels)
{
	Numeric		remaining;
	Numeric		cancelled;
	bool		closed;

	if (row->slot != NULL)
		WriterTake(writer, row->slot);
	else if (!WriterRead(writer, row->tid) ||
			 DatumGetInt64(WriterValue(writer, EPISODE_ID)) != row->backorder_id)
		return false;
	/* all that the row waits for is most often the same number, not only an equal one */
	remaining = quantity == row->remaining ? NumericZero() :
		NumericSubtract(DatumGetNumeric(WriterValue(writer, EPISODE_REMAINING)), quantity);
	cancelled = DatumGetNumeric(WriterValue(writer, EPISODE_CANCELLED));
	if (cancels)
		cancelled = NumericAdd(cancelled, quantity);
	closed = remaining == NumericZero() || NumericSign(remaining) == 0;
	{
		Datum		values[] = {
			NumericGetDatum(remaining),
			TimestampTzGetDatum(at),
			closed ? CStringGetTextDatum(OutcomeOf(writer, cancelled, cancels)) : (Datum) 0,
			NumericGetDatum(cancelled)
		};
		bool		nulls[lengthof(values)] = {false, !closed, !closed, false};

		return WriterUpdate(writer, EPISODE_REMAINING, values, nulls, lengthof(values));
	}
}

/* Units come to backorders, or (cancels) are given up. */
void
ChangesInit(Changes *changes, bool cancels)
{
	changes->cancels = cancels;
	changes->memory = NULL;
	changes->writer = NULL;
}

static void
ChangesBegin(Engine *engine, Changes *changes)
{
	MemoryContext caller = MemoryContextSwitchTo(engine->memory);

	changes->memory = AllocSetContextCreate(engine->memory, "backorder change", ALLOCSET_SMALL_SIZES);
	changes->writer = WriterOpen(engine, "backorder", &episode_columns);
	if (changes->writer == NULL)
		RowsInit(&changes->rows, &change_rows);
	MemoryContextSwitchTo(caller);
}

/*
 * Writes a change, or notes it for SQL.  A backorder is closed when the last of its
 * units came or was given up, whatever the order in which that is recorded.  This may be a
 * query of the engine.
 */
void
ChangesAdd(Engine *engine, Changes *changes, const Waiting *row, Numeric quantity, TimestampTz at)
{
	MemoryContext caller;
	TimestampTz last;

	if (changes->memory == NULL)
		ChangesBegin(engine, changes);
	caller = MemoryContextSwitchTo(changes->memory);
	last = LastChange(engine, row);
	at = Max(at, last);
	if (changes->writer == NULL)
	{
		Datum		values[] = {
			PointerGetDatum(row->tid),
			Int64GetDatum(row->backorder_id),
			NumericGetDatum(quantity),
			TimestampTzGetDatum(at)
		};

		RowsAdd(&changes->rows, values, NULL);
	}
	else if (!ChangeRow(changes->writer, row, quantity, at, changes->cancels))
		EngineObstructed("backorder");
	MemoryContextSwitchTo(caller);
	MemoryContextReset(changes->memory);
}

/* All is written after this. */
void
ChangesEnd(Engine *engine, Changes *changes)
{
	if (changes->memory == NULL)
		return;
	MemoryContextDelete(changes->memory);
	if (changes->writer != NULL)
	{
		WriterClose(changes->writer);
		return;
	}
	if (EngineExecuteOn(engine, changes->cancels ? &write_cancels : &write_fills, &changes->rows, NULL) !=
		(uint64) changes->rows.count)
		EngineObstructed("backorder");
	RowsEnd(&changes->rows);
}
