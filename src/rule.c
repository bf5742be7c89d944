/*
 * rule.c
 *	  Who goes first.
 *
 *	  The order of the queue is priority (higher first), then rank_at (earlier
 *	  first), then the order of opening.  rank_at is the time from which the turn
 *	  counts less the head starts of the rules that match, so the order never has
 *	  to be sorted again as time passes and nobody starves.
 */
#include "backorder.h"

#include "catalog/pg_type.h"
#include "utils/guc.h"

static const LedgerQuery rank_claims = {
	"SELECT " RULE_COLUMNS("k.claim_at")
	" FROM unnest($1, $2, $3) WITH ORDINALITY AS k (order_id, line_no, claim_at, n)"
	" JOIN @.rule_input AS i ON i.order_id = k.order_id AND i.line_no = k.line_no"
	RULE_JOIN("k.claim_at") " ORDER BY k.n",
	3, {TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID}
};

/*
 * Runs a query that evaluates rules.  What they say of times does not depend on
 * the session: the times of a line are given to them in UTC.
 */
uint64
RuleExecute(Engine *engine, const LedgerQuery *query, Datum *values)
{
	int			level;
	uint64		rows;

	EngineConnect(engine);
	level = NewGUCNestLevel();
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	rows = EngineExecute(engine, query, values, NULL);
	AtEOXact_GUC(false, level);
	return rows;
}

/* Fills in priority, rank_at and rules of each claim. */
void
RuleRank(Engine *engine, Claim **claims, int count)
{
	Column		order_ids;
	Column		line_nos;
	Column		times;
	Datum		values[3];

	ColumnInit(&order_ids, TEXTOID);
	ColumnInit(&line_nos, INT8OID);
	ColumnInit(&times, TIMESTAMPTZOID);
	for (int i = 0; i < count; i++)
	{
		ColumnAdd(&order_ids, PointerGetDatum(claims[i]->order_id));
		ColumnAdd(&line_nos, Int64GetDatum(claims[i]->line_no));
		ColumnAdd(&times, TimestampTzGetDatum(claims[i]->claim_at));
	}
	values[0] = ColumnArray(&order_ids);
	values[1] = ColumnArray(&line_nos);
	values[2] = ColumnArray(&times);
	if (RuleExecute(engine, &rank_claims, values) != (uint64) count)
		EngineFoundDamage(&engine->ledger, "an order line that is to be ranked does not exist");
	for (int i = 0; i < count; i++)
	{
		claims[i]->priority = ResultInt32(i, 1);
		claims[i]->rank_at = ResultTime(i, 2);
		claims[i]->rules = ResultTextArray(i, 3);
	}
}

/* The order in which a queue is served, as far as a rank can tell. */
int
ClaimCompareRank(const Claim *a, const Claim *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	return (a->rank_at > b->rank_at) - (a->rank_at < b->rank_at);
}

/*
 * The order in which the lines of one statement are placed: as they entered, so
 * that history replays as it happened; by rank, so that an import with one
 * timestamp follows the rules; as they stood in the statement.
 */
int
ClaimCompareEntry(const void *a, const void *b)
{
	const Claim *left = *(Claim *const *) a;
	const Claim *right = *(Claim *const *) b;
	int			order = (left->claim_at > right->claim_at) - (left->claim_at < right->claim_at);

	if (order == 0)
		order = ClaimCompareRank(left, right);
	if (order == 0)
		order = (left->position > right->position) - (left->position < right->position);
	return order;
}
