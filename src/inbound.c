/*
 * inbound.c
 *	  Supply that is expected, and receipts that fulfil it.
 *
 *	  What must always be true: received is the sum of the receipts that name the
 *	  row; what a supplier first promised stays on record.  Whoever changes what is
 *	  to come, or when, moves the promises made from it, in the same statement: one
 *	  pass for each item and location, under its exclusive gate.
 */
#include "backorder.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "utils/memutils.h"

enum
{
	INBOUND_ID, INBOUND_ITEM, INBOUND_LOCATION, INBOUND_QUANTITY, INBOUND_EXPECTED_AT, INBOUND_CANCELLED,
	INBOUND_RECEIVED, INBOUND_LAST_RECEIVED_AT, INBOUND_FIRST_EXPECTED_AT, INBOUND_FIRST_QUANTITY,
	INBOUND_COLUMNS
};

static ColumnShape inbound_shape[INBOUND_COLUMNS] = {
	{"inbound_id", INT8OID, 0},
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"quantity", NUMERICOID, 0},
	{"expected_at", TIMESTAMPTZOID, 0},
	{"cancelled", NUMERICOID, 0},
	{"received", NUMERICOID, 0},
	{"last_received_at", TIMESTAMPTZOID, 0},
	{"first_expected_at", TIMESTAMPTZOID, 0},
	{"first_quantity", NUMERICOID, 0},
};

/* A row as a transition table has it. */
typedef struct InboundRow
{
	Datum		value[INBOUND_COLUMNS];
	bool		isnull[INBOUND_COLUMNS];
	Numeric		open;			/* that comes at a known time; zero: nothing */
} InboundRow;

/* An item at a location whose supply a statement changes. */
typedef struct SupplyChange
{
	StockKey	key;			/* first: a group of work */
} SupplyChange;

typedef struct ChangeEntry
{
	StockKey	key;
	SupplyChange *change;
	char		status;
} ChangeEntry;

#define SH_PREFIX changes
#define SH_ELEMENT_TYPE ChangeEntry
#define SH_KEY_TYPE StockKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) (key).hash
#define SH_EQUAL(table, a, b) (StockKeyCompare(&(a), &(b)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static void
ReadRow(TupleTableSlot *slot, const AttrNumber *attnum, InboundRow *row)
{
	for (int i = 0; i < INBOUND_COLUMNS; i++)
		row->value[i] = slot_getattr(slot, attnum[i], &row->isnull[i]);
	if (row->isnull[INBOUND_ID] || row->isnull[INBOUND_ITEM] || row->isnull[INBOUND_LOCATION] ||
		row->isnull[INBOUND_QUANTITY] || row->isnull[INBOUND_CANCELLED] || row->isnull[INBOUND_RECEIVED])
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("inbound supply lacks a value that is never NULL")));
	row->open = NumericSubtract(DatumGetNumeric(row->value[INBOUND_QUANTITY]),
								NumericAdd(DatumGetNumeric(row->value[INBOUND_CANCELLED]),
										   DatumGetNumeric(row->value[INBOUND_RECEIVED])));
	if (row->isnull[INBOUND_EXPECTED_AT] || NumericSign(row->open) < 0)
		row->open = NumericZero();
}

static bool
SameText(const InboundRow *a, const InboundRow *b, int column)
{
	return TextCompare(DatumGetTextPP(a->value[column]), DatumGetTextPP(b->value[column])) == 0;
}

static bool
SameTime(const InboundRow *a, int acolumn, const InboundRow *b, int bcolumn)
{
	return a->isnull[acolumn] == b->isnull[bcolumn] &&
		(a->isnull[acolumn] || DatumGetTimestampTz(a->value[acolumn]) == DatumGetTimestampTz(b->value[bcolumn]));
}

static bool
SameNumber(const InboundRow *a, int acolumn, const InboundRow *b, int bcolumn)
{
	return a->isnull[acolumn] == b->isnull[bcolumn] &&
		(a->isnull[acolumn] || NumericCompare(DatumGetNumeric(a->value[acolumn]), DatumGetNumeric(b->value[bcolumn])) == 0);
}

static void
RefuseChange(const InboundRow *row, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("inbound supply " INT64_FORMAT ": %s", DatumGetInt64(row->value[INBOUND_ID]), what),
			 errhint("%s", hint)));
}

