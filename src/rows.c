/*
 * rows.c
 *	  Rows that C hands to SQL.
 *
 *	  A statement over many rows is one call of SPI, which reads them as the
 *	  relation "input", in the order in which they were added.  They are kept in a
 *	  tuplestore: what is more than work_mem goes to disk.
 */
#include "backorder.h"

#include "miscadmin.h"
#include "utils/memutils.h"

static char rows_name[] = "input";

/* The row type of a shape, made once for each backend. */
static TupleDesc
ShapeDesc(RowShape *shape)
{
	TupleDesc	desc;
	MemoryContext caller;
	int			natts = 0;

	if (shape->desc != NULL)
		return shape->desc;
	while (natts < MAX_ROW_COLUMNS && shape->columns[natts].name != NULL)
		natts++;
	desc = CreateTemplateTupleDesc(natts);
	for (int i = 0; i < natts; i++)
		TupleDescInitEntry(desc, i + 1, shape->columns[i].name, shape->columns[i].type, -1, 0);
	TupleDescFinalize(desc);
	caller = MemoryContextSwitchTo(TopMemoryContext);
	shape->desc = CreateTupleDescCopy(desc);
	MemoryContextSwitchTo(caller);
	return shape->desc;
}

void
RowsInit(Rows *rows, RowShape *shape)
{
	rows->shape = shape;
	rows->desc = ShapeDesc(shape);
	rows->store = tuplestore_begin_heap(false, false, work_mem);
	rows->count = 0;
}

/* Adds a copy of the values; "nulls" NULL: none is NULL. */
void
RowsAdd(Rows *rows, const Datum *values, const bool *nulls)
{
	static const bool none[MAX_ROW_COLUMNS] = {false};

	tuplestore_putvalues(rows->store, rows->desc, unconstify(Datum *, values),
						 unconstify(bool *, nulls != NULL ? nulls : none));
	rows->count++;
}

void
RowsEnd(Rows *rows)
{
	tuplestore_end(rows->store);
	rows->store = NULL;
}

RowShape	item_rows = {NULL, {{"item", TEXTOID}}};

/* order lines by their key, numbered from 1 */
RowShape	line_keys = {NULL, {{"order_id", TEXTOID}, {"line_no", INT8OID}, {"n", INT8OID}}};

void
RowsAddLine(Rows *rows, const text *order_id, int64 line_no)
{
	Datum		values[3] = {PointerGetDatum(order_id), Int64GetDatum(line_no), Int64GetDatum(rows->count + 1)};

	Assert(rows->shape == &line_keys);
	RowsAdd(rows, values, NULL);
}

/* Lets statements of the engine's SPI connection read the rows. */
void
RowsOffer(Engine *engine, Rows *rows, EphemeralNamedRelation relation)
{
	MemoryContext caller;

	memset(relation, 0, sizeof(*relation));
	relation->md.name = rows_name;
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = rows->desc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = 1;	/* plans are made for few rows */
	relation->reldata = rows->store;
	/* what SPI notes of it lives as long as the connection */
	caller = MemoryContextSwitchTo(engine->memory);
	SpiExpect(SPI_register_relation(relation));
	MemoryContextSwitchTo(caller);
}

void
RowsWithdraw(void)
{
	SpiExpect(SPI_unregister_relation(rows_name));
}
