/*
 * plan.c
 *	  Saved plans, and running them on the snapshot the engine must see.
 */
#include "backorder.h"

#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

typedef struct PlanKey
{
	Oid			schema;
	const LedgerQuery *query;
} PlanKey;

typedef struct PlanEntry
{
	PlanKey		key;
	char		name[NAMEDATALEN];	/* of the schema when the text was written */
	SPIPlanPtr	plan;			/* NULL until prepared */
} PlanEntry;

static HTAB *plans = NULL;

static void
CreatePlanTable(void)
{
	HASHCTL		ctl;

	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(PlanKey);
	ctl.entrysize = sizeof(PlanEntry);
	ctl.hcxt = AllocSetContextCreate(CacheMemoryContext, "backorder plans", ALLOCSET_SMALL_SIZES);
	plans = hash_create("backorder plans", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
SpiConnect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/* Statements of ours fail by raising an error; a result below zero is a mistake of ours. */
void
SpiExpect(int result)
{
	if (result < 0)
		elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
}

/* The text of a query, with the ledger's schema in place of each "@." */
char *
LedgerText(const Ledger *ledger, const char *query)
{
	StringInfoData text;
	const char *schema = quote_identifier(ledger->name);
	const char *from = query;
	const char *mark;

	initStringInfo(&text);
	while ((mark = strstr(from, "@.")) != NULL)
	{
		appendBinaryStringInfo(&text, from, mark - from);
		appendStringInfo(&text, "%s.", schema);
		from = mark + 2;
	}
	appendStringInfoString(&text, from);
	return text.data;
}

/*
 * Plans a query once and for all, so that it goes by the indexes whatever the
 * size of the tables was when it was first needed: a ledger begins empty, and a
 * plan made for empty tables would read them whole for the rest of the session.
 * Each of our statements reads few rows by a key, or the front of the queue in
 * its order.  Going through the queue, or all lines of an item, instead of by the
 * key of a line must not look cheap while they are few.  So what is open is asked
 * for by line as outcome IS NULL, and in the queue as closed_at IS NULL, each as
 * its own partial index has it; what many lines wait for is looked up in a
 * subquery of which the planner can make nothing else (OPEN_OF_LINE); and item and
 * location are compared with IS NOT DISTINCT FROM, which no index serves.
 */
static void
PlanByIndex(SPIPlanPtr plan)
{
	static const char *const off[] = {
		"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan", "jit"
	};
	int			level = NewGUCNestLevel();
	CachedPlan *cached;

	for (int i = 0; i < (int) lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	cached = SPI_plan_get_cached_plan(plan);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	AtEOXact_GUC(false, level);
}

/* A ledger that was made for another version, or altered since, may lack what the library asks for. */
static void
HintAtVersion(void *arg)
{
	const Ledger *ledger = arg;
	int			code = geterrcode();

	if (code == ERRCODE_UNDEFINED_COLUMN || code == ERRCODE_UNDEFINED_TABLE || code == ERRCODE_UNDEFINED_FUNCTION)
		errhint("The ledger may be older than the installed library: ALTER EXTENSION backorder UPDATE, then SELECT backorder.upgrade_ledger(%s).",
				quote_literal_cstr(ledger->name));
}

/* A plan that lasts for the session; one that cannot be finished leaves nothing behind. */
static SPIPlanPtr
MakePlan(const Ledger *ledger, const LedgerQuery *query)
{
	ErrorContextCallback hint = {error_context_stack, HintAtVersion, unconstify(Ledger *, ledger)};
	SPIPlanPtr	plan;

	error_context_stack = &hint;
	plan = SPI_prepare_cursor(LedgerText(ledger, query->text), query->nargs, (Oid *) query->argtypes,
							  CURSOR_OPT_GENERIC_PLAN);
	error_context_stack = hint.previous;
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	PG_TRY();
	{
		PlanByIndex(plan);
	}
	PG_CATCH();
	{
		SPI_freeplan(plan);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return plan;
}

/*
 * The saved plan of a query for a ledger.  A plan that was invalidated is made
 * anew from text, because the schema may have been renamed.
 */
SPIPlanPtr
LedgerPlan(const Ledger *ledger, const LedgerQuery *query)
{
	PlanKey		key;
	PlanEntry  *entry;
	bool		found;
	SPIPlanPtr	plan;

	if (plans == NULL)
		CreatePlanTable();
	memset(&key, 0, sizeof(key));
	key.schema = ledger->schema;
	key.query = query;
	entry = hash_search(plans, &key, HASH_ENTER, &found);
	if (!found)
		entry->plan = NULL;
	if (entry->plan != NULL)
	{
		if (strcmp(entry->name, ledger->name) == 0 && SPI_plan_is_valid(entry->plan))
			return entry->plan;
		plan = entry->plan;
		entry->plan = NULL;
		SPI_freeplan(plan);
	}
	plan = MakePlan(ledger, query);
	strlcpy(entry->name, ledger->name, NAMEDATALEN);
	entry->plan = plan;
	return plan;
}

/*
 * SPI, with a search_path in which nobody can plant anything.  The path of an
 * order in stock comes by without it.
 */
void
EngineConnect(Engine *engine)
{
	MemoryContext caller;

	if (engine->spi_connected)
		return;
	caller = MemoryContextSwitchTo(engine->memory);	/* SPI goes back to it when it ends */
	engine->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SpiConnect();
	engine->spi_connected = true;
	MemoryContextSwitchTo(caller);
}

void
EngineDisconnect(Engine *engine)
{
	if (!engine->spi_connected)
		return;
	SPI_finish();
	AtEOXact_GUC(false, engine->guc_level);
}

/* What the tables say cannot be: somebody has written them past the triggers. */
void
EngineFoundDamage(const Ledger *ledger, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("ledger \"%s\" is damaged: %s", ledger->name, what),
			 errhint("backorder.check_ledger() shows what disagrees; backorder.rebuild_ledger() recomputes balances.")));
}

/* Fewer rows were written than the engine wrote: a trigger of the user's must have skipped some. */
void
EngineObstructed(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a row that the engine writes into table \"%s\" was not written", table),
			 errhint("A BEFORE trigger on the table returns NULL for it, or a rule changes what is written.")));
}

