/*
 * outlook.c
 *	  What is to come for an item at a location, and when that covers a need.
 *
 *	  Read through indexes alone, without SPI: no owner to become, nothing to
 *	  plan, so the same code serves the engine at work and functions that only
 *	  read, also on a standby and in parallel workers.
 */
#include "backorder.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"

static ColumnShape item_shape[] = {
	{"item", TEXTOID, 0},
	{"lead_time", INTERVALOID, 0},
	{"auto_allocate", BOOLOID, 0},
	{"promise_tolerance", INTERVALOID, 0},
};

static ColumnShape inbound_shape[] = {
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"expected_at", TIMESTAMPTZOID, 0},
	{"inbound_id", INT8OID, 0},
	{"quantity", NUMERICOID, 0},
	{"cancelled", NUMERICOID, 0},
	{"received", NUMERICOID, 0},
};

static ColumnShape slot_shape[] = {
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"available", NUMERICOID, 0},
	{"backordered", NUMERICOID, 0},
};

static ColumnShape queue_shape[] = {
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"priority", INT4OID, 0},
	{"rank_at", TIMESTAMPTZOID, 0},
	{"backorder_id", INT8OID, 0},
};

/* A value that is never NULL, unless somebody has altered the table. */
Datum
RowValue(TupleTableSlot *slot, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" of a ledger's table is NULL where it never was",
						NameStr(TupleDescAttr(slot->tts_tupleDescriptor, attnum - 1)->attname))));
	return value;
}

/* Everything is seen as of this snapshot. */
void
ReaderOpen(Reader *reader, const Ledger *ledger, Snapshot snapshot)
{
	memset(reader, 0, sizeof(Reader));
	reader->ledger = ledger;
	reader->memory = CurrentMemoryContext;
	reader->snapshot = RegisterSnapshot(snapshot);
}

static KeyedTable *
ReaderTable(Reader *reader, ReaderTableName which)
{
	static const struct
	{
		const char *table;
		const char *index;
		const ColumnShape *keys;
		int			nkeys;
	}			tables[READER_TABLES] = {
		{"item", NULL, item_shape, 1},
		{"inbound", "inbound_open", inbound_shape, 4},
		{"stock_slot", NULL, slot_shape, 2},
		{"backorder", "backorder_queue", queue_shape, 5},
	};

	if (!reader->open[which])
	{
		MemoryContext old = MemoryContextSwitchTo(reader->memory);

		KeyedTableOpenIndex(&reader->table[which], reader->ledger, tables[which].table, tables[which].index,
							tables[which].keys, tables[which].nkeys, AccessShareLock, reader->snapshot);
		MemoryContextSwitchTo(old);
	}
	reader->open[which] = true;
	return &reader->table[which];
}

KeyedTable *
ReaderQueue(Reader *reader)
{
	return ReaderTable(reader, READ_BACKORDER);
}

void
ReaderClose(Reader *reader)
{
	for (int i = 0; i < READER_TABLES; i++)
		if (reader->open[i])
			KeyedTableClose(&reader->table[i]);
	UnregisterSnapshot(reader->snapshot);
}

/* Sums over the slots of an item at a location: units available, and units that wait. */
void
ReadSlots(Reader *reader, text *item, text *location, Numeric *available, Numeric *backordered)
{
	KeyedTable *table = ReaderTable(reader, READ_STOCK_SLOT);
	Datum		keys[2] = {PointerGetDatum(item), PointerGetDatum(location)};
	IndexScanDesc scan = KeyedTableScan(table, keys, 2, BTEqualStrategyNumber);
	AttrNumber	attnum[lengthof(slot_shape)];

	FindColumns(table->rel, slot_shape, lengthof(slot_shape), attnum);
	*available = *backordered = NumericZero();
	while (index_getnext_slot(scan, ForwardScanDirection, table->slot))
	{
		*available = NumericAdd(*available, DatumGetNumeric(RowValue(table->slot, attnum[2])));
		*backordered = NumericAdd(*backordered, DatumGetNumeric(RowValue(table->slot, attnum[3])));
	}
	ExecClearTuple(table->slot);
	index_endscan(scan);
}

static void
OutlookAdd(Outlook *outlook, int64 inbound_id, Numeric quantity, TimestampTz at)
{
	OutlookPart *part;

	if (outlook->count == outlook->capacity)
	{
		outlook->capacity = Max(16, outlook->capacity * 2);
		outlook->parts = outlook->parts == NULL ?
			palloc(sizeof(OutlookPart) * outlook->capacity) :
			repalloc_huge(outlook->parts, sizeof(OutlookPart) * outlook->capacity);
	}
	part = &outlook->parts[outlook->count];
	part->inbound_id = inbound_id;
	part->at = at;
	part->until = outlook->count == 0 ? DatumGetNumericCopy(NumericGetDatum(quantity)) :
		NumericAdd(part[-1].until, quantity);
	outlook->count++;
}

