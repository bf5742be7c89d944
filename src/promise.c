/*
 * promise.c
 *	  When those who wait will be served: the queue against what is to come.
 *
 *	  A backorder is covered by the first part of the supply up to which there is
 *	  as much as the backorders ranked before it and itself wait for.  One walk
 *	  along the queue finds that for all of them.
 */
#include "backorder.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* rows after which the memory of a walk is given back */
#define WALK_ROWS 256
/* rows that are read from one end of the queue before the other is tried */
#define FIRST_STRETCH 8
#define LONGEST_STRETCH 512

static ColumnShape walk_shape[WALK_COLUMNS] = {
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"backorder_id", INT8OID, 0},
	{"order_id", TEXTOID, 0},
	{"line_no", INT8OID, 0},
	{"remaining", NUMERICOID, 0},
	{"priority", INT4OID, 0},
	{"rank_at", TIMESTAMPTZOID, 0},
	{"opened_at", TIMESTAMPTZOID, 0},
	{"quantity", NUMERICOID, 0},
	{"rules", TEXTARRAYOID, 0},
	{"promised_at", TIMESTAMPTZOID, 0},
	{"promise_basis", TEXTOID, 0},
};

/* A walk along the open backorders with these leading keys, in rank order or against it. */
void
WalkOpen(Walk *walk, Reader *reader, const Datum *keys, int nkeys, ScanDirection direction, bool counts)
{
	KeyedTable *table = ReaderQueue(reader);

	walk->scan = KeyedTableScan(table, keys, nkeys, BTEqualStrategyNumber);
	walk->direction = direction;
	walk->slot = table_slot_create(table->rel, NULL);
	FindColumns(table->rel, walk_shape, WALK_COLUMNS, walk->attnum);
	walk->owner = CurrentMemoryContext;
	walk->memory = AllocSetContextCreate(CurrentMemoryContext, "backorder queue", ALLOCSET_DEFAULT_SIZES);
	walk->counts = counts;
	walk->units = NULL;
	walk->rows = 0;
}

/* Counts from the current row on: the first of another item or location. */
void
WalkRestart(Walk *walk)
{
	MemoryContext old = MemoryContextSwitchTo(walk->memory);

	walk->units = DatumGetNumericCopy(NumericGetDatum(walk->remaining));
	MemoryContextSwitchTo(old);
}

bool
WalkNext(Walk *walk)
{
	MemoryContext old = MemoryContextSwitchTo(walk->owner);
	bool		found = index_getnext_slot(walk->scan, walk->direction, walk->slot);

	if (!found)
	{
		MemoryContextSwitchTo(old);
		return false;
	}
	if (walk->rows++ == WALK_ROWS)
	{
		Numeric		units = walk->units == NULL ? NULL : DatumGetNumericCopy(NumericGetDatum(walk->units));

		MemoryContextReset(walk->memory);
		MemoryContextSwitchTo(walk->memory);
		if (units != NULL)
		{
			walk->units = DatumGetNumericCopy(NumericGetDatum(units));
			pfree(units);
		}
		walk->rows = 1;
	}
	MemoryContextSwitchTo(walk->memory);
	walk->remaining = DatumGetNumeric(RowValue(walk->slot, walk->attnum[WALK_REMAINING]));
	if (walk->counts)
		walk->units = NumericAdd(walk->units == NULL ? NumericZero() : walk->units, walk->remaining);
	MemoryContextSwitchTo(old);
	return true;
}

void
WalkClose(Walk *walk)
{
	ExecDropSingleTupleTableSlot(walk->slot);
	index_endscan(walk->scan);
	MemoryContextDelete(walk->memory);
}

/* Is the current row ranked before one that is to join the queue now? */
static bool
WalkIsBefore(const Walk *walk, int32 priority, TimestampTz rank_at)
{
	int32		own = DatumGetInt32(RowValue(walk->slot, walk->attnum[WALK_PRIORITY]));

	if (own != priority)
		return own > priority;
	return DatumGetTimestampTz(RowValue(walk->slot, walk->attnum[WALK_RANK_AT])) <= rank_at;
}

