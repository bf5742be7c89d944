/*
 * move.c
 *	  Statements that insert stock moves.
 *
 *	  What must always be true: a move that names an order line names one that
 *	  exists, and its item and location; the lines are locked, in the order of
 *	  their keys, before any gate.
 */
#include "backorder.h"

#include "access/htup_details.h"
#include "utils/memutils.h"

typedef struct MoveStatement
{
	TriggerData *trigger;
	Move	  **moves;
	int			count;
	MoveLine  **lines;			/* sorted by key */
	int			line_count;
} MoveStatement;

enum
{
	MOVE_ID, MOVE_KIND, MOVE_ITEM, MOVE_LOCATION, MOVE_QUANTITY, MOVE_ORDER_ID, MOVE_LINE_NO, MOVE_MOVED_AT,
	MOVE_INBOUND_ID, MOVE_ATTRIBUTES,
	MOVE_COLUMNS
};

static ColumnShape move_shape[MOVE_COLUMNS] = {
	{"move_id", INT8OID, 0},
	{"kind", TEXTOID, 0},
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"quantity", NUMERICOID, 0},
	{"order_id", TEXTOID, 0},
	{"line_no", INT8OID, 0},
	{"moved_at", TIMESTAMPTZOID, 0},
	{"inbound_id", INT8OID, 0},
	{"attributes", JSONBOID, 0},
};

static MoveKind
KindOf(const char *name, bool negative)
{
	if (strcmp(name, "shipment") == 0)
		return MOVE_SHIPMENT;
	if (strcmp(name, "shipment_reversal") == 0)
		return MOVE_REVERSAL;
	if (strcmp(name, "return_to_vendor") == 0 || strcmp(name, "transfer_out") == 0)
		return MOVE_OUT;
	return negative ? MOVE_OUT : MOVE_IN;
}

static text *
TextOrNull(Datum value, bool isnull)
{
	return isnull ? NULL : DatumGetTextPCopy(value);
}

static bool
KindKnown(const char *name)
{
	static const char *const kinds[] = {
		"receipt", "customer_return", "return_to_vendor", "shipment", "shipment_reversal",
		"adjustment", "transfer_out", "transfer_in"
	};

	for (int i = 0; i < (int) lengthof(kinds); i++)
		if (strcmp(name, kinds[i]) == 0)
			return true;
	return false;
}

static void
RefuseValue(const Ledger *ledger, const Move *move, const char *message, const char *constraint)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("stock move " INT64_FORMAT ": %s", move->move_id, message),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, ledger->name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "stock_move"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* What a move may say.  Error 23514. */
static void
CheckMove(const Ledger *ledger, const Move *move, bool line_no_is_null, Datum attributes)
{
	if (!KindKnown(move->kind_name))
		RefuseValue(ledger, move, "kind must be receipt, customer_return, return_to_vendor, shipment, shipment_reversal, adjustment, transfer_out or transfer_in",
					"stock_move_kind_known");
	if (!QuantityFits(move->quantity))
		RefuseValue(ledger, move, "quantity must be a number below 1e30", "stock_move_quantity_finite");
	if (NumericSign(move->quantity) == 0 ||
		(NumericSign(move->quantity) < 0 && strcmp(move->kind_name, "adjustment") != 0))
		RefuseValue(ledger, move, "quantity must be above zero, or of an adjustment not zero",
					"stock_move_quantity_sign");
	if ((move->order_id == NULL) != line_no_is_null ||
		(move->order_id == NULL && (move->kind == MOVE_SHIPMENT || move->kind == MOVE_REVERSAL)))
		RefuseValue(ledger, move, "order_id and line_no must be given together, and name the line of a shipment or shipment_reversal",
					"stock_move_names_its_line");
	if (move->names_inbound && strcmp(move->kind_name, "receipt") != 0)
		RefuseValue(ledger, move, "only a receipt may name inbound supply", "stock_move_inbound_is_received");
	if (TIMESTAMP_NOT_FINITE(move->moved_at))
		RefuseValue(ledger, move, "moved_at must be a finite time", "stock_move_moved_at_finite");
	if (!JsonIsObject(attributes))
		RefuseValue(ledger, move, "attributes must be a JSON object", "stock_move_attributes_object");
}

