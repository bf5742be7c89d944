/*
 * order.c
 *	  Order lines that come to be, and lines that are deleted.
 *
 *	  What must always be true: the lines of a statement are placed exactly once,
 *	  whatever made them (INSERT, COPY, MERGE, ON CONFLICT, a CTE); a line that
 *	  stock covers costs the update of one slot; a line that it does not cover is
 *	  flagged, and waits.
 */
#include "backorder.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

typedef struct DemandEntry
{
	StockKey	key;
	Demand	   *demand;
	char		status;
} DemandEntry;

#define SH_PREFIX demands
#define SH_ELEMENT_TYPE DemandEntry
#define SH_KEY_TYPE StockKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) (key).hash
#define SH_EQUAL(table, a, b) (StockKeyCompare(&(a), &(b)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* One INSERT, while its lines are placed. */
typedef struct Placement
{
	TriggerData *trigger;
	AttrNumber	attnum[LINE_COLUMNS];
	TupleTableSlot *slot;
	demands_hash *by_key;
	Demands		demands;
	MemoryContext row_memory;	/* emptied for each row */
} Placement;

/* The demand on the line's item and location. */
static Demand *
DemandOf(Engine *engine, Placement *placement, const Line *line)
{
	StockKey	key;
	DemandEntry *entry;
	bool		found;

	StockKeyInit(&key, line->item, line->location);
	entry = demands_lookup(placement->by_key, key);
	if (entry != NULL)
		return entry->demand;
	key.item = MemoryContextAlloc(engine->memory, VARSIZE_ANY(line->item));
	memcpy(key.item, line->item, VARSIZE_ANY(line->item));
	key.location = MemoryContextAlloc(engine->memory, VARSIZE_ANY(line->location));
	memcpy(key.location, line->location, VARSIZE_ANY(line->location));
	entry = demands_insert(placement->by_key, key, &found);
	MemoryContextSwitchTo(engine->memory);
	entry->demand = DemandCreate(&placement->demands, &key);
	MemoryContextSwitchTo(placement->row_memory);
	return entry->demand;
}

static void
RequireFreshLine(const Line *line)
{
	if (NumericSign(line->backordered_at_entry) != 0 || NumericSign(line->shipped) != 0 ||
		NumericSign(line->cancelled) != 0 || NumericSign(line->firm) != 0 ||
		line->entered_quantity != NULL || line->has_entered_at || line->on_hold)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a new order line has nothing shipped, cancelled, firm or backordered yet"),
				 errdetail("The columns firm, cancelled, backordered_at_entry, entered_quantity, entered_at, on_hold and shipped are kept by the engine from entry on."),
				 errhint("Leave them out of the INSERT, or insert into the view order_line_status, which ignores them.")));
}

/* Adds up what the statement asks for; lines whose time has not come are put on hold. */
static void
SumDemand(Engine *engine, Placement *placement)
{
	Tuplestorestate *rows = placement->trigger->tg_newtable;
	Line		line;

	TransitionRewind(rows);
	while (TransitionNext(rows, placement->slot))
	{
		Demand	   *demand;

		MemoryContextReset(placement->row_memory);
		MemoryContextSwitchTo(placement->row_memory);
		LineRead(placement->slot, placement->attnum, &line);
		LineCheck(placement->slot, placement->attnum, &engine->ledger, &line);
		RequireFreshLine(&line);
		demand = DemandOf(engine, placement, &line);
		MemoryContextSwitchTo(engine->memory);
		if (LineIsDue(&line))
			DemandAdd(demand, line.quantity);
		else
		{
			Fact		fact;

			FactInit(&fact, line.order_id, line.line_no);
			fact.on_hold = 1;
			FactAdd(engine, &fact, false);
		}
	}
}

/* The claims of the lines whose demands stock did not cover. */
static void
ReadShortClaims(Engine *engine, Placement *placement, Rows *claims)
{
	Tuplestorestate *rows = placement->trigger->tg_newtable;
	int64		position = 0;
	Line		line;

	ClaimsInit(claims);
	TransitionRewind(rows);
	while (TransitionNext(rows, placement->slot))
	{
		Demand	   *demand;
		Claim		claim = {.cause = "entry", .at_entry = true, .position = ++position};

		MemoryContextReset(placement->row_memory);
		MemoryContextSwitchTo(placement->row_memory);
		LineRead(placement->slot, placement->attnum, &line);
		demand = DemandOf(engine, placement, &line);
		if (LineIsDue(&line) && NumericSign(demand->shortage) > 0)
		{
			claim.order_id = line.order_id;
			claim.line_no = line.line_no;
			claim.demand = demand->number;
			claim.quantity = line.quantity;
			claim.priority = line.priority;
			claim.on_short = line.on_short ? OnShortFromText(line.on_short) : demand->policy.on_short;
			claim.claim_at = claim.opened_at = LineEntryTime(&line);
			ClaimsAdd(claims, &claim);
		}
		MemoryContextSwitchTo(engine->memory);
	}
}

