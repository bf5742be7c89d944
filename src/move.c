/*
 * move.c
 *	  Physical movements of stock.
 *
 *	  What must always be true: on hand is the signed sum of the moves and never
 *	  below what is allocated; what comes in serves the queue first and only the
 *	  rest becomes available; what the warehouse reports as done is accepted as
 *	  far as the line's open quantity and the stock on hand allow.
 */
#include "backorder.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

typedef enum MoveKind
{
	MOVE_IN,
	MOVE_OUT,
	MOVE_SHIPMENT,
	MOVE_REVERSAL
} MoveKind;

/* An order line that the statement ships from or gives back to. */
typedef struct MoveLine
{
	Share		share;			/* its key; units that wait */
	text	   *item;
	text	   *location;
	Numeric		open;
	Numeric		shipped;
	Numeric		firm;
	bool		on_hold;
	TimestampTz entered_at;
} MoveLine;

typedef struct Move
{
	int64		move_id;
	char	   *kind_name;
	MoveKind	kind;
	text	   *item;
	text	   *location;
	Numeric		quantity;		/* positive */
	text	   *order_id;		/* NULL: none */
	int64		line_no;
	TimestampTz moved_at;
	MoveLine   *line;			/* of a shipment or its reversal */
} Move;

typedef struct MoveGroup
{
	StockKey	key;			/* first: a group of work */
	Move	  **moves;
	int			count;
} MoveGroup;

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
	MOVE_COLUMNS
};

static const ColumnShape move_shape[MOVE_COLUMNS] = {
	{"move_id", INT8OID},
	{"kind", TEXTOID},
	{"item", TEXTOID},
	{"location", TEXTOID},
	{"quantity", NUMERICOID},
	{"order_id", TEXTOID},
	{"line_no", INT8OID},
	{"moved_at", TIMESTAMPTZOID},
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

static Move *
ReadMove(TupleTableSlot *slot, const AttrNumber *attnum)
{
	Move	   *move = palloc0(sizeof(Move));
	Datum		value[MOVE_COLUMNS];
	bool		isnull[MOVE_COLUMNS];

	for (int i = 0; i < MOVE_COLUMNS; i++)
		value[i] = slot_getattr(slot, attnum[i], &isnull[i]);
	if (isnull[MOVE_ID] || isnull[MOVE_KIND] || isnull[MOVE_ITEM] || isnull[MOVE_LOCATION] ||
		isnull[MOVE_QUANTITY] || isnull[MOVE_MOVED_AT])
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
	move->kind = KindOf(move->kind_name, NumericSign(move->quantity) < 0);
	if (NumericSign(move->quantity) < 0)
		move->quantity = NumericNegate(move->quantity);
	return move;
}

static void
ReadMoves(MoveStatement *statement)
{
	Tuplestorestate *rows = statement->trigger->tg_newtable;
	TupleTableSlot *slot = TransitionSlot(statement->trigger);
	AttrNumber	attnum[MOVE_COLUMNS];
	int64		count = tuplestore_tuple_count(rows);

	FindColumns(statement->trigger->tg_relation, move_shape, MOVE_COLUMNS, attnum);
	statement->moves = palloc_extended(sizeof(Move *) * count, MCXT_ALLOC_HUGE);
	TransitionRewind(rows);
	while (TransitionNext(rows, slot))
		statement->moves[statement->count++] = ReadMove(slot, attnum);
	ExecDropSingleTupleTableSlot(slot);
}

/* the newest version of each line, locked in the order of their keys */
static const LedgerQuery lock_lines = {
	"SELECT l.order_id, l.line_no, l.item, l.location, l.quantity - l.cancelled - l.shipped, l.shipped,"
	" l.firm, l.on_hold, coalesce(l.entered_at, greatest(l.placed_at, l.not_before))"
	" FROM @.order_line AS l"
	" JOIN (SELECT DISTINCT order_id, line_no FROM unnest($1, $2) AS k (order_id, line_no)) AS k"
	" ON l.order_id = k.order_id AND l.line_no = k.line_no"
	" ORDER BY l.order_id, l.line_no FOR NO KEY UPDATE OF l",
	2, {TEXTARRAYOID, INT8ARRAYOID}
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

	wanted.share.order_id = order_id;
	wanted.share.line_no = line_no;
	found = bsearch(&pointer, statement->lines, statement->line_count, sizeof(MoveLine *), MoveLineCompare);
	return found == NULL ? NULL : *found;
}

/* Locks the order lines of shipments and reversals, before any gate. */
static void
LockLines(Engine *engine, MoveStatement *statement)
{
	Column		order_ids;
	Column		line_nos;
	Datum		values[2];

	ColumnInit(&order_ids, TEXTOID);
	ColumnInit(&line_nos, INT8OID);
	for (int i = 0; i < statement->count; i++)
		if (statement->moves[i]->order_id != NULL)
		{
			ColumnAdd(&order_ids, PointerGetDatum(statement->moves[i]->order_id));
			ColumnAdd(&line_nos, Int64GetDatum(statement->moves[i]->line_no));
		}
	if (order_ids.count == 0)
		return;
	values[0] = ColumnArray(&order_ids);
	values[1] = ColumnArray(&line_nos);
	statement->line_count = (int) EngineExecute(engine, &lock_lines, values, NULL);
	statement->lines = palloc(sizeof(MoveLine *) * Max(statement->line_count, 1));
	ColumnReset(&order_ids);
	ColumnReset(&line_nos);
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
		ColumnAdd(&order_ids, PointerGetDatum(line->share.order_id));
		ColumnAdd(&line_nos, Int64GetDatum(line->share.line_no));
	}
	qsort(statement->lines, statement->line_count, sizeof(MoveLine *), MoveLineCompare);
	PendingRefuse(engine, &order_ids, &line_nos);
}

