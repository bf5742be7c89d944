/*
 * work.c
 *	  Doing the work of one statement group by group, in the order in which all
 *	  statements take their locks.
 *
 *	  A group is what a statement does to one (item, location).  Lock order is
 *	  order lines, gate, slots; and by stripe, item, location within it.  Several
 *	  groups may share a stripe and so a gate: when any of them is going to need
 *	  it, it is taken before any of their slots.
 */
#include "backorder.h"

/* every kind of group begins with its key */
const StockKey *
GroupKey(const void *group)
{
	return (const StockKey *) group;
}

static int
GroupCompare(const void *a, const void *b)
{
	return StockKeyCompare(GroupKey(*(void *const *) a), GroupKey(*(void *const *) b));
}

static LOCKMODE
StrongestMode(Engine *engine, void **groups, int count, const WorkOps *ops)
{
	LOCKMODE	mode = NoLock;

	for (int i = 0; i < count; i++)
	{
		LOCKMODE	needed = ops->gate_mode(engine, groups[i]);

		mode = Max(mode, needed);
	}
	return mode;
}

/*
 * The weakest gate is chosen by what is visible before it is held.  What is
 * visible then may say otherwise; a shared gate under which nothing was done is
 * given back rather than strengthened, because two that strengthen theirs would
 * wait for each other.
 */
static LOCKMODE
TakeGate(Engine *engine, void **groups, int count, const WorkOps *ops)
{
	int			stripe = GroupKey(groups[0])->stripe;
	LOCKMODE	mode = StrongestMode(engine, groups, count, ops);

	if (mode == NoLock)
		return mode;
	GateLock(&engine->ledger, stripe, mode);
	if (mode != ExclusiveLock && StrongestMode(engine, groups, count, ops) == ExclusiveLock)
	{
		GateUnlock(&engine->ledger, stripe, mode);
		mode = ExclusiveLock;
		GateLock(&engine->ledger, stripe, mode);
	}
	return mode;
}

static bool
GateForeseen(Engine *engine, void **groups, int count, const WorkOps *ops)
{
	if (count == 1)
		return false;			/* trying is as cheap as looking */
	for (int i = 0; i < count; i++)
		if (!ops->seems_gateless(engine, groups[i]))
			return true;
	return false;
}

static void
WorkOnStripe(Engine *engine, void **groups, int count, const WorkOps *ops)
{
	bool		foreseen = GateForeseen(engine, groups, count, ops);
	int			done = 0;
	LOCKMODE	mode;

	if (!foreseen)
		while (done < count && ops->without_gate(engine, groups[done]))
			done++;
	if (done == count)
		return;
	mode = TakeGate(engine, groups + done, count - done, ops);
	for (int i = done; i < count; i++)
	{
		bool		tried = !foreseen && i == done;

		/* under the gate what needs none is done as without it: who waits for a slot there may be waited for */
		if (tried || !ops->without_gate(engine, groups[i]))
			ops->under_gate(engine, groups[i], mode);
	}
}

/* Sorts the groups and does the work of each. */
void
WorkRun(Engine *engine, void **groups, int count, const WorkOps *ops)
{
	int			end;

	if (count > 1)
		qsort(groups, count, sizeof(void *), GroupCompare);
	for (int start = 0; start < count; start = end)
	{
		for (end = start + 1; end < count; end++)
			if (GroupKey(groups[end])->stripe != GroupKey(groups[start])->stripe)
				break;
		WorkOnStripe(engine, groups + start, end - start, ops);
	}
}