static uint64
Execute(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values, const char *nulls,
		bool latest)
{
	MemoryContext caller = CurrentMemoryContext;
	EphemeralNamedRelationData relation;
	SPIPlanPtr	plan;
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	int			result;

	Assert(query->input == (input == NULL ? NULL : input->shape));
	EngineConnect(engine);
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	if (input != NULL)
		RowsOffer(engine, input, &relation);
	plan = LedgerPlan(&engine->ledger, query);
	if (latest && IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();
		snapshot = GetLatestSnapshot();
		crosscheck = GetTransactionSnapshot();
	}
	result = SPI_execute_snapshot(plan, values, nulls, snapshot, crosscheck, false, true, 0);
	SpiExpect(result);
	if (input != NULL)
		RowsWithdraw();
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

/*
 * Runs a query of the engine.  Under REPEATABLE READ and SERIALIZABLE it sees
 * the latest committed state and checks what it writes against the transaction's
 * own snapshot, as ri_triggers.c does: a row that changed since is error 40001,
 * never a wrong answer.
 *
 * Returns the number of rows; they are in SPI_tuptable.
 */
uint64
EngineExecute(Engine *engine, const LedgerQuery *query, Datum *values, const char *nulls)
{
	return Execute(engine, query, NULL, values, nulls, true);
}

/* The same with a query that reads rows of ours. */
uint64
EngineExecuteOn(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values)
{
	return Execute(engine, query, input, values, NULL, true);
}

/* Runs a query of a function that only reads, on what the calling query sees. */
uint64
EngineRead(Engine *engine, const LedgerQuery *query, Datum *values, const char *nulls)
{
	int			result;

	EngineConnect(engine);
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	result = SPI_execute_snapshot(LedgerPlan(&engine->ledger, query), values, nulls, GetActiveSnapshot(),
								  InvalidSnapshot, true, false, 0);
	MemoryContextSwitchTo(engine->memory);
	SpiExpect(result);
	return SPI_processed;
}

/*
 * Opens a query to be read piece by piece, as it is now: what is written meanwhile
 * does not change it, and is not read again.  "input" must last as long.
 */
Portal
EngineOpen(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values)
{
	MemoryContext caller = CurrentMemoryContext;
	EphemeralNamedRelationData relation;
	Portal		portal;

	EngineConnect(engine);
	if (input != NULL)
		RowsOffer(engine, input, &relation);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	portal = SPI_cursor_open(NULL, LedgerPlan(&engine->ledger, query), values, NULL, true);
	PopActiveSnapshot();
	if (input != NULL)
		RowsWithdraw();			/* it has them; other statements have rows of their own */
	MemoryContextSwitchTo(caller);
	return portal;
}

/* The next rows, in SPI_tuptable until the next query. */
uint64
EngineFetch(Portal portal, int rows)
{
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	SPI_cursor_fetch(portal, true, rows);
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

/*
 * Runs a query that locks rows which the transaction has chosen by its own
 * snapshot: under REPEATABLE READ and SERIALIZABLE one that changed since is
 * error 40001.
 */
uint64
EngineLockRows(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values,
			   const char *nulls)
{
	return Execute(engine, query, input, values, nulls, false);
}

/*
 * Columns of the last result.  Their types are checked: the owner of a ledger may
 * have altered a table, and must get an error for it, not a crash.
 */
static Datum
ResultValue(uint64 row, int column, Oid type, bool *isnull)
{
	if (SPI_gettypeid(SPI_tuptable->tupdesc, column) != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of a ledger's table is not of the type it was created with",
						SPI_fname(SPI_tuptable->tupdesc, column))));
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static Datum
ResultNotNull(uint64 row, int column, Oid type)
{
	bool		isnull;
	Datum		value = ResultValue(row, column, type, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" of a ledger's table is NULL where it never was",
						SPI_fname(SPI_tuptable->tupdesc, column))));
	return value;
}

