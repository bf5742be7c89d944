/*
 * place.c
 *	  Demand meets stock: what a statement asks of one item at one location.
 */
#include "backorder.h"

#include "utils/memutils.h"

/* Another demand of the statement. */
Demand *
DemandCreate(Demands *demands, const StockKey *key)
{
	Demand	   *demand = palloc0(sizeof(Demand));

	if (demands->list == NULL)
		demands->list = palloc(sizeof(Demand *) * (demands->capacity = 16));
	if (demands->count == demands->capacity)
		demands->list = repalloc_huge(demands->list, sizeof(Demand *) * (demands->capacity *= 2));
	demand->number = demands->count;
	demands->list[demands->count++] = demand;
	demand->key = *key;
	demand->quantity = NumericZero();
	demand->shortage = NumericZero();
	demand->joining = NumericZero();
	return demand;
}

void
DemandAdd(Demand *demand, Numeric quantity)
{
	Numeric		before = demand->quantity;

	if (before == NumericZero())
	{
		demand->quantity = DatumGetNumericCopy(NumericGetDatum(quantity));
		return;
	}
	demand->quantity = NumericAdd(before, quantity);
	pfree(before);
}

/* An entering line takes nothing by itself while allocation is by hand and somebody may wait. */
static bool
TakesFreely(Engine *engine, Demand *demand)
{
	return NumericSign(demand->quantity) > 0 &&
		PolicyAllocates(engine, demand->key.item);
}

bool
DemandSeemsGateless(Engine *engine, void *group)
{
	Demand	   *demand = group;

	return TakesFreely(engine, demand) && StockSuffices(engine, &demand->key, demand->quantity);
}

/* The fast path of an order in stock: one slot is written, nothing else. */
bool
DemandWithoutGate(Engine *engine, void *group)
{
	Demand	   *demand = group;

	return TakesFreely(engine, demand) && StockTakeOne(engine, &demand->key, demand->quantity);
}

/*
 * A partial take moves stock.  Where none is visible the line only joins the
 * queue, so orders of an item that is out do not wait for each other.
 */
LOCKMODE
DemandGateMode(Engine *engine, void *group)
{
	Demand	   *demand = group;

	if (NumericSign(demand->quantity) == 0 || !PolicyOfItem(engine, demand->key.item, &demand->policy))
		return ShareLock;
	if (!demand->policy.auto_allocate || demand->policy.backorder_limit != NULL)
		return ExclusiveLock;
	return StockIsLeft(engine, &demand->key) ? ExclusiveLock : ShareLock;
}

void
DemandUnderGate(Engine *engine, void *group, LOCKMODE mode)
{
	Demand	   *demand = group;
	Numeric		taken = NumericZero();

	PolicyOfKey(engine, &demand->key, "order_line", &demand->policy);
	if (NumericSign(demand->quantity) == 0)
		return;
	if (mode == ExclusiveLock &&
		(demand->policy.auto_allocate || NumericSign(QueueWaiting(engine, &demand->key)) == 0))
		taken = StockTakeUpTo(engine, &demand->key, demand->quantity);
	demand->covered = taken;
	demand->shortage = NumericSubtract(demand->quantity, taken);
}

static void
RefuseLine(Engine *engine, const Claim *claim, Numeric covered)
{
	ereport(ERROR,
			(errcode(ERRCODE_ORDER_REFUSED),
			 errmsg("order line \"%s\"/" INT64_FORMAT " is refused for want of stock",
					text_to_cstring(claim->order_id), claim->line_no),
			 CallerMayRead(engine, "stock") ?
			 errdetail("Item \"%s\" at \"%s\": %s ordered, %s available.",
					   text_to_cstring(claim->key->item), text_to_cstring(claim->key->location),
					   NumericText(claim->quantity), NumericText(covered)) : 0,
			 errhint("The line or its item says on_short = 'refuse'."),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "order_line"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "order_line_on_short")));
}

