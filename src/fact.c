/*
 * fact.c
 *	  The facts that the engine writes into order lines.
 *
 *	  Only lines that the statement itself inserted, updated or locked are
 *	  written; what a statement has to say is collected and written once.
 */
#include "backorder.h"

typedef struct LineFacts
{
	Fact	   *facts;
	int			count;
	int			capacity;
} LineFacts;

static RowShape fact_rows = {NULL, {
	{"order_id", TEXTOID}, {"line_no", INT8OID}, {"backordered", NUMERICOID}, {"cancelled", NUMERICOID},
	{"shipped", NUMERICOID}, {"entered_quantity", NUMERICOID}, {"entered_at", TIMESTAMPTZOID},
	{"on_hold", BOOLOID}
}};

static const LedgerQuery write_facts = {
	"UPDATE @.order_line AS l SET"
	" backordered_at_entry = l.backordered_at_entry + f.backordered,"
	" cancelled = l.cancelled + f.cancelled,"
	" shipped = l.shipped + f.shipped,"
	" firm = l.firm - least(l.firm, greatest(f.shipped, 0)),"
	" entered_quantity = coalesce(l.entered_quantity, f.entered_quantity),"
	" entered_at = coalesce(l.entered_at, f.entered_at),"
	" on_hold = coalesce(f.on_hold, l.on_hold)"
	" FROM input AS f WHERE l.order_id = f.order_id AND l.line_no = f.line_no",
	0, {0}, &fact_rows
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

	if (facts == NULL)
	{
		facts = engine->facts = MemoryContextAlloc(engine->memory, sizeof(LineFacts));
		facts->count = 0;
		facts->capacity = 8;
		facts->facts = MemoryContextAlloc(engine->memory, facts->capacity * sizeof(Fact));
	}
	if (facts->count == facts->capacity)
		facts->facts = repalloc_huge(facts->facts, (facts->capacity *= 2) * sizeof(Fact));
	facts->facts[facts->count++] = *fact;
}

static int
FactCompare(const void *a, const void *b)
{
	const Fact *left = a;
	const Fact *right = b;
	int			order = TextCompare(left->order_id, right->order_id);

	return order != 0 ? order : (left->line_no > right->line_no) - (left->line_no < right->line_no);
}

/* What two facts say of one line. */
static void
FactMerge(Fact *into, const Fact *fact)
{
	into->backordered = NumericAdd(into->backordered, fact->backordered);
	into->cancelled = NumericAdd(into->cancelled, fact->cancelled);
	into->shipped = NumericAdd(into->shipped, fact->shipped);
	if (into->entered_quantity == NULL)
		into->entered_quantity = fact->entered_quantity;
	if (!into->has_entered_at)
		into->entered_at = fact->entered_at;
	into->has_entered_at |= fact->has_entered_at;
	into->on_hold = Max(into->on_hold, fact->on_hold);
}

static void
FactWrite(Rows *rows, const Fact *fact)
{
	Datum		values[] = {
		PointerGetDatum(fact->order_id),
		Int64GetDatum(fact->line_no),
		NumericGetDatum(fact->backordered),
		NumericGetDatum(fact->cancelled),
		NumericGetDatum(fact->shipped),
		PointerGetDatum(fact->entered_quantity),
		TimestampTzGetDatum(fact->entered_at),
		BoolGetDatum(fact->on_hold == 1)
	};
	bool		nulls[lengthof(values)] = {
		[5] = fact->entered_quantity == NULL,
		[6] = !fact->has_entered_at,
		[7] = fact->on_hold < 0
	};

	RowsAdd(rows, values, nulls);
}

/* One UPDATE writes a row once, so what is said of one line is put together first. */
void
FactFlush(Engine *engine)
{
	LineFacts  *facts = engine->facts;
	Fact	   *last = NULL;
	Rows		rows;

	if (facts == NULL || facts->count == 0)
		return;
	qsort(facts->facts, facts->count, sizeof(Fact), FactCompare);
	RowsInit(&rows, &fact_rows);
	for (int i = 0; i < facts->count; i++)
	{
		Fact	   *fact = &facts->facts[i];

		if (last != NULL && FactCompare(last, fact) == 0)
			FactMerge(last, fact);
		else
		{
			if (last != NULL)
				FactWrite(&rows, last);
			last = fact;
		}
	}
	FactWrite(&rows, last);
	facts->count = 0;
	if (EngineExecuteOn(engine, &write_facts, &rows, NULL) != (uint64) rows.count)
		EngineObstructed("order_line");
	RowsEnd(&rows);
}