static Move *
ReadMove(TupleTableSlot *slot, const AttrNumber *attnum, const Ledger *ledger)
{
	Move	   *move = palloc0(sizeof(Move));
	Datum		value[MOVE_COLUMNS];
	bool		isnull[MOVE_COLUMNS];

	for (int i = 0; i < MOVE_COLUMNS; i++)
		value[i] = slot_getattr(slot, attnum[i], &isnull[i]);
	if (isnull[MOVE_ID] || isnull[MOVE_KIND] || isnull[MOVE_ITEM] || isnull[MOVE_LOCATION] ||
		isnull[MOVE_QUANTITY] || isnull[MOVE_MOVED_AT] || isnull[MOVE_ATTRIBUTES])
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("stock move lacks a value that is never NULL")));
	move->move_id = DatumGetInt64(value[MOVE_ID]);
	move->kind_name = TextDatumGetCString(value[MOVE_KIND]);
	move->item = DatumGetTextPCopy(value[MOVE_ITEM]);
	move->location = DatumGetTextPCopy(value[MOVE_LOCATION]);
	move->quantity = DatumGetNumericCopy(value[MOVE_QUANTITY]);
	move->order_id = TextOrNull(value[MOVE_ORDER_ID], isnull[MOVE_ORDER_ID]);
	move->line_no = isnull[MOVE_LINE_NO] ? 0 : DatumGetInt64(value[MOVE_LINE_NO]);
	move->moved_at = DatumGetTimestampTz(value[MOVE_MOVED_AT]);
	move->names_inbound = !isnull[MOVE_INBOUND_ID];
	move->inbound_id = move->names_inbound ? DatumGetInt64(value[MOVE_INBOUND_ID]) : 0;
	move->kind = KindOf(move->kind_name, NumericSign(move->quantity) < 0);
	CheckMove(ledger, move, isnull[MOVE_LINE_NO], value[MOVE_ATTRIBUTES]);
	if (NumericSign(move->quantity) < 0)
		move->quantity = NumericNegate(move->quantity);
	return move;
}

static void
ReadMoves(MoveStatement *statement, const Ledger *ledger)
{
	Tuplestorestate *rows = statement->trigger->tg_newtable;
	TupleTableSlot *slot = TransitionSlot(statement->trigger);
	AttrNumber	attnum[MOVE_COLUMNS];
	int64		count = tuplestore_tuple_count(rows);

	FindColumns(statement->trigger->tg_relation, move_shape, MOVE_COLUMNS, attnum);
	statement->moves = palloc_extended(sizeof(Move *) * count, MCXT_ALLOC_HUGE);
	TransitionRewind(rows);
	while (TransitionNext(rows, slot))
		statement->moves[statement->count++] = ReadMove(slot, attnum, ledger);
	ExecDropSingleTupleTableSlot(slot);
}

/* the newest version of each line, locked in the order of their keys */
static const LedgerQuery lock_lines = {
	"SELECT l.order_id, l.line_no, l.item, l.location, l.quantity - l.cancelled - l.shipped, l.shipped,"
	" l.firm, l.on_hold, coalesce(l.entered_at, greatest(l.placed_at, l.not_before))"
	" FROM @.order_line AS l"
	" JOIN (SELECT DISTINCT order_id, line_no FROM input) AS k"
	" ON l.order_id = k.order_id AND l.line_no = k.line_no"
	" ORDER BY l.order_id, l.line_no FOR NO KEY UPDATE OF l",
	0, {0}, &line_keys
};

static int
MoveLineCompare(const void *a, const void *b)
{
	const MoveLine *left = *(MoveLine *const *) a;
	const MoveLine *right = *(MoveLine *const *) b;
	int			order = TextCompare(left->share.order_id, right->share.order_id);

	return order != 0 ? order :
		(left->share.line_no > right->share.line_no) - (left->share.line_no < right->share.line_no);
}

static MoveLine *
FindLine(MoveStatement *statement, text *order_id, int64 line_no)
{
	MoveLine	wanted;
	MoveLine   *pointer = &wanted;
	MoveLine  **found;

	if (statement->line_count == 0)
		return NULL;			/* bsearch() takes no NULL */
	wanted.share.order_id = order_id;
	wanted.share.line_no = line_no;
	found = bsearch(&pointer, statement->lines, statement->line_count, sizeof(MoveLine *), MoveLineCompare);
	return found == NULL ? NULL : *found;
}

