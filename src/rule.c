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

#include "utils/guc.h"

/* claims are ranked so many at a time */
#define CLAIM_BATCH 4096

static RowShape claim_rows = {NULL, {
	{"order_id", TEXTOID}, {"line_no", INT8OID}, {"claim_at", TIMESTAMPTZOID}, {"n", INT8OID}
}};

static const LedgerQuery rank_claims = {
	"SELECT " RULE_COLUMNS("k.claim_at")
	", k.n FROM input AS k"
	" JOIN @.rule_input AS i ON i.order_id = k.order_id AND i.line_no = k.line_no"
	RULE_JOIN("k.claim_at"),
	0, {0}, &claim_rows
};

/*
 * Runs a query that evaluates rules.  What they say of times does not depend on
 * the session: the times of a line are given to them in UTC.
 */
uint64
RuleExecute(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values)
{
	int			level;
	uint64		rows;

	EngineConnect(engine);
	level = NewGUCNestLevel();
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	rows = EngineExecuteOn(engine, query, input, values);
	AtEOXact_GUC(false, level);
	return rows;
}

static void
RankBatch(Engine *engine, Claim **claims, int count)
{
	Rows		input;

	RowsInit(&input, &claim_rows);
	for (int i = 0; i < count; i++)
	{
		Datum		values[] = {
			PointerGetDatum(claims[i]->order_id),
			Int64GetDatum(claims[i]->line_no),
			TimestampTzGetDatum(claims[i]->claim_at),
			Int64GetDatum(i)
		};

		RowsAdd(&input, values, NULL);
	}
	if (RuleExecute(engine, &rank_claims, &input, NULL) != (uint64) count)
		EngineFoundDamage(&engine->ledger, "an order line that is to be ranked does not exist");
	for (int i = 0; i < count; i++)
	{
		Claim	   *claim = claims[ResultInt64(i, 4)];

		claim->priority = ResultInt32(i, 1);
		claim->rank_at = ResultTime(i, 2);
		claim->rules = ResultTextArray(i, 3);
	}
	RowsEnd(&input);
}

/* Fills in priority, rank_at and rules of each claim. */
void
RuleRank(Engine *engine, Claim **claims, int count)
{
	for (int start = 0; start < count; start += CLAIM_BATCH)
		RankBatch(engine, claims + start, Min(CLAIM_BATCH, count - start));
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
