/*
 * basket.c
 *	  The lines of an order as one JSON array, placed by one INSERT.
 *
 *	  The caller inserts as himself, and only the columns that are given are
 *	  named: who may not set priority or placed_at can place orders all the same,
 *	  and what is left out has the column's default.
 */
#include "backorder.h"

/* What a line may say, and how it becomes a column. */
typedef struct BasketKey
{
	const char *key;			/* in the line's object; also the column */
	int			parameter;		/* of the order, for lines that do not say; 0: none */
	const char *expression;
} BasketKey;

#define LINE_TEXT(key) "(l.line OPERATOR(pg_catalog.->>) '" key "')"

static const BasketKey basket_keys[] = {
	{"line_no", 0, "coalesce(" LINE_TEXT("line_no") "::bigint, l.n)"},
	{"item", 0, LINE_TEXT("item")},
	{"quantity", 0, LINE_TEXT("quantity") "::numeric"},
	{"location", 0, "coalesce(" LINE_TEXT("location") ", (SELECT s.default_location FROM @.ledger AS s))"},
	{"unit_price", 0, LINE_TEXT("unit_price") "::numeric"},
	{"not_before", 0, LINE_TEXT("not_before") "::timestamp with time zone"},
	{"priority", 0, "coalesce(" LINE_TEXT("priority") "::integer, 0)"},
	{"on_short", 0, LINE_TEXT("on_short")},
	{"customer", 3, "$3"},
	{"attributes", 4, "coalesce($4, '{}'::pg_catalog.jsonb) OPERATOR(pg_catalog.||)"
	" CASE WHEN pg_catalog.jsonb_typeof(l.line OPERATOR(pg_catalog.->) 'attributes') OPERATOR(pg_catalog.<>) 'null'"
	" THEN l.line OPERATOR(pg_catalog.->) 'attributes' ELSE '{}'::pg_catalog.jsonb END"},
	{"placed_at", 5, "$5"},
	{"required_by", 6, "coalesce(" LINE_TEXT("required_by") "::timestamp with time zone, $6)"},
	{"demand_class", 7, "$7"},
};

#define ALWAYS_NAMED 3			/* the first keys */
#define BASKET_PARAMETERS 7

static const Oid basket_types[BASKET_PARAMETERS] = {
	TEXTOID, JSONBOID, TEXTOID, JSONBOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID
};

/* May a line say this, or only the order? */
static bool
KeyIsOfLine(const BasketKey *key)
{
	return strstr(key->expression, "l.line") != NULL;
}

/* Marks the keys that some line uses; an unknown one is an error, for it is a typing mistake. */
static void
FindUsedKeys(Datum lines, bool *used)
{
	Oid			type = JSONBOID;
	char		nulls = ' ';

	SpiExpect(SPI_execute_with_args("SELECT DISTINCT k FROM pg_catalog.jsonb_array_elements($1) AS e (line),"
							  " pg_catalog.jsonb_object_keys(e.line) AS k",
							  1, &type, &lines, &nulls, true, 0));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		int			found = -1;

		for (int j = 0; j < (int) lengthof(basket_keys); j++)
			if (KeyIsOfLine(&basket_keys[j]) && strcmp(basket_keys[j].key, name) == 0)
				found = j;
		if (found < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("an order line has no key \"%s\"", name),
					 errhint("Known are line_no, item, quantity, location, unit_price, not_before, priority, on_short, attributes and required_by.")));
		used[found] = true;
	}
}

static char *
BasketText(const Ledger *ledger, const bool *used)
{
	StringInfoData columns;
	StringInfoData values;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < (int) lengthof(basket_keys); i++)
		if (used[i])
		{
			appendStringInfo(&columns, ", %s", basket_keys[i].key);
			appendStringInfo(&values, ", %s", basket_keys[i].expression);
		}
	return LedgerText(ledger, psprintf("INSERT INTO @.order_line (order_id%s) SELECT $1%s"
									   " FROM pg_catalog.jsonb_array_elements($2) WITH ORDINALITY AS l (line, n)",
									   columns.data, values.data));
}

/*
 * place_lines(relation regclass, order_id text, lines jsonb, customer text,
 * attributes jsonb, placed_at timestamptz, required_by timestamptz, demand_class text):
 * inserts the lines of an order in one statement, as the caller.
 * Errors: 22004, 22023, and those of an INSERT into order_line.
 */
PG_FUNCTION_INFO_V1(backorder_place_lines);
Datum
backorder_place_lines(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	Datum		values[BASKET_PARAMETERS];
	char		nulls[BASKET_PARAMETERS];
	bool		used[lengthof(basket_keys)] = {false};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("order_id and lines must not be NULL")));
	LedgerOfTable(PG_GETARG_OID(0), &ledger);
	for (int i = 0; i < BASKET_PARAMETERS; i++)
	{
		nulls[i] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i + 1) ? (Datum) 0 : PG_GETARG_DATUM(i + 1);
	}
	SpiConnect();
	FindUsedKeys(values[1], used);
	for (int i = 0; i < (int) lengthof(basket_keys); i++)
		used[i] = used[i] || i < ALWAYS_NAMED ||
			(basket_keys[i].parameter > 0 && nulls[basket_keys[i].parameter - 1] == ' ');
	SpiExpect(SPI_execute_with_args(BasketText(&ledger, used), BASKET_PARAMETERS, (Oid *) basket_types,
							  values, nulls, false, 0));
	SPI_finish();
	PG_RETURN_VOID();
}
