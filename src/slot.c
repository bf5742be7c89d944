/*
 * slot.c
 *	  One slot: a part of the balance of an item at a location.
 *
 *	  Slots are read by their key and written without SPI.  An order in stock reads
 *	  one and writes its next version, which no index has to hear of; what users
 *	  have attached to the table is served by the executor.
 */
#include "backorder.h"

#include "access/tableam.h"
#include "executor/executor.h"
#include "utils/snapmgr.h"

static ColumnShape slot_shape[SLOT_COLUMNS] = {
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"slot", INT4OID, 0},
	{"available", NUMERICOID, 0},
	{"allocated", NUMERICOID, 0},
	{"backordered", NUMERICOID, 0},
};

/* Most updates write one row version and no index entry, which needs no executor. */
static void
StockExecutor(Stock *stock)
{
	MemoryContext caller;

	if (stock->estate != NULL)
		return;
	caller = MemoryContextSwitchTo(stock->engine->memory);
	stock->estate = CreateExecutorState();
	stock->result = makeNode(ResultRelInfo);
	InitResultRelInfo(stock->result, stock->table.rel, 0, NULL, 0);
	ExecOpenIndices(stock->result, false);
	stock->runs_user_code = RunsUserCode(stock->table.rel, stock->result);
	if (stock->runs_user_code)
	{
		EngineConnect(stock->engine);	/* for its search_path */
		AfterTriggerBeginQuery();
	}
	MemoryContextSwitchTo(caller);
}

/* Must the executor do more than write a row and its index entries? */
static bool
NeedsExecutor(Relation rel)
{
	const TriggerDesc *triggers = rel->trigdesc;
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return (triggers != NULL && (triggers->trig_update_before_row || triggers->trig_update_after_row)) ||
		(constraints != NULL && (constraints->num_check > 0 || constraints->has_generated_stored));
}

/* The handle on the slots for this piece of work, seeing what is there now. */
Stock *
StockLook(Engine *engine)
{
	Stock	   *stock = engine->stock;
	MemoryContext caller;

	if (stock != NULL)
	{
		KeyedTableRefresh(&stock->table);
		return stock;
	}
	CommandCounterIncrement();
	caller = MemoryContextSwitchTo(engine->memory);
	stock = palloc0(sizeof(Stock));
	KeyedTableOpen(&stock->table, &engine->ledger, "stock_slot", slot_shape, 3, RowExclusiveLock);
	FindColumns(stock->table.rel, slot_shape, SLOT_COLUMNS, stock->attnum);
	stock->engine = engine;
	stock->next = table_slot_create(stock->table.rel, NULL);
	engine->stock = stock;
	MemoryContextSwitchTo(caller);
	return stock;
}

void
StockRelease(Engine *engine)
{
	Stock	   *stock = engine->stock;

	if (stock == NULL)
		return;
	if (stock->estate != NULL)
	{
		if (stock->runs_user_code)
			AfterTriggerEndQuery(stock->estate);
		ExecCloseResultRelations(stock->estate);
		ExecResetTupleTable(stock->estate->es_tupleTable, false);
		ExecCloseIndices(stock->result);
		FreeExecutorState(stock->estate);
	}
	ExecDropSingleTupleTableSlot(stock->next);
	KeyedTableClose(&stock->table);
	engine->stock = NULL;
}

static Datum
SlotValue(Stock *stock, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(stock->table.slot, stock->attnum[column], &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" of table \"stock_slot\" is NULL where it never was",
						slot_shape[column].name)));
	return value;
}

Numeric
SlotNumeric(Stock *stock, int column)
{
	return DatumGetNumericCopy(SlotValue(stock, column));
}

int32
SlotNumber(Stock *stock)
{
	return DatumGetInt32(SlotValue(stock, SLOT_NUMBER));
}

/* Is the row in table.slot this slot of the balance? */
bool
SlotIs(Stock *stock, const StockKey *key, int number)
{
	return SlotNumber(stock) == number &&
		TextCompare(DatumGetTextPP(SlotValue(stock, SLOT_ITEM)), key->item) == 0 &&
		TextCompare(DatumGetTextPP(SlotValue(stock, SLOT_LOCATION)), key->location) == 0;
}

