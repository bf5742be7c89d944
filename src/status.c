/*
 * status.c
 *	  The writable view order_line_status: what an application writes, and at
 *	  once what became of it.
 *
 *	  The triggers act as the caller, who needs the rights on order_line that a
 *	  plain statement would need; only the columns that are given are named, so
 *	  grants on columns work.  Columns that the engine keeps are ignored: a full
 *	  row that an object-relational mapper saves with stale values does no harm.
 */
#include "backorder.h"

#include "access/htup_details.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

enum
{
	STATUS_ORDER_ID, STATUS_LINE_NO, STATUS_FIRM = 14, STATUS_COLUMNS
};

/* the columns of the view that the application owns */
static ColumnShape status_shape[STATUS_COLUMNS] = {
	{"order_id", TEXTOID, 0},
	{"line_no", INT8OID, 0},
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"quantity", NUMERICOID, 0},
	{"customer", TEXTOID, 0},
	{"attributes", JSONBOID, 0},
	{"unit_price", NUMERICOID, 0},
	{"required_by", TIMESTAMPTZOID, 0},
	{"placed_at", TIMESTAMPTZOID, 0},
	{"not_before", TIMESTAMPTZOID, 0},
	{"priority", INT4OID, 0},
	{"on_short", TEXTOID, 0},
	{"demand_class", TEXTOID, 0},
	{"firm", NUMERICOID, 0},
};

/* statements by what they name: bit i for column i, and one more for UPDATE */
typedef struct StatementEntry
{
	uint32		mask;
	LedgerQuery *query;
} StatementEntry;

#define IS_UPDATE (1u << 31)

static HTAB *statements = NULL;

static char *
InsertText(uint32 mask)
{
	StringInfoData columns;
	StringInfoData values;
	int			n = 0;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < STATUS_COLUMNS; i++)
		if (mask & (1u << i))
		{
			appendStringInfo(&columns, "%s%s", n ? ", " : "", status_shape[i].name);
			appendStringInfo(&values, "%s$%d", n ? ", " : "", i + 1);
			n++;
		}
	if (n == 0)
		return pstrdup("INSERT INTO @.order_line DEFAULT VALUES RETURNING order_id, line_no");
	return psprintf("INSERT INTO @.order_line (%s) VALUES (%s) RETURNING order_id, line_no",
					columns.data, values.data);
}

static char *
UpdateText(uint32 mask)
{
	StringInfoData text;
	int			n = 0;

	initStringInfo(&text);
	appendStringInfoString(&text, "UPDATE @.order_line SET ");
	for (int i = 0; i < STATUS_COLUMNS; i++)
		if (mask & (1u << i))
			appendStringInfo(&text, "%s%s = $%d", n++ ? ", " : "", status_shape[i].name, i + 1);
	/* the row that is updated is found by its old key, behind the values */
	appendStringInfo(&text, " WHERE order_id OPERATOR(pg_catalog.=) $%d AND line_no OPERATOR(pg_catalog.=) $%d"
					 " RETURNING order_id, line_no", STATUS_COLUMNS + 1, STATUS_COLUMNS + 2);
	return text.data;
}

