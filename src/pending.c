/*
 * pending.c
 *	  Lines that exist but are not yet placed.
 *
 *	  Between a row's INSERT and the AFTER STATEMENT trigger a line looks
 *	  allocated though nothing was taken for it.  A user's own AFTER ROW trigger
 *	  that cancels or ships the new line there would release stock that does not
 *	  exist.  So a BEFORE STATEMENT trigger notes that a statement is placing
 *	  lines, and changing one of them meanwhile is an error.  The note is gone
 *	  when the statement ends or fails.
 */
#include "backorder.h"

#include "utils/memutils.h"
#include "utils/snapmgr.h"

typedef struct Pending
{
	Oid			schema;
	Oid			relid;
	CommandId	command;		/* cmin of the rows of the statement */
	int			nest_level;
	struct Pending *outer;
} Pending;

static Pending *pending = NULL;

void
PendingPush(const Ledger *ledger, Oid relid)
{
	Pending    *entry = MemoryContextAlloc(TopTransactionContext, sizeof(Pending));

	entry->schema = ledger->schema;
	entry->relid = relid;
	/* not the current one: a user's trigger before us may have run commands of its own */
	entry->command = ActiveSnapshotSet() ? GetActiveSnapshot()->curcid : GetCurrentCommandId(false);
	entry->nest_level = GetCurrentTransactionNestLevel();
	entry->outer = pending;
	pending = entry;
}

/* The innermost statement on this relation has placed its lines. */
void
PendingPop(Oid relid)
{
	for (Pending **link = &pending; *link != NULL; link = &(*link)->outer)
		if ((*link)->relid == relid)
		{
			*link = (*link)->outer;
			return;
		}
}

/*
 * An error unless a statement on this relation is pending: the trigger that says
 * so is missing, or a second one has placed the lines already.
 */
void
PendingRequire(Oid relid, const char *trigger)
{
	for (Pending *entry = pending; entry != NULL; entry = entry->outer)
		if (entry->relid == relid)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("trigger \"%s\" has no lines to place", trigger),
			 errdetail("Each ledger has one trigger before and one after an INSERT into order_line."),
			 errhint("backorder.check_ledger() shows the triggers that are missing or too many.")));
}

/* How many of the given lines a command sees. */
static uint64
CountLinesSeen(Engine *engine, CommandId command, Rows *lines)
{
	static const LedgerQuery query = {
		"SELECT FROM (SELECT DISTINCT order_id, line_no FROM input) AS k"
		" JOIN @.order_line AS l ON l.order_id = k.order_id AND l.line_no = k.line_no",
		0, {0}, &line_keys
	};
	MemoryContext caller = CurrentMemoryContext;
	EphemeralNamedRelationData relation;
	int			result;

	EngineConnect(engine);
	RowsOffer(engine, lines, &relation);
	PushCopiedSnapshot(GetLatestSnapshot());
	GetActiveSnapshot()->curcid = command;
	result = SPI_execute_snapshot(LedgerPlan(&engine->ledger, &query), NULL, NULL,
								  GetActiveSnapshot(), InvalidSnapshot, true, false, 0);
	PopActiveSnapshot();
	SpiExpect(result);
	RowsWithdraw();
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

/* An error if one of these (distinct) lines is still to be placed. */
void
PendingRefuse(Engine *engine, Rows *lines)
{
	for (Pending *entry = pending; entry != NULL; entry = entry->outer)
		/* the next command sees what the statement itself inserts; commands inside it come later */
		if (entry->schema == engine->ledger.schema &&
			CountLinesSeen(engine, entry->command + 1, lines) >
			CountLinesSeen(engine, entry->command, lines))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("an order line cannot be changed before the statement that inserts it has placed it"),
					 errhint("Set the values in a BEFORE INSERT trigger, or change the line in a later statement.")));
}

static void
PendingAtTransactionEnd(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_PARALLEL_COMMIT || event == XACT_EVENT_PARALLEL_ABORT)
		pending = NULL;
}

static void
PendingAtSubtransactionEnd(SubXactEvent event, SubTransactionId sub, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (pending != NULL && pending->nest_level >= level)
			pending = pending->outer;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (Pending *entry = pending; entry != NULL && entry->nest_level >= level; entry = entry->outer)
			entry->nest_level = level - 1;
}

void
PendingInit(void)
{
	RegisterXactCallback(PendingAtTransactionEnd, NULL);
	RegisterSubXactCallback(PendingAtSubtransactionEnd, NULL);
}