static void
CheckLimit(Engine *engine, const Claim *claim, Demand *demand)
{
	Numeric		limit = demand->policy.backorder_limit;
	Numeric		waiting;

	if (limit == NULL || NumericSign(demand->joining) == 0)
		return;
	waiting = QueueWaiting(engine, claim->key);
	if (NumericCompare(NumericAdd(waiting, demand->joining), limit) <= 0)
	{
		demand->joining = NumericZero();	/* checked for all claims on it */
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_ORDER_REFUSED),
			 errmsg("order line \"%s\"/" INT64_FORMAT " is refused: item \"%s\" has reached its backorder limit",
					text_to_cstring(claim->order_id), claim->line_no, text_to_cstring(claim->key->item)),
			 CallerMayRead(engine, "stock") ?
			 errdetail("At \"%s\": %s ordered, %s available, %s backordered already, limit %s.",
					   text_to_cstring(claim->key->location), NumericText(demand->quantity),
					   NumericText(NumericSubtract(demand->quantity, demand->shortage)),
					   NumericText(waiting), NumericText(limit)) : 0,
			 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "item"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "item_backorder_limit")));
}

/*
 * What was taken goes to the claims in their order; the rest of each is its
 * shortage.  Those that are short are pointed to by "kept".
 */
static int
Distribute(Engine *engine, const Demands *demands, Claim *claims, int count, Claim **kept)
{
	int			kept_count = 0;

	for (int i = 0; i < count; i++)
	{
		Claim	   *claim = &claims[i];
		Demand	   *demand = demands->list[claim->demand];
		Numeric		covered = NumericLeast(claim->quantity, demand->covered);

		claim->key = &demand->key;
		demand->covered = NumericSubtract(demand->covered, covered);
		claim->shortage = NumericSubtract(claim->quantity, covered);
		if (NumericSign(claim->shortage) == 0)
			continue;
		if (claim->on_short == SHORT_REFUSE)
			RefuseLine(engine, claim, covered);
		if (claim->on_short == SHORT_BACKORDER)
			demand->joining = NumericAdd(demand->joining, claim->shortage);
		kept[kept_count++] = claim;
	}
	return kept_count;
}

static void
RecordShortage(Engine *engine, const Claim *claim, bool again)
{
	Fact		fact;

	if (!claim->at_entry && claim->on_short != SHORT_CANCEL)
		return;
	FactInit(&fact, claim->order_id, claim->line_no);
	if (claim->at_entry)
		fact.backordered = claim->shortage;
	if (claim->on_short == SHORT_CANCEL)
		fact.cancelled = claim->shortage;
	FactAdd(engine, &fact, again);
}

/* Settles the next claims; what a demand keeps for those that follow is put into "memory". */
static void
SettleBatch(Engine *engine, const Demands *demands, Claim *claims, int count, bool again, MemoryContext memory)
{
	Claim	  **kept = palloc(sizeof(Claim *) * count);
	int			kept_count = Distribute(engine, demands, claims, count, kept);
	Demand	   *last = demands->list[claims[count - 1].demand];
	MemoryContext caller;

	for (int i = 0; i < kept_count; i++)
		CheckLimit(engine, kept[i], demands->list[kept[i]->demand]);
	if (kept_count > 0)
		QueueOpen(engine, kept, kept_count);
	for (int i = 0; i < kept_count; i++)
		RecordShortage(engine, kept[i], again);
	caller = MemoryContextSwitchTo(memory);
	last->covered = DatumGetNumericCopy(NumericGetDatum(last->covered));
	last->joining = NumericZero();
	MemoryContextSwitchTo(caller);
}

/*
 * Settles claims on demands that are short: ranks them, gives them what was
 * taken, refuses what must be refused, opens backorders for the rest and notes
 * the facts.  They are settled in batches, each in memory of its own, demand by
 * demand: the memory needed follows the items, not the lines.
 */
void
DemandSettle(Engine *engine, const Demands *demands, Rows *claims)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory;
	bool		again = engine->facts.store != NULL;	/* an UPDATE has facts of these lines */
	Portal		ranked;
	int64		total = 0;
	int			count;

	if (claims->count > 0)
	{
		memory = AllocSetContextCreate(caller, "backorder batch", ALLOCSET_DEFAULT_SIZES);
		ranked = RuleOpen(engine, claims);
		do
		{
			Claim	   *batch;

			MemoryContextSwitchTo(memory);
			batch = RuleFetch(ranked, &count);
			total += count;
			if (count < CLAIM_BATCH ? total != claims->count : total > claims->count)
				EngineFoundDamage(&engine->ledger, "an order line that is to be ranked does not exist");
			if (count > 0)
				SettleBatch(engine, demands, batch, count, again, caller);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(memory);
		} while (count == CLAIM_BATCH);
		SPI_cursor_close(ranked);
		MemoryContextDelete(memory);
	}
	RowsEnd(claims);
}
