/*
 * trigger.c
 *	  How a trigger function may be called, and reading transition tables.
 */
#include "backorder.h"

static const char *
TimingName(TriggerEvent timing)
{
	return timing == TRIGGER_EVENT_BEFORE ? "BEFORE" :
		timing == TRIGGER_EVENT_INSTEAD ? "INSTEAD OF" : "AFTER";
}

static const char *
EventName(TriggerEvent event)
{
	switch (event)
	{
		case TRIGGER_EVENT_INSERT:
			return "INSERT";
		case TRIGGER_EVENT_DELETE:
			return "DELETE";
		case TRIGGER_EVENT_UPDATE:
			return "UPDATE";
		default:
			return "TRUNCATE";
	}
}

/* AFTER triggers of this extension read transition tables; without one they were created wrongly. */
static void
CheckTransitionTables(const char *function, const TriggerData *trigger)
{
	bool		wants_new = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	bool		wants_old = TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);

	if ((wants_new && trigger->tg_newtable == NULL) || (wants_old && trigger->tg_oldtable == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired by a trigger with transition tables", function)));
}

/*
 * Checks a call before anything else is touched, and finds the ledger.  "event"
 * is one of TRIGGER_EVENT_INSERT ..., or TRIGGER_EVENT_OPMASK for any.
 */
TriggerData *
TriggerCall(FunctionCallInfo fcinfo, TriggerEvent timing, TriggerEvent level, TriggerEvent event,
			const char *table, Ledger *ledger)
{
	TriggerData *trigger;
	char	   *function;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function must be called by the trigger manager")));
	trigger = (TriggerData *) fcinfo->context;
	function = trigger->tg_trigger->tgname;
	if ((trigger->tg_event & TRIGGER_EVENT_TIMINGMASK) != timing)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("the function of trigger \"%s\" must be fired %s the event", function,
						TimingName(timing))));
	if ((trigger->tg_event & TRIGGER_EVENT_ROW) != level)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("the function of trigger \"%s\" must be fired for each %s", function,
						level ? "row" : "statement")));
	if (event != TRIGGER_EVENT_OPMASK && (trigger->tg_event & TRIGGER_EVENT_OPMASK) != event)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("the function of trigger \"%s\" must be fired for %s", function,
						EventName(event))));
	if (timing == TRIGGER_EVENT_AFTER && level == 0)
		CheckTransitionTables(function, trigger);
	LedgerOfRelation(trigger->tg_relation, table, ledger);
	return trigger;
}

TupleTableSlot *
TransitionSlot(const TriggerData *trigger)
{
	return MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple);
}

void
TransitionRewind(Tuplestorestate *rows)
{
	tuplestore_select_read_pointer(rows, 0);
	tuplestore_rescan(rows);
}

bool
TransitionNext(Tuplestorestate *rows, TupleTableSlot *slot)
{
	return tuplestore_gettupleslot(rows, true, false, slot);
}

/* Is this the column of that name? */
bool
ColumnIs(TupleDesc desc, AttrNumber attnum, const char *name)
{
	return attnum > 0 && attnum <= desc->natts && !TupleDescAttr(desc, attnum - 1)->attisdropped &&
		strcmp(NameStr(TupleDescAttr(desc, attnum - 1)->attname), name) == 0;
}

/*
 * Where a table has its columns.  The table may have columns of the user's own
 * before, between and behind them, and a table that only looks like a ledger's
 * may have others of the same name: names and types are checked.
 */
void
FindColumns(Relation rel, ColumnShape *shape, int count, AttrNumber *attnum)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		known = shape->relid == RelationGetRelid(rel) && shape->epoch == CatalogEpoch();

	for (int i = 0; i < count; i++)
	{
		AttrNumber	found = shape[i].found;

		if (known)
		{
			attnum[i] = found;
			continue;
		}
		if (!ColumnIs(desc, found, shape[i].name))
			for (found = desc->natts; found > 0; found--)
				if (ColumnIs(desc, found, shape[i].name))
					break;
		if (found == 0 || TupleDescAttr(desc, found - 1)->atttypid != shape[i].type)
			ereport(ERROR,
					(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					 errmsg("table \"%s\" has no column \"%s\" of the type that a ledger's table has",
							RelationGetRelationName(rel), shape[i].name)));
		attnum[i] = shape[i].found = found;
	}
	shape->relid = RelationGetRelid(rel);
	shape->epoch = CatalogEpoch();
}