/* One end of the queue. */
typedef struct End
{
	Walk		walk;
	bool		has_row;		/* read, and not yet passed */
	bool		ended;
	Numeric		passed;			/* units of the rows passed */
} End;

/* Makes sure that there is a current row; false at the other end of the queue. */
static bool
EndRow(End *end)
{
	if (!end->has_row && !end->ended)
	{
		if (end->walk.units != NULL)
		{
			NumericFree(end->passed);
			end->passed = DatumGetNumericCopy(NumericGetDatum(end->walk.units));
		}
		end->has_row = WalkNext(&end->walk);
		end->ended = !end->has_row;
	}
	return end->has_row;
}

/*
 * Units that wait before each of several newcomers, which are sorted by rank:
 * counted from the front, or from the end and taken from the length of the
 * queue, whichever comes first.  So one who joins at the end of a long queue
 * costs as little as one who goes to its front.
 */
void
CountAhead(Reader *reader, text *item, text *location, Newcomer *newcomers, int count)
{
	Datum		keys[2] = {PointerGetDatum(item), PointerGetDatum(location)};
	Numeric		available;
	Numeric		total;
	End			ends[2];
	int			first = 0;
	int			last = count - 1;
	int			stretch = FIRST_STRETCH;

	ReadSlots(reader, item, location, &available, &total);
	for (int i = 0; i < 2; i++)
	{
		WalkOpen(&ends[i].walk, reader, keys, 2, i == 0 ? BackwardScanDirection : ForwardScanDirection, true);
		ends[i].has_row = ends[i].ended = false;
		ends[i].passed = NumericZero();
	}
	while (first <= last)
	{
		for (int i = 0; i < stretch && first <= last; i++)
		{
			while (first <= last &&
				   (!EndRow(&ends[0]) ||
					WalkIsBefore(&ends[0].walk, newcomers[last].priority, newcomers[last].rank_at)))
				newcomers[last--].ahead = NumericSubtract(total, ends[0].passed);
			ends[0].has_row = false;
		}
		for (int i = 0; i < stretch && first <= last; i++)
		{
			while (first <= last &&
				   (!EndRow(&ends[1]) ||
					!WalkIsBefore(&ends[1].walk, newcomers[first].priority, newcomers[first].rank_at)))
				newcomers[first++].ahead = DatumGetNumericCopy(NumericGetDatum(ends[1].passed));
			ends[1].has_row = false;
		}
		stretch = Min(stretch * 2, LONGEST_STRETCH);
	}
	WalkClose(&ends[0].walk);
	WalkClose(&ends[1].walk);
}

/* By place, then in the order in which they are going to stand in the queue. */
static int
ClaimComparePlace(const void *a, const void *b)
{
	const Claim *left = **(Claim *const *const *) a;
	const Claim *right = **(Claim *const *const *) b;
	int			order = StockKeyCompare(left->key, right->key);

	if (order == 0)
		order = ClaimCompareRank(left, right);
	if (order == 0)				/* pointers into one array: the earlier gets the lower number */
		order = (*(char *const *) a > *(char *const *) b) - (*(char *const *) a < *(char *const *) b);
	return order;
}

/* Claims on one place, sorted by rank. */
static void
PromisePlace(Reader *reader, Claim ***claims, int count)
{
	const StockKey *key = (*claims[0])->key;
	Numeric		own = NumericZero();
	Newcomer   *newcomers = NULL;
	Outlook		outlook;

	if (!OutlookRead(reader, key->item, key->location, &outlook))
		return;					/* deleted under our eyes: no promise */
	outlook.now = DT_NOBEGIN;	/* told when the line entered, which may be history */
	if (outlook.count > 0)
	{
		newcomers = palloc(sizeof(Newcomer) * count);
		for (int i = 0; i < count; i++)
		{
			newcomers[i].priority = (*claims[i])->priority;
			newcomers[i].rank_at = (*claims[i])->rank_at;
		}
		CountAhead(reader, key->item, key->location, newcomers, count);
	}
	for (int i = 0; i < count; i++)
	{
		Claim	   *claim = *claims[i];
		int			part = 0;

		if (outlook.count > 0)
		{
			own = NumericAdd(own, claim->shortage);
			part = OutlookFind(&outlook, 0, NumericAdd(newcomers[i].ahead, own));
		}
		OutlookPromise(&outlook, part, claim->opened_at, &claim->promise);
	}
}

