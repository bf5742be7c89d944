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
 *
 *	  Slots are read one by one by their number, never as a range: beside an old
 *	  snapshot a range would go by all versions that it keeps (see key.c).
 */
#include "backorder.h"

#include "access/genam.h"

/* A receipt is spread in parts of at least this many units. */
#define SMALLEST_PART 8

int			max_slots = 16;

/*
 * Changes any one slot that nobody holds and that has at least "quantity" in it.
 * Slots are probed one by one by their full key, from that which served this
 * session last or a starting point of its own: a scan over all of them would make
 * every pair of orders a conflict under SERIALIZABLE.  They are numbered without
 * gaps, so halving the starting point finds the first that exists.
 */
static bool
SlotAddToAny(Stock *stock, const StockKey *key, Numeric quantity, const Balance *change)
{
	int			start = RecallNumber(stock, key, false);
	SlotState	state;

	while ((state = SlotTryAdd(stock, key, start, quantity, change)) == SLOT_MISSING && start > 0)
		start /= 2;
	if (state != SLOT_UNFIT)
		return state == SLOT_LOCKED;
	for (int i = start - 1; i >= 0; i--)
		if (SlotTryAdd(stock, key, i, quantity, change) == SLOT_LOCKED)
			return true;
	for (int i = start + 1; state != SLOT_MISSING; i++)
		if ((state = SlotTryAdd(stock, key, i, quantity, change)) == SLOT_LOCKED)
			return true;
	return false;
}

/* Is there a slot with this much in it, by what is visible now? */
bool
StockSuffices(Engine *engine, const StockKey *key, Numeric quantity)
{
	Stock	   *stock = StockLook(engine);
	int			number = RecallNumber(stock, key, false);
	bool		found = SlotFind(stock, key, number) &&
		NumericCompare(SlotNumeric(stock, SLOT_AVAILABLE), quantity) >= 0;

	for (number = 0; !found && SlotRead(stock, key, number); number++)
	{
		found = NumericCompare(SlotNumeric(stock, SLOT_AVAILABLE), quantity) >= 0;
		if (found)
			RememberSlot(stock, key, number);
	}
	ExecClearTuple(stock->table.slot);
	return found;
}

/* Is there anything in any slot, by what is visible now? */
bool
StockIsLeft(Engine *engine, const StockKey *key)
{
	Stock	   *stock = StockLook(engine);
	bool		found = false;

	for (int number = 0; !found && SlotRead(stock, key, number); number++)
	{
		RequireSeen(&stock->table);
		found = NumericSign(SlotNumeric(stock, SLOT_AVAILABLE)) > 0;
	}
	ExecClearTuple(stock->table.slot);
	return found;
}

/* The fast path: all of it from one slot that nobody holds, or nothing is held. */
bool
StockTakeOne(Engine *engine, const StockKey *key, Numeric quantity)
{
	Stock	   *stock = StockLook(engine);
	Balance		change = {NumericNegate(quantity), quantity, NULL};

	return SlotAddToAny(stock, key, quantity, &change);
}

/* Takes up to "quantity" of what is available, slot by slot, waiting. */
static Numeric
StockDrain(Engine *engine, const StockKey *key, Numeric quantity, bool allocate)
{
	Stock	   *stock = StockLook(engine);
	Numeric		rest = quantity;

	for (int number = 0; NumericSign(rest) > 0 && SlotRead(stock, key, number); number++)
	{
		Numeric		part;
		Balance		change = {NULL, NULL, NULL};

		RequireSeen(&stock->table);
		/* what others take meanwhile can only make it less */
		if (NumericSign(SlotNumeric(stock, SLOT_AVAILABLE)) <= 0)
			continue;
		SlotWaitLock(stock);
		part = NumericLeast(rest, SlotNumeric(stock, SLOT_AVAILABLE));
		if (NumericSign(part) <= 0)
			continue;
		change.available = NumericNegate(part);
		change.allocated = allocate ? part : NULL;
		SlotAdd(stock, key, &change);
		rest = NumericSubtract(rest, part);
	}
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

	if (SlotAddToAny(stock, key, NULL, &change))
		return;
	if (!SlotRead(stock, key, 0))
		EngineFoundDamage(&engine->ledger, "allocated units are in no slot");
	SlotWaitLock(stock);
	SlotAdd(stock, key, &change);
}

/*
 * The numbers of up to "wanted" slots, locked without waiting; "*existing" counts
 * those that there are, as far as it had to look.
 */
static int
LockFreeSlots(Stock *stock, const StockKey *key, int wanted, int *numbers, int *existing)
{
	int			number;
	int			locked = 0;

	for (number = 0; locked < wanted && SlotRead(stock, key, number); number++)
		if (SlotTryLock(stock))
			numbers[locked++] = number;
	*existing = number;
	ExecClearTuple(stock->table.slot);
	return locked;
}

/*
 * Puts units in, under the exclusive gate.  What is available is spread evenly
 * in whole units over slots that nobody holds and new ones, so that orders find a
 * slot each; the rest of the change (below zero: a release) goes to one of them.
 * Where nothing becomes available, any slot will do.
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
	if (NumericSign(rest) == 0 && SlotAddToAny(stock, key, NULL, change))
		return;
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
			SlotAdd(stock, key, &share);
		else
			elog(ERROR, "slot %d is not held any more", numbers[i]);
		if (i > 0)
			rest = NumericSubtract(rest, part);
	}
}

static void
AddSlot(Stock *stock, Balance *balance)
{
	RequireSeen(&stock->table);
	balance->available = NumericAdd(balance->available, SlotNumeric(stock, SLOT_AVAILABLE));
	balance->allocated = NumericAdd(balance->allocated, SlotNumeric(stock, SLOT_ALLOCATED));
	balance->backordered = NumericAdd(balance->backordered, SlotNumeric(stock, SLOT_BACKORDERED));
}

/*
 * The sum of all slots as they are seen now.  With "lock", under the exclusive
 * gate, it waits for those that hold stock, and nobody changes it until commit.
 * Among the slots below zero numbers may be missing.
 */
void
StockSum(Engine *engine, const StockKey *key, bool lock, Balance *balance)
{
	Stock	   *stock = StockLook(engine);
	Datum		keys[3] = {PointerGetDatum(key->item), PointerGetDatum(key->location), Int32GetDatum(PG_INT32_MIN)};
	IndexScanDesc scan = KeyedTableScan(&stock->table, keys, 3, BTGreaterEqualStrategyNumber);

	balance->available = balance->allocated = balance->backordered = NumericZero();
	while (index_getnext_slot(scan, ForwardScanDirection, stock->table.slot) && SlotNumber(stock) < 0)
		AddSlot(stock, balance);
	index_endscan(scan);
	for (int number = 0; SlotRead(stock, key, number); number++)
	{
		if (lock)
			SlotWaitLock(stock);
		AddSlot(stock, balance);
	}
	ExecClearTuple(stock->table.slot);
}