/* Locks the version in table.slot if nobody holds it, it is the newest, and we may write it. */
bool
SlotTryLock(Stock *stock)
{
	ItemPointerData tid = stock->table.slot->tts_tid;
	TM_FailureData failure;

	/* asked first: a lock that we do not use would make others wait */
	return SeenByTransaction(&stock->table) &&
		table_tuple_lock(stock->table.rel, &tid, stock->table.snapshot, stock->table.slot,
						 GetCurrentCommandId(false), LockTupleNoKeyExclusive, LockWaitSkip, 0,
						 &failure) == TM_Ok;
}

/* Waits for the slot in table.slot and reads its newest version, however often it changed. */
void
SlotWaitLock(Stock *stock)
{
	ItemPointerData tid = stock->table.slot->tts_tid;
	TM_FailureData failure;

	if (table_tuple_lock(stock->table.rel, &tid, stock->table.snapshot, stock->table.slot,
						 GetCurrentCommandId(false), LockTupleNoKeyExclusive, LockWaitBlock,
						 TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure) != TM_Ok ||
		!SeenByTransaction(&stock->table))
		RefuseConcurrentUpdate();
}

static void
SlotStore(Stock *stock, Datum *values)
{
	TupleTableSlot *next = stock->next;

	for (int i = 0; i < SLOT_COLUMNS; i++)
	{
		next->tts_values[stock->attnum[i] - 1] = values[i];
		next->tts_isnull[stock->attnum[i] - 1] = false;
	}
	ExecStoreVirtualTuple(next);
	ExecMaterializeSlot(next);
}

static Datum
SlotSum(Stock *stock, int column, Numeric change)
{
	Datum		value = SlotValue(stock, column);

	return change == NULL ? value : NumericGetDatum(NumericAdd(DatumGetNumeric(value), change));
}

/* Writes "next" in place of the version that was read, which is locked. */
static void
SlotExecuteUpdate(Stock *stock)
{
	StockExecutor(stock);
	stock->estate->es_snapshot = stock->table.snapshot;
	ItemPointerSetInvalid(&stock->next->tts_tid);
	ExecSimpleRelationUpdate(stock->result, stock->estate, &stock->epq, stock->table.slot, stock->next);
	if (!ItemPointerIsValid(&stock->next->tts_tid))
		EngineObstructed("stock_slot");
	ResetPerTupleExprContext(stock->estate);
}

/* The same without the executor. */
static void
SlotUpdate(Stock *stock)
{
	Relation	rel = stock->table.rel;
	IndexesToUpdate which;

	CheckCmdReplicaIdentity(rel, CMD_UPDATE);
	simple_table_tuple_update(rel, &stock->table.slot->tts_tid, stock->next, stock->table.snapshot, &which);
	if (NoIndexToUpdate(which))
		return;
	StockExecutor(stock);
	list_free(UpdateIndexes(stock->result, stock->estate, stock->next, which));
	ResetPerTupleExprContext(stock->estate);
}

/* Makes the next version of the slot, with these units more (or fewer) in it. */
static void
SlotChange(Stock *stock, const Balance *change)
{
	TupleTableSlot *slot = stock->table.slot;
	int			natts = RelationGetDescr(stock->table.rel)->natts;
	Datum		values[SLOT_COLUMNS];

	slot_getallattrs(slot);
	ExecClearTuple(stock->next);
	memcpy(stock->next->tts_values, slot->tts_values, natts * sizeof(Datum));
	memcpy(stock->next->tts_isnull, slot->tts_isnull, natts * sizeof(bool));
	for (int i = 0; i < SLOT_AVAILABLE; i++)
		values[i] = SlotValue(stock, i);
	values[SLOT_AVAILABLE] = SlotSum(stock, SLOT_AVAILABLE, change->available);
	values[SLOT_ALLOCATED] = SlotSum(stock, SLOT_ALLOCATED, change->allocated);
	values[SLOT_BACKORDERED] = SlotSum(stock, SLOT_BACKORDERED, change->backordered);
	if (NumericSign(DatumGetNumeric(values[SLOT_AVAILABLE])) < 0)
		elog(ERROR, "available stock would be below zero");
	SlotStore(stock, values);
}