/* Locks the order lines of shipments and reversals, before any gate. */
static void
LockLines(Engine *engine, MoveStatement *statement)
{
	Rows		named;
	Rows		locked;

	RowsInit(&named, &line_keys);
	for (int i = 0; i < statement->count; i++)
		if (statement->moves[i]->order_id != NULL)
			RowsAddLine(&named, statement->moves[i]->order_id, statement->moves[i]->line_no);
	if (named.count > 0)
		statement->line_count = (int) EngineLockRows(engine, &lock_lines, &named, NULL, NULL);
	RowsEnd(&named);
	if (statement->line_count == 0)
		return;
	RowsInit(&locked, &line_keys);
	statement->lines = palloc(sizeof(MoveLine *) * statement->line_count);
	for (int i = 0; i < statement->line_count; i++)
	{
		MoveLine   *line = statement->lines[i] = palloc0(sizeof(MoveLine));

		line->share.order_id = ResultText(i, 1);
		line->share.line_no = ResultInt64(i, 2);
		line->item = ResultText(i, 3);
		line->location = ResultText(i, 4);
		line->open = ResultNumeric(i, 5);
		line->shipped = ResultNumeric(i, 6);
		line->firm = ResultNumeric(i, 7);
		line->on_hold = ResultBool(i, 8);
		line->entered_at = ResultTime(i, 9);
		RowsAddLine(&locked, line->share.order_id, line->share.line_no);
	}
	qsort(statement->lines, statement->line_count, sizeof(MoveLine *), MoveLineCompare);
	PendingRefuse(engine, &locked);
	RowsEnd(&locked);
}

/* Every move that names a line must name one that exists, and its item and location. */
static void
MatchLines(Engine *engine, MoveStatement *statement)
{
	for (int i = 0; i < statement->count; i++)
	{
		Move	   *move = statement->moves[i];

		if (move->order_id == NULL)
			continue;
		move->line = FindLine(statement, move->order_id, move->line_no);
		if (move->line == NULL)
			MoveRefuse(engine, ERRCODE_FOREIGN_KEY_VIOLATION, move, "names a line that does not exist",
					   "There is no such order line.", "stock_move_order_line_fkey");
		if (TextCompare(move->line->item, move->item) != 0)
			MoveRefuse(engine, ERRCODE_CHECK_VIOLATION, move, "is of another item than the line",
					   "Leave out item and location, and they are the line's.", "stock_move_item_of_line");
		if (move->kind != MOVE_SHIPMENT && move->kind != MOVE_REVERSAL)
			continue;
		if (TextCompare(move->line->location, move->location) != 0)
			MoveRefuse(engine, ERRCODE_CHECK_VIOLATION, move, "is at another location than the line",
					   "Change the line's location first, or leave it out.", "stock_move_location_of_line");
	}
}

/* The moves of one item and location are done in the order in which they happened. */
static int
MoveCompare(const void *a, const void *b)
{
	const Move *left = *(Move *const *) a;
	const Move *right = *(Move *const *) b;
	int			order = TextCompare(left->item, right->item);

	if (order == 0)
		order = TextCompare(left->location, right->location);
	if (order == 0)
		order = (left->moved_at > right->moved_at) - (left->moved_at < right->moved_at);
	return order != 0 ? order : (left->move_id > right->move_id) - (left->move_id < right->move_id);
}

static void
MoveStock(Engine *engine, void *argument)
{
	MoveStatement statement = {.trigger = argument};
	MoveGroup **groups;
	int			count = 0;

	ReadMoves(&statement, &engine->ledger);
	LockLines(engine, &statement);
	MatchLines(engine, &statement);
	ReceiptsBook(engine, statement.moves, statement.count);
	qsort(statement.moves, statement.count, sizeof(Move *), MoveCompare);
	groups = palloc_extended(sizeof(MoveGroup *) * statement.count, MCXT_ALLOC_HUGE);
	for (int i = 0; i < statement.count; i++)
	{
		StockKey	key;

		StockKeyInit(&key, statement.moves[i]->item, statement.moves[i]->location);
		if (count == 0 || StockKeyCompare(&groups[count - 1]->key, &key) != 0)
		{
			groups[count] = palloc(sizeof(MoveGroup));
			groups[count]->key = key;
			groups[count]->moves = &statement.moves[i];
			groups[count++]->count = 0;
		}
		groups[count - 1]->count++;
	}
	WorkRun(engine, (void **) groups, count, &move_work);
}

/*
 * stock_move_insert: AFTER INSERT, for each statement.
 * Locks: the order lines that shipments name, by key; the inbound rows that
 * receipts name, by key; then the gate of each
 * (item, location), EXCLUSIVE, unless allocated units are shipped; then slots.
 * Errors: 23503, 23514, 23B02, 55000.
 */