static void
RefuseMove(Engine *engine, int code, const Move *move, const char *message, const char *detail,
		   const char *constraint)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("%s of order line \"%s\"/" INT64_FORMAT " %s", move->kind_name,
					text_to_cstring(move->order_id), move->line_no, message),
			 errdetail("%s", detail),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "stock_move"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
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
			RefuseMove(engine, ERRCODE_FOREIGN_KEY_VIOLATION, move, "names a line that does not exist",
					   "There is no such order line.", "stock_move_order_line_fkey");
		if (TextCompare(move->line->item, move->item) != 0)
			RefuseMove(engine, ERRCODE_CHECK_VIOLATION, move, "is of another item than the line",
					   "Leave out item and location, and they are the line's.", "stock_move_item_of_line");
		if (move->kind != MOVE_SHIPMENT && move->kind != MOVE_REVERSAL)
			continue;
		if (TextCompare(move->line->location, move->location) != 0)
			RefuseMove(engine, ERRCODE_CHECK_VIOLATION, move, "is at another location than the line",
					   "Change the line's location first, or leave it out.", "stock_move_location_of_line");
	}
}

/* May these units leave for this line?  "allocated" of them need not. */
static void
CheckShipment(Engine *engine, const Move *move)
{
	const MoveLine *line = move->line;

	if (line->on_hold)
		RefuseMove(engine, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, move, "cannot be: the line is on hold",
				   "Let the line go first by setting not_before to NULL or to a time that has come.",
				   "stock_move_line_on_hold");
	if (NumericCompare(move->quantity, line->open) > 0)
		RefuseMove(engine, ERRCODE_CHECK_VIOLATION, move, "is more than is open",
				   psprintf("%s to be shipped, %s open.", NumericText(move->quantity), NumericText(line->open)),
				   "stock_move_open_quantity");
}

static void
JournalMove(Engine *engine, const StockKey *key, const Move *move, const char *kind)
{
	Entry		entry;

	memset(&entry, 0, sizeof(entry));
	entry.kind = kind;
	entry.cause = move->kind_name;
	entry.order_id = move->order_id;
	entry.line_no = move->line_no;
	entry.key = key;
	entry.quantity = move->quantity;
	entry.move_id = move->move_id;
	entry.happened_at = move->moved_at;
	JournalAdd(engine, &entry);
}

/* The line's own books, after units left (or came back: a negative quantity). */
static void
RecordShipped(Engine *engine, const Move *move, Numeric quantity)
{
	Fact		fact;
	MoveLine   *line = move->line;

	FactInit(&fact, move->order_id, move->line_no);
	fact.shipped = quantity;
	FactAdd(engine, &fact);
	line->shipped = NumericAdd(line->shipped, quantity);
	line->open = NumericSubtract(line->open, quantity);
}

