/*
 * stock.c
 *	  The slots: the balance of an item at a location, in parts.
 *
 *	  One row for each balance would make every order of a popular item wait for
 *	  the commit of the one before.  So the balance is the sum of its slots, and
 *	  an order takes what it needs from one slot that nobody holds.  Only sums
 *	  mean anything: "allocated" of a single slot may be negative.
 *
 *	  Slots are numbered from 0 without gaps and never deleted.  Outside the
 *	  exclusive gate "available" only falls; stock comes in, and slots are made,
 *	  only under it.  Who puts stock in never waits for a slot.
 */
#include "backorder.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

/* A receipt is spread in parts of at least this many units. */
#define SMALLEST_PART 8

int			max_slots = 16;

enum
{
	SLOT_ITEM, SLOT_LOCATION, SLOT_NUMBER, SLOT_AVAILABLE, SLOT_ALLOCATED, SLOT_COLUMNS
};

static ColumnShape slot_shape[SLOT_COLUMNS] = {
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"slot", INT4OID, 0},
	{"available", NUMERICOID, 0},
	{"allocated", NUMERICOID, 0},
};

typedef struct Stock
{
	KeyedTable	table;
	AttrNumber	attnum[SLOT_COLUMNS];
	ResultRelInfo *result;
	EState	   *estate;
	EPQState	epq;
	TupleTableSlot *next;		/* the version to be written */
	bool		runs_user_code;	/* what a user has attached to the table */
} Stock;

typedef enum SlotState
{
	SLOT_MISSING,
	SLOT_UNFIT,					/* held by somebody, changed just now, or too little in it */
	SLOT_LOCKED					/* ours */
} SlotState;

/* Has a user attached anything to the table that runs when a row is written? */
static bool
RunsUserCode(const Stock *stock)
{
	Relation	rel = stock->table.rel;
	const TriggerDesc *triggers = rel->trigdesc;
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	if (triggers != NULL &&
		(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
		 triggers->trig_update_before_row || triggers->trig_update_after_row))
		return true;
	if (constraints != NULL && (constraints->num_check > 0 || constraints->has_generated_stored))
		return true;
	for (int i = 0; i < stock->result->ri_NumIndices; i++)
		if (stock->result->ri_IndexRelationInfo[i]->ii_Expressions != NIL ||
			stock->result->ri_IndexRelationInfo[i]->ii_Predicate != NIL)
			return true;
	return false;
}

/* The handle on the slots for this piece of work, seeing what is there now. */
static Stock *
StockLook(Engine *engine)
{
	Stock	   *stock = engine->stock;

	if (stock != NULL)
	{
		KeyedTableRefresh(&stock->table);
		return stock;
	}
	CommandCounterIncrement();
	stock = palloc0(sizeof(Stock));
	KeyedTableOpen(&stock->table, &engine->ledger, "stock_slot", slot_shape, 3, RowExclusiveLock);
	FindColumns(stock->table.rel, slot_shape, SLOT_COLUMNS, stock->attnum);
	stock->estate = CreateExecutorState();
	stock->result = makeNode(ResultRelInfo);
	InitResultRelInfo(stock->result, stock->table.rel, 0, NULL, 0);
	ExecOpenIndices(stock->result, false);
	stock->next = table_slot_create(stock->table.rel, NULL);
	stock->runs_user_code = RunsUserCode(stock);
	if (stock->runs_user_code)
	{
		EngineConnect(engine);	/* for its search_path */
		AfterTriggerBeginQuery();
	}
	engine->stock = stock;
	return stock;
}