static const LedgerQuery *
Statement(uint32 mask)
{
	StatementEntry *entry;
	bool		found;
	char	   *text;

	if (statements == NULL)
	{
		HASHCTL		ctl;

		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = sizeof(uint32);
		ctl.entrysize = sizeof(StatementEntry);
		statements = hash_create("backorder status statements", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(statements, &mask, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->query;
	text = mask & IS_UPDATE ? UpdateText(mask & ~IS_UPDATE) : InsertText(mask);
	entry = hash_search(statements, &mask, HASH_ENTER, &found);
	entry->query = MemoryContextAllocZero(TopMemoryContext, sizeof(LedgerQuery));
	entry->query->text = MemoryContextStrdup(TopMemoryContext, text);
	entry->query->nargs = STATUS_COLUMNS + 2;
	for (int i = 0; i < STATUS_COLUMNS; i++)
		entry->query->argtypes[i] = status_shape[i].type;
	entry->query->argtypes[STATUS_COLUMNS] = TEXTOID;
	entry->query->argtypes[STATUS_COLUMNS + 1] = INT8OID;
	return entry->query;
}

typedef struct StatusRow
{
	Datum		values[STATUS_COLUMNS + 2];
	bool		isnull[STATUS_COLUMNS + 2];
	char		nulls[STATUS_COLUMNS + 2];
} StatusRow;

static void
ReadStatusRow(HeapTuple tuple, TupleDesc desc, const AttrNumber *attnum, StatusRow *row)
{
	for (int i = 0; i < STATUS_COLUMNS; i++)
	{
		row->values[i] = heap_getattr(tuple, attnum[i], desc, &row->isnull[i]);
		row->nulls[i] = row->isnull[i] ? 'n' : ' ';
	}
}

static bool
SameValue(const StatusRow *a, const StatusRow *b, int i)
{
	Oid			type = status_shape[i].type;

	if (a->isnull[i] != b->isnull[i])
		return false;
	return a->isnull[i] ||
		datum_image_eq(a->values[i], b->values[i], type == INT8OID || type == INT4OID || type == TIMESTAMPTZOID,
					   type == INT4OID ? 4 : type == INT8OID || type == TIMESTAMPTZOID ? 8 : -1);
}

static void
RunStatement(const Ledger *ledger, const LedgerQuery *query, StatusRow *row)
{
	SpiExpect(SPI_execute_plan(LedgerPlan(ledger, query), row->values, row->nulls, false, 0));
}

/* The row of the view as it is now; NULL if the statement wrote none. */
static HeapTuple
ReadBack(const Ledger *ledger)
{
	static const LedgerQuery query = {
		"SELECT * FROM @.order_line_status WHERE order_id OPERATOR(pg_catalog.=) $1"
		" AND line_no OPERATOR(pg_catalog.=) $2",
		2, {TEXTOID, INT8OID}
	};
	Datum		key[2];

	if (SPI_processed == 0)
		return NULL;
	key[0] = PointerGetDatum(ResultText(0, 1));
	key[1] = Int64GetDatum(ResultInt64(0, 2));
	SpiExpect(SPI_execute_plan(LedgerPlan(ledger, &query), key, NULL, false, 1));
	return SPI_processed == 0 ? NULL : SPI_copytuple(SPI_tuptable->vals[0]);
}

static HeapTuple
InsertStatus(const Ledger *ledger, StatusRow *row)
{
	uint32		mask = 0;

	for (int i = 0; i < STATUS_COLUMNS; i++)
		if (i != STATUS_FIRM && !row->isnull[i])
			mask |= 1u << i;
	row->nulls[STATUS_COLUMNS] = row->nulls[STATUS_COLUMNS + 1] = 'n';
	RunStatement(ledger, Statement(mask), row);
	return ReadBack(ledger);
}

static HeapTuple
UpdateStatus(const Ledger *ledger, const StatusRow *before, StatusRow *after, HeapTuple unchanged)
{
	uint32		mask = 0;

	for (int i = 0; i < STATUS_COLUMNS; i++)
		if (!SameValue(before, after, i))
			mask |= 1u << i;
	if (mask == 0)
		return unchanged;
	for (int i = 0; i < 2; i++)
	{
		after->values[STATUS_COLUMNS + i] = before->values[STATUS_ORDER_ID + i];
		after->nulls[STATUS_COLUMNS + i] = ' ';
	}
	RunStatement(ledger, Statement(mask | IS_UPDATE), after);
	return ReadBack(ledger);
}

static HeapTuple
DeleteStatus(const Ledger *ledger, const StatusRow *row, HeapTuple old)
{
	static const LedgerQuery query = {
		"DELETE FROM @.order_line WHERE order_id OPERATOR(pg_catalog.=) $1"
		" AND line_no OPERATOR(pg_catalog.=) $2",
		2, {TEXTOID, INT8OID}
	};
	Datum		key[2] = {row->values[STATUS_ORDER_ID], row->values[STATUS_LINE_NO]};

	SpiExpect(SPI_execute_plan(LedgerPlan(ledger, &query), key, NULL, false, 0));
	return SPI_processed == 0 ? NULL : old;
}

/*
 * order_line_status_write: INSTEAD OF INSERT, UPDATE or DELETE, for each row.
 * Writes the order line as the caller; the row that RETURNING sees is read back
 * after the engine has placed it.
 */
PG_FUNCTION_INFO_V1(backorder_order_line_status_write);
Datum
backorder_order_line_status_write(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_INSTEAD, TRIGGER_EVENT_ROW,
									   TRIGGER_EVENT_OPMASK, "order_line_status", &ledger);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	AttrNumber	attnum[STATUS_COLUMNS];
	StatusRow	before;
	StatusRow	after;
	HeapTuple	result;

	FindColumns(trigger->tg_relation, status_shape, STATUS_COLUMNS, attnum);
	ReadStatusRow(trigger->tg_trigtuple, desc, attnum, &before);
	SpiConnect();
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		result = InsertStatus(&ledger, &before);
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		ReadStatusRow(trigger->tg_newtuple, desc, attnum, &after);
		result = UpdateStatus(&ledger, &before, &after, trigger->tg_trigtuple);
	}
	else
		result = DeleteStatus(&ledger, &before, trigger->tg_trigtuple);
	SPI_finish();
	PG_RETURN_POINTER(result);
}