/* Reads what the group's lines wait for. */
static void
ReadWaiting(Engine *engine, MoveGroup *group)
{
	Share	  **shares = palloc(sizeof(Share *) * group->count);
	int			count = 0;

	for (int i = 0; i < group->count; i++)
		if (group->moves[i]->line != NULL)
		{
			Share	   *share = &group->moves[i]->line->share;
			bool		known = false;

			for (int j = 0; j < count && !known; j++)
				known = shares[j] == share;
			if (!known)
				shares[count++] = share;
		}
	QueueWaitingOf(engine, &group->key, shares, count);
	pfree(shares);
}

/* Does the group only ship what is allocated? */
static bool
MoveSeemsGateless(Engine *engine, void *argument)
{
	MoveGroup  *group = argument;

	for (int i = 0; i < group->count; i++)
		if (group->moves[i]->kind != MOVE_SHIPMENT)
			return false;
	ReadWaiting(engine, group);
	for (int i = 0; i < group->count; i++)
	{
		Numeric		wanted = NumericZero();
		MoveLine   *line = group->moves[i]->line;

		for (int j = 0; j <= i; j++)
			if (group->moves[j]->line == line)
				wanted = NumericAdd(wanted, group->moves[j]->quantity);
		if (line->on_hold || NumericCompare(wanted, NumericSubtract(line->open, line->share.waiting)) > 0)
			return false;
	}
	return true;
}

/*
 * Allocated units leave.  Our lock on the line keeps its allocation: only fills
 * can change what it waits for, and they add to it.
 */
static bool
MoveWithoutGate(Engine *engine, void *argument)
{
	MoveGroup  *group = argument;
	Numeric		total = NumericZero();

	if (!MoveSeemsGateless(engine, group))
		return false;
	for (int i = 0; i < group->count; i++)
	{
		total = NumericAdd(total, group->moves[i]->quantity);
		RecordShipped(engine, group->moves[i], group->moves[i]->quantity);
		JournalMove(engine, &group->key, group->moves[i], "shipped");
	}
	StockShip(engine, &group->key, total);
	return true;
}

static LOCKMODE
MoveGateMode(Engine *engine, void *group)
{
	return ExclusiveLock;
}

/* A run of moves that bring stock in serves the queue, then the slots. */
static void
PutIn(Engine *engine, MoveGroup *group, Source *sources, int *count, bool auto_allocate)
{
	Numeric		total = NumericZero();
	Numeric		used = NumericZero();

	if (*count == 0)
		return;
	for (int i = 0; i < *count; i++)
		total = NumericAdd(total, sources[i].quantity);
	if (auto_allocate)
		used = QueueServe(engine, &group->key, sources, *count);
	StockPut(engine, &group->key, NumericSubtract(total, used), used);
	*count = 0;
}

static void
TakeOut(Engine *engine, MoveGroup *group, const Move *move)
{
	Loss		loss = {"loss", move->move_id, move->moved_at, NULL, NULL, 0};
	Numeric		rest = NumericSubtract(move->quantity, StockRemoveUpTo(engine, &group->key, move->quantity));

	if (NumericSign(rest) <= 0)
		return;
	LossTake(engine, &group->key, rest, &loss);
	StockPut(engine, &group->key, NumericZero(), NumericNegate(rest));
}

/*
 * A shipment, whether it was allocated or not.  Units that the line does not hold
 * are found like a loss: what is available, then the bottom of the ranking.
 */
static void
Ship(Engine *engine, MoveGroup *group, Move *move)
{
	MoveLine   *line = move->line;
	Share	   *share = &line->share;
	Numeric		missing;

	CheckShipment(engine, move);
	QueueWaitingOf(engine, &group->key, &share, 1);
	missing = NumericSubtract(move->quantity, NumericSubtract(line->open, share->waiting));
	if (NumericSign(missing) > 0)
	{
		Source		source = {move->move_id, "reallocated", missing, move->moved_at, NULL};
		Loss		loss = {"reallocated", move->move_id, move->moved_at, NULL, move->order_id, move->line_no};
		Numeric		rest = NumericSubtract(missing, StockTakeUpTo(engine, &group->key, missing));

		if (NumericSign(rest) > 0)
			LossTake(engine, &group->key, rest, &loss);
		QueueFillLine(engine, &group->key, move->order_id, move->line_no, &source);
	}
	StockShip(engine, &group->key, move->quantity);
	RecordShipped(engine, move, move->quantity);
	JournalMove(engine, &group->key, move, "shipped");
}

