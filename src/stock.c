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
 *	  only under it.  Who puts stock in never waits for a slot.  Slots below zero
 *	  hold no stock: see waiting.c.
 */
#include "backorder.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

/* A receipt is spread in parts of at least this many units. */
#define SMALLEST_PART 8

int			max_slots = 16;

enum
{
	SLOT_ITEM, SLOT_LOCATION, SLOT_NUMBER, SLOT_AVAILABLE, SLOT_ALLOCATED, SLOT_BACKORDERED, SLOT_COLUMNS
};

static ColumnShape slot_shape[SLOT_COLUMNS] = {
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"slot", INT4OID, 0},
	{"available", NUMERICOID, 0},
	{"allocated", NUMERICOID, 0},
	{"backordered", NUMERICOID, 0},
};

struct Stock
{
	KeyedTable	table;
	AttrNumber	attnum[SLOT_COLUMNS];
	ResultRelInfo *result;
	EState	   *estate;
	EPQState	epq;
	TupleTableSlot *next;		/* the version to be written */
	bool		runs_user_code;	/* what a user has attached to the table */
};

/* The handle on the slots for this piece of work, seeing what is there now. */
Stock *
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
	stock->runs_user_code = RunsUserCode(stock->table.rel, stock->result);
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

static Datum
SlotSum(Stock *stock, int column, Numeric change)
{
	Datum		value = SlotValue(stock, column);

	return change == NULL ? value : NumericGetDatum(NumericAdd(DatumGetNumeric(value), change));
}

/* Writes the locked slot anew with these units more (or fewer) in it. */
void
SlotAdd(Stock *stock, const Balance *change)
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
	stock->estate->es_snapshot = stock->table.snapshot;
	ItemPointerSetInvalid(&stock->next->tts_tid);
	ExecSimpleRelationUpdate(stock->result, stock->estate, &stock->epq, slot, stock->next);
	if (!ItemPointerIsValid(&stock->next->tts_tid))
		EngineObstructed("stock_slot");
	ResetPerTupleExprContext(stock->estate);
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
	stock->estate->es_snapshot = stock->table.snapshot;
	ItemPointerSetInvalid(&next->tts_tid);
	ExecSimpleRelationInsert(stock->result, stock->estate, next);
	if (!ItemPointerIsValid(&next->tts_tid))
		EngineObstructed("stock_slot");
	ResetPerTupleExprContext(stock->estate);
}

