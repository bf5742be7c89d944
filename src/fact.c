/*
 * fact.c
 *	  The facts that the engine writes into order lines.
 *
 *	  Only lines that the statement itself inserted, updated or locked are
 *	  written; what a statement has to say is collected and written once.
 */
#include "backorder.h"

static RowShape fact_rows = {NULL, {
	{"order_id", TEXTOID}, {"line_no", INT8OID}, {"backordered", NUMERICOID}, {"cancelled", NUMERICOID},
	{"shipped", NUMERICOID}, {"entered_quantity", NUMERICOID}, {"entered_at", TIMESTAMPTZOID},
	{"on_hold", BOOLOID}
}};

#define WRITE_FACTS(facts) \
	"UPDATE @.order_line AS l SET" \
	" backordered_at_entry = l.backordered_at_entry + f.backordered," \
	" cancelled = l.cancelled + f.cancelled," \
	" shipped = l.shipped + f.shipped," \
	" firm = l.firm - least(l.firm, greatest(f.shipped, 0))," \
	" entered_quantity = coalesce(l.entered_quantity, f.entered_quantity)," \
	" entered_at = coalesce(l.entered_at, f.entered_at)," \
	" on_hold = coalesce(f.on_hold, l.on_hold)" \
	" FROM " facts " AS f WHERE l.order_id = f.order_id AND l.line_no = f.line_no"

static const LedgerQuery write_facts = {
	WRITE_FACTS("input"), 0, {0}, &fact_rows
};

/* One UPDATE writes a row once, so what is said of one line is put together first. */
static const LedgerQuery write_merged_facts = {
	WRITE_FACTS("(SELECT order_id COLLATE \"C\" AS order_id, line_no, sum(backordered) AS backordered,"
				" sum(cancelled) AS cancelled, sum(shipped) AS shipped, max(entered_quantity) AS entered_quantity,"
				" min(entered_at) AS entered_at, bool_or(on_hold) AS on_hold"
				" FROM input GROUP BY 1, 2 ORDER BY 1, 2)"),
	0, {0}, &fact_rows
};

static const LedgerQuery count_lines = {
	"SELECT count(*) FROM (SELECT DISTINCT order_id COLLATE \"C\", line_no FROM input) AS k",
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

/* "again": something may have been said of the line already. */
void
FactAdd(Engine *engine, const Fact *fact, bool again)
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

	if (engine->facts.store == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(engine->memory);

		RowsInit(&engine->facts, &fact_rows);
		MemoryContextSwitchTo(caller);
	}
	RowsAdd(&engine->facts, values, nulls);
	engine->facts_repeat = engine->facts_repeat || again;
}

void
FactFlush(Engine *engine)
{
	Rows		facts = engine->facts;
	bool		repeat = engine->facts_repeat;
	int64		lines = facts.count;
	int64		written;

	if (facts.store == NULL)
		return;
	engine->facts.store = NULL;
	engine->facts_repeat = false;
	written = EngineExecuteOn(engine, repeat ? &write_merged_facts : &write_facts, &facts, NULL);
	if (written != lines && repeat)
	{
		(void) EngineExecuteOn(engine, &count_lines, &facts, NULL);
		lines = ResultInt64(0, 1);
	}
	if (written != lines)
		EngineObstructed("order_line");
	RowsEnd(&facts);
}
