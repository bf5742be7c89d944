/*
 * place.c
 *	  Demand meets stock: what a statement asks of one item at one location.
 */
#include "backorder.h"

Demand *
DemandCreate(const StockKey *key)
{
	Demand	   *demand = palloc0(sizeof(Demand));

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

	demand->quantity = NumericAdd(before, quantity);
	NumericFree(before);
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
CheckLimit(Engine *engine, const Claim *claim)
{
	Demand	   *demand = claim->demand;
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

/* What was taken goes to the claims in their order; the rest of each is its shortage. */
static int
Distribute(Engine *engine, Claim **claims, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
		claims[i]->demand->covered = NumericSubtract(claims[i]->demand->quantity, claims[i]->demand->shortage);
	for (int i = 0; i < count; i++)
	{
		Claim	   *claim = claims[i];
		Numeric		covered = NumericLeast(claim->quantity, claim->demand->covered);

		claim->demand->covered = NumericSubtract(claim->demand->covered, covered);
		claim->shortage = NumericSubtract(claim->quantity, covered);
		if (NumericSign(claim->shortage) == 0)
			continue;
		if (claim->on_short == SHORT_REFUSE)
			RefuseLine(engine, claim, covered);
		if (claim->on_short == SHORT_BACKORDER)
			claim->demand->joining = NumericAdd(claim->demand->joining, claim->shortage);
		claims[kept++] = claim;
	}
	return kept;
}

static void
RecordShortage(Engine *engine, const Claim *claim)
{
	Fact		fact;

	if (!claim->at_entry && claim->on_short != SHORT_CANCEL)
		return;
	FactInit(&fact, claim->order_id, claim->line_no);
	if (claim->at_entry)
		fact.backordered = claim->shortage;
	if (claim->on_short == SHORT_CANCEL)
		fact.cancelled = claim->shortage;
	FactAdd(engine, &fact);
}

/*
 * Settles all claims on demands that are short: ranks them, gives them what was
 * taken, refuses what must be refused, opens backorders for the rest and notes
 * the facts.  Returns how many are short, which are then the first of "claims".
 */
int
DemandSettle(Engine *engine, Claim **claims, int count)
{
	int			kept;

	if (count == 0)
		return 0;
	RuleRank(engine, claims, count);
	qsort(claims, count, sizeof(Claim *), ClaimCompareEntry);
	kept = Distribute(engine, claims, count);
	for (int i = 0; i < kept; i++)
		CheckLimit(engine, claims[i]);
	QueueOpen(engine, claims, kept);
	for (int i = 0; i < kept; i++)
		RecordShortage(engine, claims[i]);
	return kept;
}
