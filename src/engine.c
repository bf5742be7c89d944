/*
 * engine.c
 *	  Doing a piece of work as the owner of a ledger.
 *
 *	  While the engine works it is the owner of the tables, as ri_triggers.c is: a
 *	  clerk who may insert orders needs no rights on the engine's tables, and
 *	  whoever attaches these triggers to tables of his own acts as himself.  What
 *	  the work has to say of order lines is written at its end, and then what the
 *	  journal is told by SQL.
 */
#include "backorder.h"

#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

/* the engine's work in progress, innermost first */
static Engine *current_engine = NULL;

static void
EngineEnter(Engine *engine, const Ledger *ledger)
{
	memset(engine, 0, sizeof(Engine));
	engine->ledger = *ledger;
	engine->trigger_depth = DatumGetInt32(pg_trigger_depth(NULL));
	engine->memory = AllocSetContextCreate(CurrentMemoryContext, "backorder statement",
										   ALLOCSET_DEFAULT_SIZES);
	GetUserIdAndSecContext(&engine->caller, &engine->caller_context);
	SetUserIdAndSecContext(ledger->owner,
						   engine->caller_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	engine->outer = current_engine;
	current_engine = engine;
}

static void
EngineLeave(Engine *engine)
{
	StockRelease(engine);
	PolicyRelease(engine);
	EngineDisconnect(engine);
	current_engine = engine->outer;
	SetUserIdAndSecContext(engine->caller, engine->caller_context);
}

/*
 * Does a piece of work as the owner of the ledger, in memory of its own.  On
 * error the (sub)transaction's abort gives back the caller's identity, settings
 * and SPI stack; only our own pointer is put back here.
 */
void
EngineRun(const Ledger *ledger, EngineWork work, void *argument)
{
	Engine		engine;
	Engine	   *outer = current_engine;
	MemoryContext caller_memory = CurrentMemoryContext;

	EngineEnter(&engine, ledger);
	PG_TRY();
	{
		MemoryContextSwitchTo(engine.memory);
		work(&engine, argument);
		JournalSettle(&engine);
		FactFlush(&engine);
		JournalFlush(&engine);
		EngineLeave(&engine);
	}
	PG_CATCH();
	{
		current_engine = outer;
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller_memory);
	MemoryContextDelete(engine.memory);
}

/*
 * Is the statement whose trigger runs now one of the engine's own on this
 * ledger?  Triggers of its statements run one level below it; whatever a user's
 * trigger does down there runs two levels below.
 */
bool
EngineIsWriting(Oid schema)
{
	return current_engine != NULL &&
		current_engine->ledger.schema == schema &&
		current_engine->trigger_depth + 1 == DatumGetInt32(pg_trigger_depth(NULL));
}

/*
 * The whole of an AFTER STATEMENT trigger: checks how it is called and does the
 * work if there are rows, unless the statement is the engine's own.  The work is
 * handed the TriggerData.
 */
Datum
EngineTrigger(FunctionCallInfo fcinfo, TriggerEvent event, const char *table, EngineWork work)
{
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_AFTER, 0, event, table, &ledger);
	Tuplestorestate *rows = trigger->tg_newtable != NULL ? trigger->tg_newtable : trigger->tg_oldtable;

	if (rows != NULL && tuplestore_tuple_count(rows) > 0 && !EngineIsWriting(ledger.schema))
		EngineRun(&ledger, work, trigger);
	return PointerGetDatum(NULL);
}