/* Locks a slot by its number, without waiting, if at least "quantity" is in it (NULL: whatever is). */
SlotState
SlotTry(Stock *stock, const StockKey *key, int number, Numeric quantity)
{
	Datum		keys[3] = {PointerGetDatum(key->item), PointerGetDatum(key->location), Int32GetDatum(number)};

	if (!KeyedTableGet(&stock->table, keys, 3))
		return SLOT_MISSING;
	if (quantity != NULL && NumericCompare(SlotNumeric(stock, SLOT_AVAILABLE), quantity) < 0)
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

/* The slots from a number on; those that hold stock begin at 0. */
static IndexScanDesc
SlotScan(Stock *stock, const StockKey *key, int from)
{
	Datum		keys[3] = {PointerGetDatum(key->item), PointerGetDatum(key->location), Int32GetDatum(from)};

	return KeyedTableScan(&stock->table, keys, 3, BTGreaterEqualStrategyNumber);
}

/* Is there one slot with this much in it (NULL: with anything), by what is visible now? */
bool
StockHas(Engine *engine, const StockKey *key, Numeric quantity)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan = SlotScan(stock, key, 0);
	bool		found = false;

	while (!found && index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
	{
		Numeric		available = SlotNumeric(stock, SLOT_AVAILABLE);

		found = quantity != NULL ? NumericCompare(available, quantity) >= 0 : NumericSign(available) > 0;
	}
	index_endscan(scan);
	ExecClearTuple(stock->table.slot);
	return found;
}

/* The fast path: all of it from one slot that nobody holds, or nothing is held. */
bool
StockTakeOne(Engine *engine, const StockKey *key, Numeric quantity)
{
	Stock	   *stock = StockLook(engine);
	Balance		change = {NumericNegate(quantity), quantity, NULL};

	if (!SlotFind(stock, key, quantity))
		return false;
	SlotAdd(stock, &change);
	return true;
}

/* Takes up to "quantity" of what is available, slot by slot, waiting. */
static Numeric
StockDrain(Engine *engine, const StockKey *key, Numeric quantity, bool allocate)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan = SlotScan(stock, key, 0);
	Numeric		rest = quantity;

	while (NumericSign(rest) > 0 && index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
	{
		Numeric		part;
		Balance		change = {NULL, NULL, NULL};

		/* what others take meanwhile can only make it less */
		if (NumericSign(SlotNumeric(stock, SLOT_AVAILABLE)) <= 0)
			continue;
		SlotWaitLock(stock);
		part = NumericLeast(rest, SlotNumeric(stock, SLOT_AVAILABLE));
		if (NumericSign(part) <= 0)
			continue;
		change.available = NumericNegate(part);
		change.allocated = allocate ? part : NULL;
		SlotAdd(stock, &change);
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
	Balance		change = {NULL, NumericNegate(quantity), NULL};
	IndexScanDesc scan;

	if (!SlotFind(stock, key, NULL))
	{
		scan = SlotScan(stock, key, 0);
		if (!index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
			EngineFoundDamage(&engine->ledger, "allocated units are in no slot");
		SlotWaitLock(stock);
		index_endscan(scan);
	}
	SlotAdd(stock, &change);
}

/* The numbers of up to "wanted" slots, locked without waiting; "*existing" counts all there are. */
static int
LockFreeSlots(Stock *stock, const StockKey *key, int wanted, int *numbers, int *existing)
{
	IndexScanDesc scan = SlotScan(stock, key, 0);
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
 * Puts units in, under the exclusive gate.  What is available is spread evenly
 * in whole units over slots that nobody holds and new ones, so that orders find a
 * slot each; the rest of the change (below zero: a release) goes to one of them.
 */
void
StockPut(Engine *engine, const StockKey *key, const Balance *change)
{
	Stock	   *stock;
	Numeric		rest = change->available;
	int			wanted = 1;
	int			existing;
	int			locked;
	int			parts;
	int		   *numbers;
	Numeric		part = NULL;

	if (NumericSign(rest) == 0 && NumericSign(change->allocated) == 0 &&
		(change->backordered == NULL || NumericSign(change->backordered) == 0))
		return;
	stock = StockLook(engine);
	while (wanted < max_slots &&
		   NumericCompare(rest, int64_to_numeric((int64) SMALLEST_PART * (wanted + 1))) >= 0)
		wanted++;
	numbers = palloc(wanted * sizeof(int));
	locked = LockFreeSlots(stock, key, wanted, numbers, &existing);
	parts = Max(1, Min(wanted, locked + Max(0, max_slots - existing)));
	if (parts > 1)
		part = NumericDivideWhole(rest, parts);
	for (int i = parts - 1; i >= 0; i--)
	{
		Balance		share = {part, NULL, NULL};

		if (i == 0)
		{
			share = *change;
			share.available = rest;
		}
		if (i >= locked)
			SlotInsert(stock, key, existing + i - locked, &share);
		else if (SlotTry(stock, key, numbers[i], NULL) == SLOT_LOCKED)
			SlotAdd(stock, &share);
		else
			elog(ERROR, "slot %d is not held any more", numbers[i]);
		if (i > 0)
			rest = NumericSubtract(rest, part);
	}
}

/*
 * The sum of all slots as they are seen now.  With "lock", under the exclusive
 * gate, it waits for those that hold stock, and nobody changes it until commit.
 */
void
StockSum(Engine *engine, const StockKey *key, bool lock, Balance *balance)
{
	Stock	   *stock = StockLook(engine);
	IndexScanDesc scan = SlotScan(stock, key, PG_INT32_MIN);

	balance->available = balance->allocated = balance->backordered = NumericZero();
	while (index_getnext_slot(scan, ForwardScanDirection, stock->table.slot))
	{
		if (lock && SlotNumber(stock) >= 0)
			SlotWaitLock(stock);
		balance->available = NumericAdd(balance->available, SlotNumeric(stock, SLOT_AVAILABLE));
		balance->allocated = NumericAdd(balance->allocated, SlotNumeric(stock, SLOT_ALLOCATED));
		balance->backordered = NumericAdd(balance->backordered, SlotNumeric(stock, SLOT_BACKORDERED));
	}
	index_endscan(scan);
	ExecClearTuple(stock->table.slot);
}
