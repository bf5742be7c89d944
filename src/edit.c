/*
 * edit.c
 *	  Changes of order lines.
 *
 *	  What must always be true: what a line gives up is taken from its waiting
 *	  part first, then from its allocation, which goes to the queue and never back
 *	  to the line; what it asks for in addition is placed like a new line.  Within
 *	  a statement, all that is given up at one item and location comes before all
 *	  that is asked for.
 */
#include "backorder.h"

#include "utils/memutils.h"

/* A line that waits, and is ranked anew. */
typedef struct Waiter
{
	text	   *item;
	text	   *location;
	text	   *order_id;
	int64		line_no;
} Waiter;

/* What a statement does to one item at one location. */
typedef struct EditGroup
{
	StockKey	key;			/* first: a group of work */
	Demand	   *demand;
	Share	  **given;
	int			given_count;
	Waiter	   *waiters;
	int			waiter_count;
} EditGroup;

typedef struct EditStatement
{
	TriggerData *trigger;
	Rows		lines;			/* all that changed */
	Rows		ranked_anew;	/* of which these */
	Edit	  **edits;			/* that do more than rank */
	int			count;
	int			capacity;
	Waiter	   *waiters;
	int			waiter_count;
	int			group_count;
	Demands		demands;
	Claim	  **claims;
	int			claim_count;
} EditStatement;

/* Keeps an edit in the current memory context. */
static void
KeepEdit(EditStatement *statement, const Edit *read)
{
	Edit	   *edit = palloc(sizeof(Edit));

	*edit = *read;
	LineCopy(&edit->before);
	LineCopy(&edit->after);
	edit->given = DatumGetNumericCopy(NumericGetDatum(edit->given));
	edit->asked = DatumGetNumericCopy(NumericGetDatum(edit->asked));
	if (statement->count == statement->capacity)
		statement->edits = repalloc_huge(statement->edits, sizeof(Edit *) * (statement->capacity *= 2));
	statement->edits[statement->count++] = edit;
}

/*
 * The pairs of OLD and NEW that matter; both tables have them in the same order.
 * Most statements over many lines change what may rank them and nothing else:
 * those lines are noted on disk.
 */
static void
ReadEdits(Engine *engine, EditStatement *statement, const AttrNumber *attnum)
{
	TriggerData *trigger = statement->trigger;
	TupleTableSlot *before = TransitionSlot(trigger);
	TupleTableSlot *after = TransitionSlot(trigger);
	MemoryContext row_memory = AllocSetContextCreate(engine->memory, "backorder row", ALLOCSET_SMALL_SIZES);

	RowsInit(&statement->lines, &line_keys);
	RowsInit(&statement->ranked_anew, &line_keys);
	statement->edits = palloc(sizeof(Edit *) * (statement->capacity = 16));
	TransitionRewind(trigger->tg_oldtable);
	TransitionRewind(trigger->tg_newtable);
	while (TransitionNext(trigger->tg_oldtable, before) && TransitionNext(trigger->tg_newtable, after))
	{
		Edit		edit;

		MemoryContextReset(row_memory);
		MemoryContextSwitchTo(row_memory);
		memset(&edit, 0, sizeof(edit));
		LineRead(after, attnum, &edit.after);
		if (!LineUnchanged(before, after, attnum) || (edit.after.on_hold && LineIsDue(&edit.after)))
		{
			LineRead(before, attnum, &edit.before);
			LineCheck(after, attnum, &engine->ledger, &edit.after);
			EditJudge(&edit);
			RowsAddLine(&statement->lines, edit.before.order_id, edit.before.line_no);
			if (LineRankChanged(before, after, attnum) && EditStays(&edit))
				RowsAddLine(&statement->ranked_anew, edit.after.order_id, edit.after.line_no);
			MemoryContextSwitchTo(engine->memory);
			if (!EditOnlyRanks(&edit))
				KeepEdit(statement, &edit);
		}
		MemoryContextSwitchTo(engine->memory);
	}
	MemoryContextDelete(row_memory);
	ExecDropSingleTupleTableSlot(before);
	ExecDropSingleTupleTableSlot(after);
}

/*
 * Which of the lines that are ranked anew wait: those in stock have no rank to
 * change, and while we hold their rows nobody takes their units.
 */