/* Units come back to the line they left for; to the queue if it is on hold meanwhile. */
static bool
GiveBack(Engine *engine, MoveGroup *group, Move *move)
{
	if (NumericCompare(move->quantity, move->line->shipped) > 0)
		RefuseMove(engine, ERRCODE_CHECK_VIOLATION, move, "is more than was shipped",
				   psprintf("%s to be given back, %s shipped.", NumericText(move->quantity),
							NumericText(move->line->shipped)),
				   "stock_move_shipped_quantity");
	RecordShipped(engine, move, NumericNegate(move->quantity));
	JournalMove(engine, &group->key, move, "unshipped");
	if (move->line->on_hold)
		return false;
	StockPut(engine, &group->key, NumericZero(), move->quantity);
	return true;
}

static void
MoveUnderGate(Engine *engine, void *argument, LOCKMODE mode)
{
	MoveGroup  *group = argument;
	Source	   *sources = palloc(sizeof(Source) * group->count);
	int			count = 0;
	Policy		policy;

	PolicyOfKey(engine, &group->key, "stock_move", &policy);
	for (int i = 0; i < group->count; i++)
	{
		Move	   *move = group->moves[i];
		Source		source = {move->move_id, move->kind_name, move->quantity, move->moved_at, NULL};

		if (move->kind == MOVE_IN || (move->kind == MOVE_REVERSAL && !GiveBack(engine, group, move)))
		{
			sources[count++] = source;
			continue;
		}
		PutIn(engine, group, sources, &count, policy.auto_allocate);
		if (move->kind == MOVE_OUT)
			TakeOut(engine, group, move);
		else if (move->kind == MOVE_SHIPMENT)
			Ship(engine, group, move);
	}
	PutIn(engine, group, sources, &count, policy.auto_allocate);
}

static const WorkOps move_work = {
	MoveSeemsGateless, MoveWithoutGate, MoveGateMode, MoveUnderGate
};

static int
MoveCompare(const void *a, const void *b)
{
	const Move *left = *(Move *const *) a;
	const Move *right = *(Move *const *) b;
	int			order = TextCompare(left->item, right->item);

	if (order == 0)
		order = TextCompare(left->location, right->location);
	return order != 0 ? order : (left->move_id > right->move_id) - (left->move_id < right->move_id);
}

static void
MoveStock(Engine *engine, void *argument)
{
	MoveStatement statement = {.trigger = argument};
	MoveGroup **groups;
	int			count = 0;

	ReadMoves(&statement);
	LockLines(engine, &statement);
	MatchLines(engine, &statement);
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
 * Locks: the order lines that shipments name, by key; then the gate of each
 * (item, location), EXCLUSIVE, unless allocated units are shipped; then slots.
 * Errors: 23503, 23514, 23B02, 55000.
 */
PG_FUNCTION_INFO_V1(backorder_stock_move_insert);
Datum
backorder_stock_move_insert(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_AFTER, 0, TRIGGER_EVENT_INSERT,
									   "stock_move", &ledger);

	if (tuplestore_tuple_count(trigger->tg_newtable) > 0)
		EngineRun(&ledger, MoveStock, trigger);
	PG_RETURN_POINTER(NULL);
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
CompleteMove(Engine *engine, void *argument)
{
	static const LedgerQuery query = {
		"SELECT l.item, coalesce(l.location, s.default_location) FROM @.ledger AS s"
		" LEFT JOIN @.order_line AS l ON l.order_id = $1 AND l.line_no = $2",
		2, {TEXTOID, INT8OID}
	};
	Completion *completion = argument;
	HeapTuple	tuple = completion->trigger->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(completion->trigger->tg_relation);
	Datum		values[2];
	bool		isnull[2];
	char		nulls[2];

	values[0] = heap_getattr(tuple, completion->attnum[MOVE_ORDER_ID], desc, &isnull[0]);
	values[1] = heap_getattr(tuple, completion->attnum[MOVE_LINE_NO], desc, &isnull[1]);
	nulls[0] = isnull[0] ? 'n' : ' ';
	nulls[1] = isnull[1] ? 'n' : ' ';
	if (EngineExecute(engine, &query, values, nulls) == 0)
		return;
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
 * left out is that of the order line the move names, or the ledger's default location.
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