void
StockRelease(Engine *engine)
{
	Stock	   *stock = engine->stock;

	if (stock == NULL)
		return;
	if (stock->runs_user_code)
		AfterTriggerEndQuery(stock->estate);
	ExecCloseResultRelations(stock->estate);
	ExecResetTupleTable(stock->estate->es_tupleTable, false);
	ExecCloseIndices(stock->result);
	ExecDropSingleTupleTableSlot(stock->next);
	FreeExecutorState(stock->estate);
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

static Numeric
SlotNumeric(Stock *stock, int column)
{
	return DatumGetNumericCopy(SlotValue(stock, column));
}

static int32
SlotNumber(Stock *stock)
{
	return DatumGetInt32(SlotValue(stock, SLOT_NUMBER));
}

/*
 * Under REPEATABLE READ and SERIALIZABLE a version that the transaction's own
 * snapshot does not see must not be written.
 */
static bool
SeenByTransaction(Stock *stock)
{
	return !IsolationUsesXactSnapshot() ||
		table_tuple_satisfies_snapshot(stock->table.rel, stock->table.slot, GetTransactionSnapshot());
}

static void
RefuseConcurrentUpdate(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

/* Locks the version in table.slot if nobody holds it, it is the newest, and we may write it. */
static bool
SlotTryLock(Stock *stock)
{
	ItemPointerData tid = stock->table.slot->tts_tid;
	TM_FailureData failure;

	/* asked first: a lock that we do not use would make others wait */
	return SeenByTransaction(stock) &&
		table_tuple_lock(stock->table.rel, &tid, stock->table.snapshot, stock->table.slot,
						 GetCurrentCommandId(false), LockTupleNoKeyExclusive, LockWaitSkip, 0,
						 &failure) == TM_Ok;
}

/* Waits for the slot in table.slot and reads its newest version, however often it changed. */
static void
SlotWaitLock(Stock *stock)
{
	ItemPointerData tid = stock->table.slot->tts_tid;
	TM_FailureData failure;

	if (table_tuple_lock(stock->table.rel, &tid, stock->table.snapshot, stock->table.slot,
						 GetCurrentCommandId(false), LockTupleNoKeyExclusive, LockWaitBlock,
						 TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure) != TM_Ok ||
		!SeenByTransaction(stock))
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

/* Writes the locked slot anew with these units more (or fewer) in it. */
static void
SlotAdd(Stock *stock, Numeric available, Numeric allocated)
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
	values[SLOT_AVAILABLE] = NumericGetDatum(NumericAdd(SlotNumeric(stock, SLOT_AVAILABLE), available));
	values[SLOT_ALLOCATED] = NumericGetDatum(NumericAdd(SlotNumeric(stock, SLOT_ALLOCATED), allocated));
	if (NumericSign(DatumGetNumeric(values[SLOT_AVAILABLE])) < 0)
		elog(ERROR, "available stock would be below zero");
	SlotStore(stock, values);
	stock->estate->es_snapshot = stock->table.snapshot;
	ItemPointerSetInvalid(&stock->next->tts_tid);
	ExecSimpleRelationUpdate(stock->result, stock->estate, &stock->epq, slot, stock->next);
	if (!ItemPointerIsValid(&stock->next->tts_tid))
		EngineObstructed("stock_slot");
	ResetPerTupleExprContext(stock->estate);
}

static void
SlotInsert(Stock *stock, const StockKey *key, int number, Numeric available, Numeric allocated)
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
	values[SLOT_AVAILABLE] = NumericGetDatum(available);
	values[SLOT_ALLOCATED] = NumericGetDatum(allocated);
	SlotStore(stock, values);
	stock->estate->es_snapshot = stock->table.snapshot;
	ItemPointerSetInvalid(&next->tts_tid);
	ExecSimpleRelationInsert(stock->result, stock->estate, next);
	if (!ItemPointerIsValid(&next->tts_tid))
		EngineObstructed("stock_slot");
	ResetPerTupleExprContext(stock->estate);
}

/* Locks a slot by its number, without waiting, if at least "quantity" is in it (NULL: whatever is). */
static SlotState
SlotTry(Stock *stock, const StockKey *key, int number, Numeric quantity)
{
	Datum		keys[3] = {PointerGetDatum(key->item), PointerGetDatum(key->location), Int32GetDatum(number)};

	if (!KeyedTableGet(&stock->table, keys, 3))
		return SLOT_MISSING;
	if (quantity != NULL && NumericCompare(SlotNumeric(stock, SLOT_AVAILABLE), quantity) < 0)
		return SLOT_UNFIT;
	return SlotTryLock(stock) ? SLOT_LOCKED : SLOT_UNFIT;
}

/*
 * Locks any one slot that nobody holds and that has at least "quantity" in it.
 * Slots are probed one by one by their full key, from a starting point of one's
 * own: a scan over all of them would make every pair of orders a conflict under
 * SERIALIZABLE.  They are numbered without gaps, so halving the starting point
 * finds the first that exists.
 */
static bool
SlotFind(Stock *stock, const StockKey *key, Numeric quantity)
{
	int			start = MyProcPid % max_slots;
	SlotState	state;

	while ((state = SlotTry(stock, key, start, quantity)) == SLOT_MISSING && start > 0)
		start /= 2;
	if (state != SLOT_UNFIT)
		return state == SLOT_LOCKED;
	for (int i = start - 1; i >= 0; i--)
		if (SlotTry(stock, key, i, quantity) == SLOT_LOCKED)
			return true;
	for (int i = start + 1; state != SLOT_MISSING; i++)
		if ((state = SlotTry(stock, key, i, quantity)) == SLOT_LOCKED)
			return true;
	return false;
}

static IndexScanDesc
SlotScan(Stock *stock, const StockKey *key)
{
	Datum		keys[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};

	return KeyedTableScan(&stock->table, keys, 2);
}

/* Is there one slot with this much in it, by what is visible now? */
bool
StockCovers(Engine *engine, const StockKey *key, Numeric quantity)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan = SlotScan(stock, key);
	bool		covers = false;

	while (!covers && index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
		covers = NumericCompare(SlotNumeric(stock, SLOT_AVAILABLE), quantity) >= 0;
	index_endscan(scan);
	ExecClearTuple(stock->table.slot);
	return covers;
}

/* Is anything available, by what is visible now? */
bool
StockVisible(Engine *engine, const StockKey *key)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan = SlotScan(stock, key);
	bool		visible = false;

	while (!visible && index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
		visible = NumericSign(SlotNumeric(stock, SLOT_AVAILABLE)) > 0;
	index_endscan(scan);
	ExecClearTuple(stock->table.slot);
	return visible;
}

/* The fast path: all of it from one slot that nobody holds, or nothing is held. */
bool
StockTakeOne(Engine *engine, const StockKey *key, Numeric quantity)
{
	Stock	   *stock = StockLook(engine);

	if (!SlotFind(stock, key, quantity))
		return false;
	SlotAdd(stock, NumericNegate(quantity), quantity);
	return true;
}

/* Takes up to "quantity" of what is available, slot by slot, waiting. */
static Numeric
StockDrain(Engine *engine, const StockKey *key, Numeric quantity, bool allocate)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan = SlotScan(stock, key);
	Numeric		rest = quantity;

	while (NumericSign(rest) > 0 && index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
	{
		Numeric		part;

		/* what others take meanwhile can only make it less */
		if (NumericSign(SlotNumeric(stock, SLOT_AVAILABLE)) <= 0)
			continue;
		SlotWaitLock(stock);
		part = NumericLeast(rest, SlotNumeric(stock, SLOT_AVAILABLE));
		if (NumericSign(part) <= 0)
			continue;
		SlotAdd(stock, NumericNegate(part), allocate ? part : NumericZero());
		rest = NumericSubtract(rest, part);
	}
	index_endscan(scan);
	ExecClearTuple(stock->table.slot);
	return NumericSubtract(quantity, rest);
}

/* Allocates up to "quantity" under the exclusive gate; returns how much. */
Numeric
StockTakeUpTo(Engine *engine, const StockKey *key, Numeric quantity)
{
	return StockDrain(engine, key, quantity, true);
}

/* Removes up to "quantity" that is gone, under the exclusive gate; returns how much. */
Numeric
StockRemoveUpTo(Engine *engine, const StockKey *key, Numeric quantity)
{
	return StockDrain(engine, key, quantity, false);
}

/* Allocated units leave the house.  No gate: nothing becomes available. */
void
StockShip(Engine *engine, const StockKey *key, Numeric quantity)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan;

	if (!SlotFind(stock, key, NULL))
	{
		scan = SlotScan(stock, key);
		if (!index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
			EngineFoundDamage(&engine->ledger, "allocated units are in no slot");
		SlotWaitLock(stock);
		index_endscan(scan);
	}
	SlotAdd(stock, NumericZero(), NumericNegate(quantity));
}

/* The numbers of up to "wanted" slots, locked without waiting; "*existing" counts all there are. */
static int
LockFreeSlots(Stock *stock, const StockKey *key, int wanted, int *numbers, int *existing)
{
	IndexScanDesc scan = SlotScan(stock, key);
	int			locked = 0;

	*existing = 0;
	while (index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
	{
		int			number = SlotNumber(stock);

		*existing = number + 1;
		if (locked < wanted && SlotTryLock(stock))
			numbers[locked++] = number;
	}
	index_endscan(scan);
	ExecClearTuple(stock->table.slot);
	return locked;
}

/*
 * Puts units in, under the exclusive gate.  "available" is spread evenly in
 * whole units over slots that nobody holds and new ones, so that orders find a
 * slot each; "allocated" (negative: a release) goes to one of them.
 */
void
StockPut(Engine *engine, const StockKey *key, Numeric available, Numeric allocated)
{
	Stock	   *stock;
	int			wanted = 1;
	int			existing;
	int			locked;
	int			parts;
	int		   *numbers;
	Numeric		part;
	Numeric		rest;

	if (NumericSign(available) == 0 && NumericSign(allocated) == 0)
		return;
	stock = StockLook(engine);
	while (wanted < max_slots &&
		   NumericCompare(available, int64_to_numeric((int64) SMALLEST_PART * (wanted + 1))) >= 0)
		wanted++;
	numbers = palloc(wanted * sizeof(int));
	locked = LockFreeSlots(stock, key, wanted, numbers, &existing);
	parts = Max(1, Min(wanted, locked + Max(0, max_slots - existing)));
	part = parts > 1 ? NumericDivideWhole(available, parts) : NumericZero();
	rest = available;
	for (int i = parts - 1; i >= 0; i--)
	{
		Numeric		units = i > 0 ? part : rest;
		Numeric		claimed = i > 0 ? NumericZero() : allocated;

		if (i >= locked)
			SlotInsert(stock, key, existing + i - locked, units, claimed);
		else if (SlotTry(stock, key, numbers[i], NULL) == SLOT_LOCKED)
			SlotAdd(stock, units, claimed);
		else
			elog(ERROR, "slot %d is not held any more", numbers[i]);
		rest = NumericSubtract(rest, units);
	}
}

/* Waits for every slot, under the exclusive gate: a sum that nobody changes until commit. */
void
StockLockAll(Engine *engine, const StockKey *key, Balance *balance)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan = SlotScan(stock, key);

	balance->available = balance->allocated = NumericZero();
	while (index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
	{
		SlotWaitLock(stock);
		balance->available = NumericAdd(balance->available, SlotNumeric(stock, SLOT_AVAILABLE));
		balance->allocated = NumericAdd(balance->allocated, SlotNumeric(stock, SLOT_ALLOCATED));
	}
	index_endscan(scan);
	ExecClearTuple(stock->table.slot);
}
