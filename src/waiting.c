/*
 * waiting.c
 *	  How many units wait for an item at a location: the length of its queue,
 *	  without going along it.
 *
 *	  Like the stock itself it is the sum over the slots.  Who joins or leaves the
 *	  queue shares the gate with others and must not wait for them, so he writes a
 *	  slot that nobody holds, or makes one.  Those slots are numbered downwards
 *	  from -1 and hold no stock: who looks for stock does not read them, which
 *	  would make all who join a conflict under SERIALIZABLE.  Who serves the queue
 *	  counts in the slot that he writes anyway.
 */
#include "backorder.h"

/* Locks a slot that nobody holds; else "*missing" is the first there is not. */
static bool
FindWaitingSlot(Stock *stock, const StockKey *key, int *missing)
{
	int			start = WAITING_SLOT(RecallNumber(stock, key, true));
	SlotState	state;

	while ((state = SlotTryUnseen(stock, key, WAITING_SLOT(start))) == SLOT_MISSING && start > 0)
		start /= 2;
	for (int i = start - 1; state == SLOT_UNFIT && i >= 0; i--)
		if (SlotTryUnseen(stock, key, WAITING_SLOT(i)) == SLOT_LOCKED)
			state = SLOT_LOCKED;
	*missing = start;
	while (state == SLOT_UNFIT)
		state = SlotTryUnseen(stock, key, WAITING_SLOT(++*missing));
	return state == SLOT_LOCKED;
}

/* Counts units that join the queue, or leave it (below zero). */
void
WaitingAdd(Engine *engine, const StockKey *key, Numeric change)
{
	Balance		content = {NULL, NULL, change};
	Stock	   *stock;
	SlotState	state;
	int			number;

	if (NumericSign(change) == 0)
		return;
	stock = StockLook(engine);
	if (FindWaitingSlot(stock, key, &number))
	{
		SlotAdd(stock, key, &content);
		return;
	}
	for (;; number++)
	{
		if (!SlotRight(&engine->ledger, key->stripe, number))
			continue;
		/* whoever had the right has committed, or not */
		stock = StockLook(engine);
		state = SlotTry(stock, key, WAITING_SLOT(number), NULL);
		if (state == SLOT_LOCKED)
			SlotAdd(stock, key, &content);
		else if (state == SLOT_MISSING)
			SlotInsert(stock, key, WAITING_SLOT(number), &content);
		if (state != SLOT_UNFIT)
			return;
	}
}

static int
ClaimCompareKey(const void *a, const void *b)
{
	return StockKeyCompare((*(Claim *const *) a)->key, (*(Claim *const *) b)->key);
}

/* Counts what claims wait for; one slot is written for all that join one queue. */
void
WaitingJoin(Engine *engine, Claim **claims, int count)
{
	Claim	  **sorted = palloc_extended(sizeof(Claim *) * count, MCXT_ALLOC_HUGE);
	Numeric		joining = NumericZero();

	memcpy(sorted, claims, sizeof(Claim *) * count);
	qsort(sorted, count, sizeof(Claim *), ClaimCompareKey);
	for (int i = 0; i < count; i++)
	{
		if (sorted[i]->on_short != SHORT_CANCEL)
			joining = NumericAdd(joining, sorted[i]->shortage);
		if (i < count - 1 && ClaimCompareKey(&sorted[i], &sorted[i + 1]) == 0)
			continue;
		WaitingAdd(engine, sorted[i]->key, joining);
		joining = NumericZero();
	}
	pfree(sorted);
}

/*
 * Units that wait.  Under the exclusive gate that is what it says; under a shared
 * one, those who join or leave at this moment are not seen.
 */
Numeric
QueueWaiting(Engine *engine, const StockKey *key)
{
	Balance		balance;

	StockSum(engine, key, false, &balance);
	return balance.backordered;
}