static const WorkOps placement_work = {
	DemandSeemsGateless, DemandWithoutGate, DemandGateMode, DemandUnderGate
};

static void
PlaceLines(Engine *engine, void *argument)
{
	Placement	placement = {.trigger = argument};
	Demands    *demands = &placement.demands;
	void	  **groups;
	bool		any_short = false;

	LineColumns(placement.trigger->tg_relation, placement.attnum);
	placement.slot = TransitionSlot(placement.trigger);
	placement.by_key = demands_create(engine->memory, 16, NULL);
	placement.row_memory = AllocSetContextCreate(engine->memory, "backorder row", ALLOCSET_SMALL_SIZES);
	SumDemand(engine, &placement);

	groups = MemoryContextAllocHuge(engine->memory, sizeof(void *) * Max(demands->count, 1));
	memcpy(groups, demands->list, sizeof(void *) * demands->count);
	WorkRun(engine, groups, demands->count, &placement_work);
	for (int i = 0; i < demands->count && !any_short; i++)
		any_short = NumericSign(demands->list[i]->shortage) > 0;
	if (any_short)
	{
		Rows		claims;

		ReadShortClaims(engine, &placement, &claims);
		DemandSettle(engine, demands, &claims);
	}
	ExecDropSingleTupleTableSlot(placement.slot);
	PendingPop(RelationGetRelid(placement.trigger->tg_relation));
}

/*
 * order_line_before_insert: BEFORE INSERT, for each statement.  From here on the
 * lines of the statement are pending.
 */
PG_FUNCTION_INFO_V1(backorder_order_line_before_insert);
Datum
backorder_order_line_before_insert(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_BEFORE, 0, TRIGGER_EVENT_INSERT,
									   "order_line", &ledger);

	PendingPush(&ledger, RelationGetRelid(trigger->tg_relation));
	PG_RETURN_POINTER(NULL);
}

/*
 * order_line_insert: AFTER INSERT, for each statement.  Places the new lines.
 * Locks: for each (item, location) that stock does not cover from one free slot,
 * its gate; then slots.
 * Errors: 23503 unknown item or location; 23B01 refused; 55000 engine columns.
 */
PG_FUNCTION_INFO_V1(backorder_order_line_insert);
Datum
backorder_order_line_insert(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_AFTER, 0, TRIGGER_EVENT_INSERT,
									   "order_line", &ledger);

	PendingRequire(RelationGetRelid(trigger->tg_relation), trigger->tg_trigger->tgname);
	if (tuplestore_tuple_count(trigger->tg_newtable) == 0)
		PendingPop(RelationGetRelid(trigger->tg_relation));
	else
		EngineRun(&ledger, PlaceLines, trigger);
	PG_RETURN_POINTER(NULL);
}

static void
CheckDeletes(Engine *engine, void *argument)
{
	TriggerData *trigger = argument;
	TupleTableSlot *slot = TransitionSlot(trigger);
	AttrNumber	attnum[LINE_COLUMNS];
	Line		line;

	LineColumns(trigger->tg_relation, attnum);
	TransitionRewind(trigger->tg_oldtable);
	while (TransitionNext(trigger->tg_oldtable, slot))
	{
		LineRead(slot, attnum, &line);
		if (LineHasEntered(&line))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("order line \"%s\"/" INT64_FORMAT " has been demand and cannot be deleted",
							text_to_cstring(line.order_id), line.line_no),
					 errhint("Cancel it: UPDATE order_line SET cancelled = quantity - shipped, or call cancel().")));
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* order_line_delete: AFTER DELETE, for each statement.  Only lines that never entered go. */
PG_FUNCTION_INFO_V1(backorder_order_line_delete);
Datum
backorder_order_line_delete(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_DELETE, "order_line", CheckDeletes);
}