/* What an item says about promises; false if there is no such item. */
static bool
ReadItem(Reader *reader, text *item, Outlook *outlook)
{
	KeyedTable *table = ReaderTable(reader, READ_ITEM);
	Datum		key = PointerGetDatum(item);
	AttrNumber	attnum[lengthof(item_shape)];
	bool		isnull;
	Datum		value;

	if (!KeyedTableGet(table, &key, 1))
		return false;
	FindColumns(table->rel, item_shape, lengthof(item_shape), attnum);
	value = slot_getattr(table->slot, attnum[1], &isnull);
	outlook->has_lead_time = !isnull;
	if (!isnull)
		outlook->lead_time = *DatumGetIntervalP(value);
	value = slot_getattr(table->slot, attnum[2], &isnull);
	outlook->auto_allocate = isnull || DatumGetBool(value);
	value = slot_getattr(table->slot, attnum[3], &isnull);
	if (!isnull)
		outlook->tolerance = *DatumGetIntervalP(value);
	ExecClearTuple(table->slot);
	return true;
}

/*
 * Supply in the order in which it comes: stock that nobody may take by himself,
 * then inbound rows that have a date.  False if there is no such item.
 */
bool
OutlookRead(Reader *reader, text *item, text *location, Outlook *outlook)
{
	Datum		keys[2] = {PointerGetDatum(item), PointerGetDatum(location)};
	KeyedTable *table = ReaderTable(reader, READ_INBOUND);
	AttrNumber	attnum[lengthof(inbound_shape)];
	IndexScanDesc scan;
	bool		isnull;

	memset(outlook, 0, sizeof(Outlook));
	outlook->now = GetCurrentTransactionStartTimestamp();
	if (!ReadItem(reader, item, outlook))
		return false;
	if (!outlook->auto_allocate)
	{
		Numeric		available;
		Numeric		backordered;

		ReadSlots(reader, item, location, &available, &backordered);
		if (NumericSign(available) > 0)
			OutlookAdd(outlook, 0, available, DT_NOBEGIN);
	}
	FindColumns(table->rel, inbound_shape, lengthof(inbound_shape), attnum);
	scan = KeyedTableScan(table, keys, 2, BTEqualStrategyNumber);
	while (index_getnext_slot(scan, ForwardScanDirection, table->slot))
	{
		TimestampTz at = DatumGetTimestampTz(slot_getattr(table->slot, attnum[2], &isnull));
		Numeric		open;

		if (isnull)				/* these are the last of the index */
			break;
		open = NumericSubtract(NumericSubtract(DatumGetNumeric(RowValue(table->slot, attnum[4])),
											   DatumGetNumeric(RowValue(table->slot, attnum[5]))),
							   DatumGetNumeric(RowValue(table->slot, attnum[6])));
		if (NumericSign(open) > 0)
			OutlookAdd(outlook, DatumGetInt64(RowValue(table->slot, attnum[3])), open, at);
	}
	ExecClearTuple(table->slot);
	index_endscan(scan);
	return true;
}

/*
 * The first part, from "from" on, with which the supply so far covers a need;
 * outlook->count if none does.
 */
int
OutlookFind(const Outlook *outlook, int from, Numeric need)
{
	int			low = from;
	int			high = outlook->count;

	if (low < high && NumericCompare(outlook->parts[low].until, need) >= 0)
		return low;				/* a walk along the queue mostly stays where it is */
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (NumericCompare(outlook->parts[middle].until, need) >= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

TimestampTz
TimePlus(TimestampTz at, const Interval *span)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(at),
												   IntervalPGetDatum(span)));
}

/* The promise to somebody who waits since "opened_at" and is covered by this part. */
void
OutlookPromise(Outlook *outlook, int part, TimestampTz opened_at, Promise *promise)
{
	TimestampTz last = outlook->count > 0 ? outlook->parts[outlook->count - 1].at : DT_NOBEGIN;

	promise->known = true;
	if (part < outlook->count)
	{
		promise->basis = outlook->parts[part].inbound_id == 0 ? "stock" : "inbound";
		promise->at = Max(outlook->parts[part].at, opened_at);
	}
	else if (outlook->has_lead_time)
	{
		promise->basis = "lead time";
		if (!outlook->has_estimate || outlook->estimate_of != opened_at)
		{
			outlook->has_estimate = true;
			outlook->estimate_of = opened_at;
			outlook->estimate = TimePlus(opened_at, &outlook->lead_time);
		}
		promise->at = outlook->estimate;
		if (promise->at < outlook->now)
			promise->at = TimePlus(outlook->now, &outlook->lead_time);
		promise->at = Max(promise->at, last);
	}
	else
	{
		promise->basis = "unknown";
		promise->known = last != DT_NOBEGIN;
		promise->at = last;
	}
}