/*
 * What to tell claims that are about to join the queue in this order.  Where
 * nothing is on its way, one probe of an index shows it.  Who joins at the same
 * time in another transaction is not seen.
 */
void
PromiseClaims(Engine *engine, Claim **claims, int count)
{
	Claim	 ***waiting = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Claim **) * count);
	int			waiting_count = 0;
	Reader		reader;

	for (int i = 0; i < count; i++)
	{
		memset(&claims[i]->promise, 0, sizeof(Promise));
		if (claims[i]->on_short != SHORT_CANCEL)
			waiting[waiting_count++] = &claims[i];
	}
	if (waiting_count == 0)
		return;
	qsort(waiting, waiting_count, sizeof(Claim **), ClaimComparePlace);
	CommandCounterIncrement();
	ReaderOpen(&reader, &engine->ledger, GetLatestSnapshot());
	for (int start = 0, end; start < waiting_count; start = end)
	{
		for (end = start + 1; end < waiting_count; end++)
			if (StockKeyCompare((*waiting[start])->key, (*waiting[end])->key) != 0)
				break;
		PromisePlace(&reader, waiting + start, end - start);
	}
	ReaderClose(&reader);
}

/* Does the difference between two dates matter? */
static bool
BeyondTolerance(const Outlook *outlook, TimestampTz a, TimestampTz b)
{
	return a != b && TimePlus(Min(a, b), &outlook->tolerance) < Max(a, b);
}

/*
 * A date that rests on the lead time is an estimate made at some moment: made
 * anew each time it would drift with the clock.  It stands until it has passed,
 * unless supply is to come later than that, or the item's lead time says sooner.
 */
static void
SteadyEstimate(const Outlook *outlook, const Promise *former, TimestampTz opened_at, Promise *promise)
{
	TimestampTz from_opening = TimePlus(opened_at, &outlook->lead_time);
	TimestampTz last = outlook->count > 0 ? outlook->parts[outlook->count - 1].at : DT_NOBEGIN;

	if (from_opening < outlook->now)
		promise->at = Max(last, Min(former->at, TimePlus(outlook->now, &outlook->lead_time)));
}

static bool
PromiseChanges(const Outlook *outlook, const Promise *former, TimestampTz opened_at, bool drift,
			   Promise *promise)
{
	bool		same_basis = former->basis != NULL && strcmp(former->basis, promise->basis) == 0;

	if (former->basis == NULL)
		return true;
	if (former->known != promise->known)
		return true;
	if (!promise->known)
		return false;
	/* "not before" becomes a promise, or the other way round */
	if (!same_basis && (strcmp(former->basis, "unknown") == 0 || strcmp(promise->basis, "unknown") == 0))
		return true;
	if (same_basis && strcmp(promise->basis, "lead time") == 0 && former->at >= outlook->now)
	{
		if (drift)
			return false;
		SteadyEstimate(outlook, former, opened_at, promise);
	}
	return same_basis ? BeyondTolerance(outlook, former->at, promise->at) : former->at != promise->at;
}

