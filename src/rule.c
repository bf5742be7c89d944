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

#include "access/genam.h"
#include "utils/guc.h"

static RowShape claim_rows = {NULL, {
	{"order_id", TEXTOID}, {"line_no", INT8OID}, {"demand", INT4OID}, {"position", INT8OID},
	{"quantity", NUMERICOID}, {"cause", TEXTOID}, {"at_entry", BOOLOID}, {"on_short", INT4OID},
	{"claim_at", TIMESTAMPTZOID}, {"opened_at", TIMESTAMPTZOID}, {"own_priority", INT4OID}
}};

/*
 * The order in which the lines of one statement are placed, item by item: as they
 * entered, so that history replays as it happened; by rank, so that an import with
 * one timestamp follows the rules; as they stood in the statement.
 */
#define CLAIMS_RANKED(rank, rules) \
	"SELECT " rank ", k.order_id, k.line_no, k.demand, k.position, k.quantity, k.cause, k.at_entry, k.on_short," \
	" k.claim_at, k.opened_at FROM input AS k" rules \
	" ORDER BY k.demand, k.claim_at, priority DESC, rank_at, k.position"

static const LedgerQuery rank_claims = {
	CLAIMS_RANKED(RULE_COLUMNS("k.claim_at"),
				  " JOIN @.rule_input AS i ON i.order_id = k.order_id AND i.line_no = k.line_no"
				  RULE_JOIN("k.claim_at")),
	0, {0}, &claim_rows
};

static const LedgerQuery rank_without_rules = {
	CLAIMS_RANKED("k.own_priority AS priority, k.claim_at AS rank_at, '{}'::text[] AS rules", ""),
	0, {0}, &claim_rows
};

void
ClaimsInit(Rows *claims)
{
	RowsInit(claims, &claim_rows);
}

/* The claim's priority is that of its line, until it is ranked. */
void
ClaimsAdd(Rows *claims, const Claim *claim)
{
	Datum		values[] = {
		PointerGetDatum(claim->order_id),
		Int64GetDatum(claim->line_no),
		Int32GetDatum(claim->demand),
		Int64GetDatum(claim->position),
		NumericGetDatum(claim->quantity),
		CStringGetTextDatum(claim->cause),
		BoolGetDatum(claim->at_entry),
		Int32GetDatum(claim->on_short),
		TimestampTzGetDatum(claim->claim_at),
		TimestampTzGetDatum(claim->opened_at),
		Int32GetDatum(claim->priority)
	};

	RowsAdd(claims, values, NULL);
	pfree(DatumGetPointer(values[5]));
}

/* Until AtEOXact_GUC(): what rules say of times does not depend on the session. */
static int
TimesInUtc(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* Runs a query that evaluates rules. */
uint64
RuleExecute(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values)
{
	int			level;
	uint64		rows;

	EngineConnect(engine);
	level = TimesInUtc();
	rows = EngineExecuteOn(engine, query, input, values);
	AtEOXact_GUC(false, level);
	return rows;
}

static bool
AnyRule(Engine *engine)
{
	KeyedTable	rules;
	IndexScanDesc scan;
	bool		found;

	CommandCounterIncrement();
	KeyedTableOpen(&rules, &engine->ledger, "priority_rule", NULL, 0, AccessShareLock);
	scan = KeyedTableScan(&rules, NULL, 0, BTEqualStrategyNumber);
	found = index_getnext_slot(scan, ForwardScanDirection, rules.slot);
	index_endscan(scan);
	KeyedTableClose(&rules);
	return found;
}

/* Opens the claims to be fetched with their ranks, in the order in which they are placed. */
Portal
RuleOpen(Engine *engine, Rows *claims)
{
	return EngineOpen(engine, AnyRule(engine) ? &rank_claims : &rank_without_rules, claims, NULL);
}

/* The next claims, up to CLAIM_BATCH of them. */
Claim *
RuleFetch(Portal ranked, int *count)
{
	int			level = TimesInUtc();
	Claim	   *claims;

	*count = (int) EngineFetch(ranked, CLAIM_BATCH);
	AtEOXact_GUC(false, level);
	claims = palloc0(sizeof(Claim) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		Claim	   *claim = &claims[i];

		claim->priority = ResultInt32(i, 1);
		claim->rank_at = ResultTime(i, 2);
		claim->rules = ResultTextArray(i, 3);
		claim->order_id = ResultText(i, 4);
		claim->line_no = ResultInt64(i, 5);
		claim->demand = ResultInt32(i, 6);
		claim->position = ResultInt64(i, 7);
		claim->quantity = ResultNumeric(i, 8);
		claim->cause = text_to_cstring(ResultText(i, 9));
		claim->at_entry = ResultBool(i, 10);
		claim->on_short = (OnShort) ResultInt32(i, 11);
		claim->claim_at = ResultTime(i, 12);
		claim->opened_at = ResultTime(i, 13);
	}
	return claims;
}

/* Fills in priority, rank_at and rules of each claim on units that are taken from its line. */
void
RuleRank(Engine *engine, Claim **claims, int count)
{
	Rows		rows;
	Portal		ranked;
	int			fetched;
	int			total = 0;

	ClaimsInit(&rows);
	for (int i = 0; i < count; i++)
	{
		claims[i]->position = i;
		ClaimsAdd(&rows, claims[i]);
	}
	ranked = RuleOpen(engine, &rows);
	do
	{
		Claim	   *batch = RuleFetch(ranked, &fetched);

		for (int i = 0; i < fetched; i++)
		{
			Claim	   *claim = claims[batch[i].position];

			claim->priority = batch[i].priority;
			claim->rank_at = batch[i].rank_at;
			claim->rules = batch[i].rules;
		}
		total += fetched;
	} while (fetched == CLAIM_BATCH);
	SPI_cursor_close(ranked);
	RowsEnd(&rows);
	if (total != count)
		EngineFoundDamage(&engine->ledger, "an order line that is to be ranked does not exist");
}

/* The order in which a queue is served, as far as a rank can tell. */
int
ClaimCompareRank(const Claim *a, const Claim *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	return (a->rank_at > b->rank_at) - (a->rank_at < b->rank_at);
}