/* What the engine keeps is as it must be in a new row, or as it was. */
static void
CheckKept(const InboundRow *before, const InboundRow *after)
{
	bool		kept;

	if (before == NULL)
		kept = NumericSign(DatumGetNumeric(after->value[INBOUND_RECEIVED])) == 0 &&
			after->isnull[INBOUND_LAST_RECEIVED_AT] &&
			SameNumber(after, INBOUND_FIRST_QUANTITY, after, INBOUND_QUANTITY) &&
			SameTime(after, INBOUND_FIRST_EXPECTED_AT, after, INBOUND_EXPECTED_AT);
	else
		kept = SameNumber(before, INBOUND_RECEIVED, after, INBOUND_RECEIVED) &&
			SameTime(before, INBOUND_LAST_RECEIVED_AT, after, INBOUND_LAST_RECEIVED_AT) &&
			SameNumber(before, INBOUND_FIRST_QUANTITY, after, INBOUND_FIRST_QUANTITY) &&
			(before->isnull[INBOUND_FIRST_EXPECTED_AT] ?
			 SameTime(after, INBOUND_FIRST_EXPECTED_AT, after, INBOUND_EXPECTED_AT) :
			 SameTime(before, INBOUND_FIRST_EXPECTED_AT, after, INBOUND_FIRST_EXPECTED_AT));
	if (!kept)
		RefuseChange(after, "what was received and what was first promised are kept by the engine",
					 "Insert a receipt into stock_move that names the row, or call receive().");
}

static void
CheckUpdate(const InboundRow *before, const InboundRow *after)
{
	if (DatumGetInt64(before->value[INBOUND_ID]) != DatumGetInt64(after->value[INBOUND_ID]))
		RefuseChange(before, "its key cannot be changed", "Cancel it and insert another row.");
	CheckKept(before, after);
	if (NumericSign(DatumGetNumeric(before->value[INBOUND_RECEIVED])) > 0 &&
		!(SameText(before, after, INBOUND_ITEM) && SameText(before, after, INBOUND_LOCATION)))
		RefuseChange(before, "item and location are fixed once something was received",
					 "Cancel what is open of it and insert another row.");
}

static void
CheckDelete(const InboundRow *row)
{
	if (NumericSign(DatumGetNumeric(row->value[INBOUND_RECEIVED])) > 0)
		RefuseChange(row, "it cannot be deleted once something was received",
					 "Cancel what will not come: UPDATE inbound SET cancelled = quantity - received.");
}

/* One pass for each item and location, however many rows of it change. */
static void
NoteChange(Engine *engine, changes_hash *changes, const InboundRow *row)
{
	StockKey	key;
	ChangeEntry *entry;
	bool		found;

	StockKeyInit(&key, DatumGetTextPP(row->value[INBOUND_ITEM]), DatumGetTextPP(row->value[INBOUND_LOCATION]));
	if (changes_lookup(changes, key) != NULL)
		return;
	MemoryContextSwitchTo(engine->memory);
	key.item = TextCopy(key.item);
	key.location = TextCopy(key.location);
	entry = changes_insert(changes, key, &found);
	entry->change = palloc(sizeof(SupplyChange));
	entry->change->key = key;
}

/* Does nobody's promise change by this? */
static bool
SameSupply(const InboundRow *before, const InboundRow *after)
{
	return NumericCompare(before->open, after->open) == 0 &&
		(NumericSign(before->open) == 0 ||
		 (SameTime(before, INBOUND_EXPECTED_AT, after, INBOUND_EXPECTED_AT) &&
		  SameText(before, after, INBOUND_ITEM) && SameText(before, after, INBOUND_LOCATION)));
}