static void
ReadWaiters(Engine *engine, EditStatement *statement)
{
	static const LedgerQuery query = {
		"SELECT DISTINCT b.item, b.location, b.order_id, b.line_no FROM input AS k" OPEN_OF_LINE("k")
		" ORDER BY b.item, b.location",
		0, {0}, &line_keys
	};

	if (statement->ranked_anew.count == 0)
		return;
	statement->waiter_count = (int) EngineExecuteOn(engine, &query, &statement->ranked_anew, NULL);
	statement->waiters = palloc_extended(sizeof(Waiter) * Max(statement->waiter_count, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < statement->waiter_count; i++)
	{
		Waiter	   *waiter = &statement->waiters[i];

		waiter->item = ResultText(i, 1);
		waiter->location = ResultText(i, 2);
		waiter->order_id = ResultText(i, 3);
		waiter->line_no = ResultInt64(i, 4);
	}
}

static int
EditGroupOrder(const void *a, const void *b)
{
	return StockKeyCompare(GroupKey(*(void *const *) a), GroupKey(*(void *const *) b));
}

/* Which of the sorted groups a line's item and location belong to. */
static EditGroup *
FindGroup(EditGroup **groups, int count, text *item, text *location)
{
	EditGroup	wanted;
	EditGroup  *pointer = &wanted;

	StockKeyInit(&wanted.key, item, location);
	return *(EditGroup **) bsearch(&pointer, groups, count, sizeof(EditGroup *), EditGroupOrder);
}

static EditGroup *
GroupCreate(text *item, text *location)
{
	EditGroup  *group = palloc0(sizeof(EditGroup));

	StockKeyInit(&group->key, item, location);
	return group;
}

/* One group for each (item, location) that the statement touches, sorted. */
static EditGroup **
MakeGroups(EditStatement *statement)
{
	EditGroup **groups = palloc_extended(sizeof(EditGroup *) * (statement->count * 2 + statement->waiter_count + 1),
										 MCXT_ALLOC_HUGE);
	int			total = 0;
	int			kept = 0;

	for (int i = 0; i < statement->count; i++)
	{
		const Edit *edit = statement->edits[i];

		groups[total++] = GroupCreate(edit->before.item, edit->before.location);
		groups[total++] = GroupCreate(edit->after.item, edit->after.location);
	}
	for (int i = 0; i < statement->waiter_count; i++)
		groups[total++] = GroupCreate(statement->waiters[i].item, statement->waiters[i].location);
	qsort(groups, total, sizeof(EditGroup *), EditGroupOrder);
	for (int i = 0; i < total; i++)
		if (kept == 0 || StockKeyCompare(&groups[kept - 1]->key, &groups[i]->key) != 0)
			groups[kept++] = groups[i];
	statement->group_count = kept;
	return groups;
}

static void
GiveShare(EditGroup *group, Edit *edit)
{
	Share	   *share = palloc0(sizeof(Share));

	share->order_id = edit->before.order_id;
	share->line_no = edit->before.line_no;
	share->quantity = edit->given;
	share->cause = EditCauseOfGiving(edit);
	share->reason = strcmp(share->cause, "cancel") == 0 ? edit->after.cancel_reason : NULL;
	group->given = group->given == NULL ? palloc(sizeof(Share *)) :
		repalloc_huge(group->given, sizeof(Share *) * (group->given_count + 1));
	group->given[group->given_count++] = share;
}

static Claim *
ClaimOfEdit(EditStatement *statement, EditGroup *group, Edit *edit, int position)
{
	Claim	   *claim = palloc0(sizeof(Claim));

	if (group->demand == NULL)
		group->demand = DemandCreate(&statement->demands, &group->key);
	DemandAdd(group->demand, edit->asked);
	claim->order_id = edit->after.order_id;
	claim->line_no = edit->after.line_no;
	claim->demand = group->demand->number;
	claim->quantity = edit->asked;
	claim->priority = edit->after.priority;
	claim->cause = EditCauseOfAsking(edit);
	claim->at_entry = edit->enters && !edit->entered;
	claim->claim_at = claim->at_entry ? LineEntryTime(&edit->after) : GetCurrentTransactionStartTimestamp();
	claim->opened_at = claim->claim_at;
	claim->position = position;
	return claim;
}

/* Sorts what the edits ask and give into groups. */
static void
FillGroups(EditStatement *statement, EditGroup **groups)
{
	statement->claims = palloc(sizeof(Claim *) * Max(statement->count, 1));
	for (int i = 0; i < statement->count; i++)
	{
		Edit	   *edit = statement->edits[i];
		EditGroup  *from = FindGroup(groups, statement->group_count, edit->before.item, edit->before.location);
		EditGroup  *to = FindGroup(groups, statement->group_count, edit->after.item, edit->after.location);

		if (NumericSign(edit->given) > 0)
			GiveShare(from, edit);
		if (NumericSign(edit->asked) > 0)
			statement->claims[statement->claim_count++] = ClaimOfEdit(statement, to, edit, i);
		else if ((!edit->entered || !EditSamePlace(edit)) && to->demand == NULL)
			to->demand = DemandCreate(&statement->demands, &to->key);	/* it must exist all the same */
	}
	for (int i = 0; i < statement->waiter_count; i++)
	{
		Waiter	   *waiter = &statement->waiters[i];
		EditGroup  *group = FindGroup(groups, statement->group_count, waiter->item, waiter->location);

		/* they come place by place */
		if (group->waiter_count++ == 0)
			group->waiters = waiter;
	}
}

/* Ranks the lines of the group that wait anew. */
static void
Rerank(Engine *engine, const EditGroup *group)
{
	Rows		lines;

	RowsInit(&lines, &line_keys);
	for (int i = 0; i < group->waiter_count; i++)
		RowsAddLine(&lines, group->waiters[i].order_id, group->waiters[i].line_no);
	(void) QueueRerank(engine, &group->key, &lines);
	RowsEnd(&lines);
}

static bool
EditSeemsGateless(Engine *engine, void *argument)
{
	EditGroup  *group = argument;

	return group->given_count == 0 && group->waiter_count == 0 &&
		(group->demand == NULL || DemandSeemsGateless(engine, group->demand));
}

static bool
EditWithoutGate(Engine *engine, void *argument)
{
	EditGroup  *group = argument;

	return group->given_count == 0 && group->waiter_count == 0 &&
		(group->demand == NULL || DemandWithoutGate(engine, group->demand));
}

/* Giving up only waiting units leaves the queue, no more. */
static LOCKMODE
EditGateMode(Engine *engine, void *argument)
{
	EditGroup  *group = argument;
	LOCKMODE	mode = NoLock;

	if (group->waiter_count > 0)
		return ExclusiveLock;
	if (group->given_count > 0)
	{
		mode = ShareLock;
		QueueWaitingOf(engine, &group->key, group->given, group->given_count);
		for (int i = 0; i < group->given_count; i++)
			if (NumericCompare(group->given[i]->waiting, group->given[i]->quantity) < 0)
				return ExclusiveLock;
	}
	if (group->demand != NULL)
	{
		LOCKMODE	entering = DemandGateMode(engine, group->demand);

		mode = Max(mode, entering);
	}
	return mode;
}

/* Allocated units that are free serve the queue; what is left becomes available. */
static void
ServeReleased(Engine *engine, const StockKey *key, Numeric released)
{
	Source		source = {0, "release", released, GetCurrentTransactionStartTimestamp(), NULL};
	Numeric		used = NumericZero();
	Balance		change;
	Policy		policy;

	PolicyOfKey(engine, key, "order_line", &policy);
	if (policy.auto_allocate)
		used = QueueServe(engine, key, &source, 1);
	change.available = NumericSubtract(released, used);
	change.allocated = NumericNegate(change.available);
	change.backordered = NumericNegate(used);
	StockPut(engine, key, &change);
}

static void
EditUnderGate(Engine *engine, void *argument, LOCKMODE mode)
{
	EditGroup  *group = argument;

	if (group->given_count > 0)
	{
		Numeric		released = QueueGiveUp(engine, &group->key, group->given, group->given_count);

		if (NumericSign(released) > 0)
			ServeReleased(engine, &group->key, released);
	}
	if (group->waiter_count > 0)
		Rerank(engine, group);
	if (group->demand != NULL)
		DemandUnderGate(engine, group->demand, mode);
}

static const WorkOps edit_work = {
	EditSeemsGateless, EditWithoutGate, EditGateMode, EditUnderGate
};

/* Claims on demands that stock did not cover, with the policy that was found under the gate. */
static void
SettleClaims(Engine *engine, EditStatement *statement)
{
	Rows		claims;

	ClaimsInit(&claims);
	for (int i = 0; i < statement->claim_count; i++)
	{
		Claim	   *claim = statement->claims[i];
		const Demand *demand = statement->demands.list[claim->demand];
		text	   *on_short = statement->edits[claim->position]->after.on_short;

		if (NumericSign(demand->shortage) == 0)
			continue;
		claim->on_short = on_short ? OnShortFromText(on_short) : demand->policy.on_short;
		ClaimsAdd(&claims, claim);
	}
	DemandSettle(engine, &statement->demands, &claims);
}

static void
EditLines(Engine *engine, void *argument)
{
	EditStatement statement = {.trigger = argument};
	AttrNumber	attnum[LINE_COLUMNS];
	EditGroup **groups;

	LineColumns(statement.trigger->tg_relation, attnum);
	ReadEdits(engine, &statement, attnum);
	PendingRefuse(engine, &statement.lines);
	RowsEnd(&statement.lines);
	ReadWaiters(engine, &statement);
	RowsEnd(&statement.ranked_anew);
	groups = MakeGroups(&statement);
	FillGroups(&statement, groups);
	WorkRun(engine, (void **) groups, statement.group_count, &edit_work);
	for (int i = 0; i < statement.count; i++)
	{
		Edit	   *edit = statement.edits[i];

		EditRecordFacts(engine, edit);
		EditJournal(engine, edit, &FindGroup(groups, statement.group_count,
											 edit->after.item, edit->after.location)->key);
	}
	SettleClaims(engine, &statement);
	for (int i = 0; i < statement.count; i++)
		EditCheckFirm(engine, statement.edits[i]);
}

/*
 * order_line_update: AFTER UPDATE, for each statement.
 * Locks: the gate of each (item, location) where allocation is given up, where
 * something waits anew or is ranked anew; then slots.
 * Errors: 55000 frozen facts, pending lines; 23514 firm units; and those of an
 * INSERT for what is asked for in addition.
 */
PG_FUNCTION_INFO_V1(backorder_order_line_update);
Datum
backorder_order_line_update(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_UPDATE, "order_line", EditLines);
}
