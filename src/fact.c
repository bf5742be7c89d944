/*
 * fact.c
 *	  The facts that the engine writes into order lines.
 *
 *	  Only lines that the statement itself inserted, updated or locked are
 *	  written; what a statement has to say is collected and written once.
 */
#include "backorder.h"

#include "catalog/pg_type.h"

#define FACT_COLUMNS 8

typedef struct LineFacts
{
	Column		column[FACT_COLUMNS];
} LineFacts;

/* Adds up for each line, because one UPDATE writes a row once. */
static const LedgerQuery write_facts = {
	"UPDATE @.order_line AS l SET"
	" backordered_at_entry = l.backordered_at_entry + f.backordered,"
	" cancelled = l.cancelled + f.cancelled,"
	" shipped = l.shipped + f.shipped,"
	" firm = l.firm - least(l.firm, greatest(f.shipped, 0)),"
	" entered_quantity = coalesce(l.entered_quantity, f.entered_quantity),"
	" entered_at = coalesce(l.entered_at, f.entered_at),"
	" on_hold = coalesce(f.on_hold, l.on_hold)"
	" FROM (SELECT order_id, line_no, sum(backordered) AS backordered, sum(cancelled) AS cancelled,"
	" sum(shipped) AS shipped, max(entered_quantity) AS entered_quantity,"
	" max(entered_at) AS entered_at, bool_or(on_hold) AS on_hold"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS f (order_id, line_no, backordered,"
	" cancelled, shipped, entered_quantity, entered_at, on_hold) GROUP BY order_id, line_no) AS f"
	" WHERE l.order_id = f.order_id AND l.line_no = f.line_no",
	FACT_COLUMNS, {TEXTARRAYOID, INT8ARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID,
	NUMERICARRAYOID, TIMESTAMPTZARRAYOID, BOOLARRAYOID}
};

static const Oid fact_types[FACT_COLUMNS] = {
	TEXTOID, INT8OID, NUMERICOID, NUMERICOID, NUMERICOID, NUMERICOID, TIMESTAMPTZOID, BOOLOID
};

void
FactInit(Fact *fact, text *order_id, int64 line_no)
{
	memset(fact, 0, sizeof(Fact));
	fact->order_id = order_id;
	fact->line_no = line_no;
	fact->backordered = fact->cancelled = fact->shipped = NumericZero();
	fact->on_hold = -1;
}

/* Values that the fact points to must live until the flush. */
void
FactAdd(Engine *engine, const Fact *fact)
{
	LineFacts  *facts = engine->facts;
	int			i = 0;

	if (facts == NULL)
	{
		facts = engine->facts = palloc(sizeof(LineFacts));
		for (int j = 0; j < FACT_COLUMNS; j++)
			ColumnInit(&facts->column[j], fact_types[j]);
	}
	ColumnAdd(&facts->column[i++], PointerGetDatum(fact->order_id));
	ColumnAdd(&facts->column[i++], Int64GetDatum(fact->line_no));
	ColumnAdd(&facts->column[i++], NumericGetDatum(fact->backordered));
	ColumnAdd(&facts->column[i++], NumericGetDatum(fact->cancelled));
	ColumnAdd(&facts->column[i++], NumericGetDatum(fact->shipped));
	ColumnAddOrNull(&facts->column[i++], NumericGetDatum(fact->entered_quantity),
					fact->entered_quantity == NULL);
	ColumnAddOrNull(&facts->column[i++], TimestampTzGetDatum(fact->entered_at), !fact->has_entered_at);
	ColumnAddOrNull(&facts->column[i++], BoolGetDatum(fact->on_hold == 1), fact->on_hold < 0);
	Assert(i == FACT_COLUMNS);
}

static int
LineKeyCompare(const void *a, const void *b, void *arg)
{
	LineFacts  *facts = arg;
	int			left = *(const int *) a;
	int			right = *(const int *) b;
	int			order = TextCompare(DatumGetTextPP(facts->column[0].values[left]),
									DatumGetTextPP(facts->column[0].values[right]));
	int64		left_no = DatumGetInt64(facts->column[1].values[left]);
	int64		right_no = DatumGetInt64(facts->column[1].values[right]);

	return order != 0 ? order : (left_no > right_no) - (left_no < right_no);
}

/* How many different lines the facts are about. */
static uint64
CountLines(LineFacts *facts)
{
	int			count = facts->column[0].count;
	int		   *order = palloc_extended(sizeof(int) * count, MCXT_ALLOC_HUGE);
	uint64		lines = 1;

	for (int i = 0; i < count; i++)
		order[i] = i;
	qsort_arg(order, count, sizeof(int), LineKeyCompare, facts);
	for (int i = 1; i < count; i++)
		if (LineKeyCompare(&order[i - 1], &order[i], facts) != 0)
			lines++;
	pfree(order);
	return lines;
}

void
FactFlush(Engine *engine)
{
	LineFacts  *facts = engine->facts;
	Datum		values[FACT_COLUMNS];
	uint64		lines;

	if (facts == NULL || facts->column[0].count == 0)
		return;
	for (int i = 0; i < FACT_COLUMNS; i++)
		values[i] = ColumnArray(&facts->column[i]);
	lines = CountLines(facts);
	for (int i = 0; i < FACT_COLUMNS; i++)
		ColumnReset(&facts->column[i]);
	if (EngineExecute(engine, &write_facts, values, NULL) != lines)
		EngineObstructed("order_line");
}