/* The constant that stands for a basis, so that it outlives the row it was read from. */
static const char *
BasisName(const text *value)
{
	static const char *const names[] = {"stock", "inbound", "lead time", "unknown"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (VARSIZE_ANY_EXHDR(value) == strlen(names[i]) &&
			memcmp(VARDATA_ANY(value), names[i], strlen(names[i])) == 0)
			return names[i];
	return NULL;
}

void
WalkPromise(const Walk *walk, Promise *promise)
{
	bool		isnull;
	Datum		value = slot_getattr(walk->slot, walk->attnum[WALK_PROMISE_BASIS], &isnull);

	promise->basis = isnull ? NULL : BasisName(DatumGetTextPP(value));
	value = slot_getattr(walk->slot, walk->attnum[WALK_PROMISED_AT], &isnull);
	promise->known = !isnull;
	promise->at = isnull ? 0 : DatumGetTimestampTz(value);
}

static RowShape promise_rows = {NULL, {
	{"backorder_id", INT8OID}, {"promised_at", TIMESTAMPTZOID}, {"basis", TEXTOID}
}};

static const LedgerQuery write_promises = {
	"UPDATE @.backorder AS b SET promised_at = p.promised_at, promise_basis = p.basis,"
	" first_promised_at = coalesce(b.first_promised_at, p.promised_at)"
	" FROM input AS p WHERE b.backorder_id = p.backorder_id",
	0, {0}, &promise_rows
};

static void
WritePromises(Engine *engine, Rows *moves)
{
	if (moves->count > 0 && EngineExecuteOn(engine, &write_promises, moves, NULL) != (uint64) moves->count)
		EngineObstructed("backorder");
	RowsEnd(moves);
}

static void
MoveOne(Engine *engine, const StockKey *key, const Walk *walk, const Promise *former, const Promise *promise,
		Rows *moves, const char *cause, int64 move_id)
{
	Entry		entry;
	Datum		values[3];
	bool		nulls[3] = {false, !promise->known, false};

	memset(&entry, 0, sizeof(entry));
	entry.kind = "promised";
	entry.cause = cause;
	entry.order_id = TextCopy(DatumGetTextPP(RowValue(walk->slot, walk->attnum[WALK_ORDER_ID])));
	entry.line_no = DatumGetInt64(RowValue(walk->slot, walk->attnum[WALK_LINE_NO]));
	entry.key = key;
	entry.quantity = DatumGetNumericCopy(NumericGetDatum(walk->remaining));
	entry.backorder_id = DatumGetInt64(RowValue(walk->slot, walk->attnum[WALK_BACKORDER_ID]));
	entry.move_id = move_id;
	entry.promise = promise;
	entry.former = former;
	entry.happened_at = Max(GetCurrentTransactionStartTimestamp(),
							DatumGetTimestampTz(RowValue(walk->slot, walk->attnum[WALK_OPENED_AT])));
	JournalAdd(engine, &entry);
	values[0] = Int64GetDatum(entry.backorder_id);
	values[1] = TimestampTzGetDatum(promise->at);
	values[2] = CStringGetTextDatum(promise->basis);
	RowsAdd(moves, values, nulls);
	pfree(DatumGetPointer(values[2]));
	pfree(entry.order_id);
	NumericFree(entry.quantity);
}

/*
 * Tells everybody who waits what has become of his date, under the exclusive
 * gate: one walk along the queue; written are only promises that move by more
 * than the item's tolerance.  Returns how many.  "move_id" 0: no stock move.
 */
int64
PromiseMove(Engine *engine, const StockKey *key, const char *cause, int64 move_id)
{
	Datum		keys[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};
	bool		drift = strcmp(cause, "refresh") == 0;
	int			part = 0;
	int64		moved = 0;
	Rows		moves;
	Outlook		outlook;
	Reader		reader;
	Walk		walk;

	RowsInit(&moves, &promise_rows);
	CommandCounterIncrement();
	ReaderOpen(&reader, &engine->ledger, GetLatestSnapshot());
	if (OutlookRead(&reader, key->item, key->location, &outlook))
	{
		WalkOpen(&walk, &reader, keys, 2, ForwardScanDirection, true);
		while (WalkNext(&walk))
		{
			TimestampTz opened_at = DatumGetTimestampTz(RowValue(walk.slot, walk.attnum[WALK_OPENED_AT]));
			Promise		promise;
			Promise		former;

			part = OutlookFind(&outlook, part, walk.units);
			OutlookPromise(&outlook, part, opened_at, &promise);
			WalkPromise(&walk, &former);
			if (!PromiseChanges(&outlook, &former, opened_at, drift, &promise))
				continue;
			MoveOne(engine, key, &walk, &former, &promise, &moves, cause, move_id);
			moved++;
		}
		WalkClose(&walk);
	}
	ReaderClose(&reader);
	WritePromises(engine, &moves);
	return moved;
}