/* Writes the locked slot of this balance anew. */
void
SlotAdd(Stock *stock, const StockKey *key, const Balance *change)
{
	SlotChange(stock, change);
	if (NeedsExecutor(stock->table.rel))
		SlotExecuteUpdate(stock);
	else
		SlotUpdate(stock);
	RememberWrite(stock, key, SlotNumber(stock));
}

void
SlotInsert(Stock *stock, const StockKey *key, int number, const Balance *content)
{
	TupleTableSlot *next = stock->next;
	int			natts = RelationGetDescr(stock->table.rel)->natts;
	Datum		values[SLOT_COLUMNS];

	ExecClearTuple(next);
	memset(next->tts_values, 0, natts * sizeof(Datum));
	memset(next->tts_isnull, true, natts * sizeof(bool));
	values[SLOT_ITEM] = PointerGetDatum(key->item);
	values[SLOT_LOCATION] = PointerGetDatum(key->location);
	values[SLOT_NUMBER] = Int32GetDatum(number);
	values[SLOT_AVAILABLE] = NumericGetDatum(content->available ? content->available : NumericZero());
	values[SLOT_ALLOCATED] = NumericGetDatum(content->allocated ? content->allocated : NumericZero());
	values[SLOT_BACKORDERED] = NumericGetDatum(content->backordered ? content->backordered : NumericZero());
	SlotStore(stock, values);
	StockExecutor(stock);
	stock->estate->es_snapshot = stock->table.snapshot;
	ItemPointerSetInvalid(&next->tts_tid);
	ExecSimpleRelationInsert(stock->result, stock->estate, next);
	if (!ItemPointerIsValid(&next->tts_tid))
		EngineObstructed("stock_slot");
	ResetPerTupleExprContext(stock->estate);
}

/* Reads a slot by its number. */
bool
SlotRead(Stock *stock, const StockKey *key, int number)
{
	Datum		keys[3] = {PointerGetDatum(key->item), PointerGetDatum(key->location), Int32GetDatum(number)};

	return KeyedTableGet(&stock->table, keys, 3);
}

/* The same, of a slot that serves: it is remembered. */
bool
SlotFind(Stock *stock, const StockKey *key, int number)
{
	if (RecallSlot(stock, key, number))
		return true;
	if (!SlotRead(stock, key, number))
		return false;
	RememberSlot(stock, key, number);
	return true;
}

/* Locks a slot by its number, without waiting, if at least "quantity" is in it (NULL: whatever is). */
SlotState
SlotTry(Stock *stock, const StockKey *key, int number, Numeric quantity)
{
	if (!SlotFind(stock, key, number))
		return SLOT_MISSING;
	if (quantity != NULL && NumericCompare(DatumGetNumeric(SlotValue(stock, SLOT_AVAILABLE)), quantity) < 0)
		return SLOT_UNFIT;
	return SlotTryLock(stock) ? SLOT_LOCKED : SLOT_UNFIT;
}

/* The same for who decides nothing by what he reads, and is no conflict of who writes it. */
SlotState
SlotTryUnseen(Stock *stock, const StockKey *key, int number)
{
	Snapshot	snapshot = stock->table.snapshot;
	SlotState	state;

	stock->table.snapshot = SnapshotSelf;
	state = SlotTry(stock, key, number, NULL);
	stock->table.snapshot = snapshot;
	return state;
}

/* Changes a slot if nobody holds it and at least "quantity" is in it (NULL: whatever is). */
SlotState
SlotTryAdd(Stock *stock, const StockKey *key, int number, Numeric quantity, const Balance *change)
{
	SlotState	state = SlotTry(stock, key, number, quantity);

	if (state == SLOT_LOCKED)
		SlotAdd(stock, key, change);
	return state;
}