/* Checks the rows of a statement, and notes where supply changes. */
static void
ReadChanges(Engine *engine, TriggerData *trigger, changes_hash *changes)
{
	bool		has_old = !TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	bool		has_new = !TRIGGER_FIRED_BY_DELETE(trigger->tg_event);
	TupleTableSlot *old = TransitionSlot(trigger);
	TupleTableSlot *new = TransitionSlot(trigger);
	MemoryContext row_memory = AllocSetContextCreate(engine->memory, "backorder row", ALLOCSET_SMALL_SIZES);
	AttrNumber	attnum[INBOUND_COLUMNS];

	FindColumns(trigger->tg_relation, inbound_shape, INBOUND_COLUMNS, attnum);
	if (has_old)
		TransitionRewind(trigger->tg_oldtable);
	if (has_new)
		TransitionRewind(trigger->tg_newtable);
	while ((!has_old || TransitionNext(trigger->tg_oldtable, old)) &&
		   (!has_new || TransitionNext(trigger->tg_newtable, new)))
	{
		InboundRow	before;
		InboundRow	after;

		MemoryContextReset(row_memory);
		MemoryContextSwitchTo(row_memory);
		if (has_old)
			ReadRow(old, attnum, &before);
		if (has_new)
			ReadRow(new, attnum, &after);
		if (!has_old)
			CheckKept(NULL, &after);
		else if (has_new)
			CheckUpdate(&before, &after);
		else
			CheckDelete(&before);
		if (has_old && has_new && SameSupply(&before, &after))
			continue;
		if (has_old && NumericSign(before.open) > 0)
			NoteChange(engine, changes, &before);
		if (has_new && NumericSign(after.open) > 0)
			NoteChange(engine, changes, &after);
	}
	MemoryContextSwitchTo(engine->memory);
	MemoryContextDelete(row_memory);
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
}

static bool
ChangeWithoutGate(Engine *engine, void *change)
{
	return false;
}

static LOCKMODE
ChangeGateMode(Engine *engine, void *change)
{
	return ExclusiveLock;
}

static void
ChangeUnderGate(Engine *engine, void *change, LOCKMODE mode)
{
	const StockKey *key = GroupKey(change);

	if (NumericSign(QueueWaiting(engine, key)) > 0)
		(void) PromiseMove(engine, key, "inbound", 0);
}

static const WorkOps change_work = {
	ChangeWithoutGate, ChangeWithoutGate, ChangeGateMode, ChangeUnderGate
};

static void
ChangeInbound(Engine *engine, void *argument)
{
	changes_hash *changes = changes_create(engine->memory, 16, NULL);
	changes_iterator iterator;
	ChangeEntry *entry;
	void	  **groups;
	int			count = 0;

	ReadChanges(engine, argument, changes);
	groups = MemoryContextAllocHuge(engine->memory, sizeof(void *) * Max(changes->members, 1));
	changes_start_iterate(changes, &iterator);
	while ((entry = changes_iterate(changes, &iterator)) != NULL)
		groups[count++] = entry->change;
	WorkRun(engine, groups, count, &change_work);
}

/*
 * inbound_change: AFTER INSERT, UPDATE or DELETE, for each statement.
 * Locks: the gate of each (item, location) whose dated open supply changes,
 * EXCLUSIVE.  Error 55000: what the engine keeps, the key, item and location or
 * DELETE once something was received.
 */
PG_FUNCTION_INFO_V1(backorder_inbound_change);
Datum
backorder_inbound_change(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_OPMASK, "inbound", ChangeInbound);
}

/*
 * inbound_complete: BEFORE INSERT or UPDATE, for each row.  Keeps what was
 * promised first.
 */
PG_FUNCTION_INFO_V1(backorder_inbound_complete);
Datum
backorder_inbound_complete(PG_FUNCTION_ARGS)
{
	static const int first[2][2] = {
		{INBOUND_QUANTITY, INBOUND_FIRST_QUANTITY}, {INBOUND_EXPECTED_AT, INBOUND_FIRST_EXPECTED_AT}
	};
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW,
									   TRIGGER_EVENT_OPMASK, "inbound", &ledger);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	AttrNumber	attnum[INBOUND_COLUMNS];
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int			count = 0;

	FindColumns(trigger->tg_relation, inbound_shape, INBOUND_COLUMNS, attnum);
	for (int i = 0; i < 2; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, attnum[first[i][0]], desc, &isnull);

		if (isnull || !heap_attisnull(tuple, attnum[first[i][1]], desc))
			continue;
		columns[count] = attnum[first[i][1]];
		values[count++] = value;
	}
	if (count > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, count, columns, values, nulls);
	PG_RETURN_POINTER(tuple);
}