/* The first columns of a row at once, of these types and not NULL; they live as long as the result. */
void
ResultRow(uint64 row, const Oid *types, int count, Datum *values)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Datum	   *all = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);

	Assert(desc->natts >= count);
	heap_deform_tuple(SPI_tuptable->vals[row], desc, all, nulls);
	for (int i = 0; i < count; i++)
		/* what is not as it should be is told as for any column */
		values[i] = TupleDescAttr(desc, i)->atttypid == types[i] && !nulls[i] ? all[i] :
			ResultNotNull(row, i + 1, types[i]);
	pfree(all);
	pfree(nulls);
}

/* Values are copied into the current memory context. */
text *
ResultText(uint64 row, int column)
{
	return DatumGetTextPCopy(ResultNotNull(row, column, TEXTOID));
}

text *
ResultTextOrNull(uint64 row, int column)
{
	bool		isnull;
	Datum		value = ResultValue(row, column, TEXTOID, &isnull);

	return isnull ? NULL : DatumGetTextPCopy(value);
}

Numeric
ResultNumeric(uint64 row, int column)
{
	return DatumGetNumericCopy(ResultNotNull(row, column, NUMERICOID));
}

int64
ResultInt64(uint64 row, int column)
{
	return DatumGetInt64(ResultNotNull(row, column, INT8OID));
}

int32
ResultInt32(uint64 row, int column)
{
	return DatumGetInt32(ResultNotNull(row, column, INT4OID));
}

bool
ResultBool(uint64 row, int column)
{
	return DatumGetBool(ResultNotNull(row, column, BOOLOID));
}

TimestampTz
ResultTime(uint64 row, int column)
{
	return DatumGetTimestampTz(ResultNotNull(row, column, TIMESTAMPTZOID));
}

Datum
ResultTextArray(uint64 row, int column)
{
	return datumCopy(ResultNotNull(row, column, TEXTARRAYOID), false, -1);
}
