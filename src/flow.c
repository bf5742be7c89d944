/*
 * flow.c
 *	  What moves do to stock, queue and order lines.
 *
 *	  What must always be true: on hand is the signed sum of the moves and never
 *	  below what is allocated; what comes in serves the queue first and only the
 *	  rest becomes available; what the warehouse reports as done is accepted as
 *	  far as the line's open quantity and the stock on hand allow.
 */
#include "backorder.h"

void
MoveRefuse(Engine *engine, int code, const Move *move, const char *message, const char *detail,
		   const char *constraint)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("%s of order line \"%s\"/" INT64_FORMAT " %s", move->kind_name,
					text_to_cstring(move->order_id), move->line_no, message),
			 detail == NULL ? 0 : errdetail("%s", detail),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "stock_move"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* May these units leave for this line?  "allocated" of them need not. */
static void
CheckShipment(Engine *engine, const Move *move)
{
	const MoveLine *line = move->line;

	if (line->on_hold)
		MoveRefuse(engine, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, move, "is not possible: the line is on hold",
				   "Let the line go first by setting not_before to NULL or to a time that has come.",
				   "stock_move_line_on_hold");
	if (NumericCompare(move->quantity, line->open) > 0)
		MoveRefuse(engine, ERRCODE_CHECK_VIOLATION, move, "is more than is open",
				   !CallerMayRead(engine, "order_line") ? NULL :
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
	FactAdd(engine, &fact, line->told);
	line->told = true;
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
	Balance		change;

	if (*count == 0)
		return;
	for (int i = 0; i < *count; i++)
		total = NumericAdd(total, sources[i].quantity);
	if (auto_allocate)
		used = QueueServe(engine, &group->key, sources, *count);
	change.available = NumericSubtract(total, used);
	change.allocated = used;
	change.backordered = NumericNegate(used);
	StockPut(engine, &group->key, &change);
	*count = 0;
}

static void
TakeOut(Engine *engine, MoveGroup *group, const Move *move)
{
	Loss		loss = {"loss", move->move_id, move->moved_at, NULL, NULL, 0};
	Numeric		rest = NumericSubtract(move->quantity, StockRemoveUpTo(engine, &group->key, move->quantity));
	Balance		change = {NumericZero(), NULL, NULL};

	if (NumericSign(rest) <= 0)
		return;
	LossTake(engine, &group->key, rest, &loss);
	change.allocated = NumericNegate(rest);
	StockPut(engine, &group->key, &change);
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
	Balance		change = {NumericZero(), move->quantity, NULL};

	if (NumericCompare(move->quantity, move->line->shipped) > 0)
		MoveRefuse(engine, ERRCODE_CHECK_VIOLATION, move, "is more than was shipped",
				   !CallerMayRead(engine, "order_line") ? NULL :
				   psprintf("%s to be given back, %s shipped.", NumericText(move->quantity),
							NumericText(move->line->shipped)),
				   "stock_move_shipped_quantity");
	RecordShipped(engine, move, NumericNegate(move->quantity));
	JournalMove(engine, &group->key, move, "unshipped");
	if (move->line->on_hold)
		return false;
	StockPut(engine, &group->key, &change);
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
	ReceiptsPromise(engine, &group->key, group->moves, group->count);
}

const WorkOps move_work = {
	MoveSeemsGateless, MoveWithoutGate, MoveGateMode, MoveUnderGate
};