PG_FUNCTION_INFO_V1(backorder_stock_move_insert);
Datum
backorder_stock_move_insert(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_INSERT, "stock_move", MoveStock);
}

/* What a move that was inserted without item or location is about. */
typedef struct Completion
{
	TriggerData *trigger;
	AttrNumber	attnum[MOVE_COLUMNS];
	Datum		values[2];		/* item, location */
	bool		nulls[2];
} Completion;

static void
RefuseUnknown(Engine *engine, const char *what, const char *name, const char *constraint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("the stock move names %s that does not exist", what),
			 errdetail("There is no %s.", name),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "stock_move"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

static void
CompleteMove(Engine *engine, void *argument)
{
	static const LedgerQuery query = {
		"SELECT coalesce(l.item, i.item), coalesce(l.location, i.location, s.default_location), l.item, i.item"
		" FROM @.ledger AS s"
		" LEFT JOIN @.order_line AS l ON l.order_id = $1 AND l.line_no = $2"
		" LEFT JOIN @.inbound AS i ON i.inbound_id = $3",
		3, {TEXTOID, INT8OID, INT8OID}
	};
	static const int named[3] = {MOVE_ORDER_ID, MOVE_LINE_NO, MOVE_INBOUND_ID};
	Completion *completion = argument;
	HeapTuple	tuple = completion->trigger->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(completion->trigger->tg_relation);
	Datum		values[3];
	bool		isnull[3];
	char		nulls[3];

	for (int i = 0; i < 3; i++)
	{
		values[i] = heap_getattr(tuple, completion->attnum[named[i]], desc, &isnull[i]);
		nulls[i] = isnull[i] ? 'n' : ' ';
	}
	if (EngineExecute(engine, &query, values, nulls) == 0)
		return;
	if (!isnull[0] && ResultTextOrNull(0, 3) == NULL)
		RefuseUnknown(engine, "an order line",
					  psprintf("order line \"%s\"/" INT64_FORMAT, text_to_cstring(DatumGetTextPP(values[0])),
							   DatumGetInt64(values[1])), "stock_move_order_line_fkey");
	if (!isnull[2] && ResultTextOrNull(0, 4) == NULL)
		RefuseUnknown(engine, "inbound supply",
					  psprintf("inbound supply " INT64_FORMAT, DatumGetInt64(values[2])), "stock_move_inbound_fkey");
	for (int i = 0; i < 2; i++)
	{
		MemoryContext old;
		text	   *value = ResultTextOrNull(0, i + 1);

		completion->nulls[i] = value == NULL;
		if (value == NULL)
			continue;
		old = MemoryContextSwitchTo(MemoryContextGetParent(engine->memory));
		completion->values[i] = PointerGetDatum(TextCopy(value));
		MemoryContextSwitchTo(old);
	}
}

/*
 * stock_move_complete: BEFORE INSERT, for each row.  An item or location that was
 * left out is that of the order line or inbound row the move names, or the ledger's
 * default location.
 */
PG_FUNCTION_INFO_V1(backorder_stock_move_complete);
Datum
backorder_stock_move_complete(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	Completion	completion;
	HeapTuple	tuple;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int			count = 0;

	completion.trigger = TriggerCall(fcinfo, TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW,
									 TRIGGER_EVENT_INSERT, "stock_move", &ledger);
	tuple = completion.trigger->tg_trigtuple;
	FindColumns(completion.trigger->tg_relation, move_shape, MOVE_COLUMNS, completion.attnum);
	completion.nulls[0] = completion.nulls[1] = true;
	if (heap_attisnull(tuple, completion.attnum[MOVE_ITEM], RelationGetDescr(completion.trigger->tg_relation)) ||
		heap_attisnull(tuple, completion.attnum[MOVE_LOCATION], RelationGetDescr(completion.trigger->tg_relation)))
		EngineRun(&ledger, CompleteMove, &completion);
	for (int i = 0; i < 2; i++)
	{
		AttrNumber	attnum = completion.attnum[MOVE_ITEM + i];

		if (completion.nulls[i] ||
			!heap_attisnull(tuple, attnum, RelationGetDescr(completion.trigger->tg_relation)))
			continue;
		columns[count] = attnum;
		values[count++] = completion.values[i];
	}
	if (count > 0)
		tuple = heap_modify_tuple_by_cols(tuple, RelationGetDescr(completion.trigger->tg_relation),
										  count, columns, values, nulls);
	PG_RETURN_POINTER(tuple);
}
