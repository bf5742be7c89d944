/*
 * admin.c
 *	  Making ledgers and looking after them.
 *
 *	  The DDL of a ledger is text that the extension's script functions return; it
 *	  runs with the ledger's schema as search_path, as its owner.  Tables are made
 *	  once; views, functions, comments and triggers are put in place by every
 *	  upgrade, so what a dump or DROP EXTENSION left out comes back.
 */
#include "backorder.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static void
Run(const char *command)
{
	SpiExpect(SPI_execute(command, false, 0));
}

static char *
Script(const char *part)
{
	char	   *text;

	Run(psprintf("SELECT backorder.script_%s()", part));
	text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (text == NULL)
		elog(ERROR, "script \"%s\" is empty", part);
	return text;
}

/* An error in one of our scripts says so, rather than show the whole text. */
static void
RethrowForScript(MemoryContext memory, const char *ledger, const char *part)
{
	ErrorData  *error;

	MemoryContextSwitchTo(memory);
	error = CopyErrorData();
	FlushErrorState();
	error->context = psprintf("script \"%s\" on ledger \"%s\"", part, ledger);
	error->internalquery = NULL;
	error->internalpos = 0;
	ReThrowError(error);
}

static void
RunScript(const char *ledger, const char *part)
{
	char	   *text = Script(part);
	MemoryContext memory = CurrentMemoryContext;

	PG_TRY();
	{
		Run(text);
	}
	PG_CATCH();
	{
		RethrowForScript(memory, ledger, part);
	}
	PG_END_TRY();
}

/* Names in our scripts are those of the ledger. */
static void
UseSchema(const char *schema)
{
	(void) set_config_option("search_path",
							 psprintf("%s, pg_temp", quote_identifier(schema)),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	/* our scripts have many parts that each run once */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * A script that reads whole tables is planned for tables of any size: they may
 * have grown since they were analyzed, and a nested loop over ten rows that are a
 * million would not end.
 */
static void
ForWholeTables(void)
{
	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* A ledger by name, for a caller who has the rights of its owner. */
static void
OwnLedger(Name name, Ledger *ledger)
{
	LedgerOfSchema(get_namespace_oid(NameStr(*name), false), ledger);
	if (!has_privs_of_role(GetUserId(), ledger->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of ledger \"%s\"", ledger->name)));
}

/* The statements that create each required trigger on its table and the table's partitions. */
static const char trigger_ddl[] =
"SELECT format('CREATE OR REPLACE TRIGGER %1$I %2$s ON %3$I.%4$I %5$s EXECUTE FUNCTION backorder.%6$I();"
" COMMENT ON TRIGGER %1$I ON %3$I.%4$I IS %7$L',"
" t.trigger_name, t.event, n.nspname, c.relname, t.options, t.function_name, t.purpose)"
" FROM backorder.required_trigger AS t"
" JOIN pg_class AS root ON root.relname = t.table_name AND root.relnamespace = $1"
" CROSS JOIN LATERAL (SELECT root.oid AS oid UNION SELECT p.relid FROM pg_partition_tree(root.oid) AS p"
" WHERE t.options LIKE '%STATEMENT%') AS r"
" JOIN pg_class AS c ON c.oid = r.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
" ORDER BY t.table_name, t.trigger_name, c.relname";

static void
CreateTriggers(const Ledger *ledger)
{
	Oid			argtypes[1] = {OIDOID};
	Datum		values[1] = {ObjectIdGetDatum(ledger->schema)};
	uint64		count;
	char	  **commands;

	SpiExpect(SPI_execute_with_args(trigger_ddl, 1, argtypes, values, NULL, false, 0));
	count = SPI_processed;
	commands = palloc(sizeof(char *) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
		commands[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	for (uint64 i = 0; i < count; i++)
		Run(commands[i]);
}

/* Everything of a ledger that is code. */
static void
InstallCode(Engine *engine, void *argument)
{
	EngineConnect(engine);
	UseSchema(engine->ledger.name);
	RunScript(engine->ledger.name, "views");
	RunScript(engine->ledger.name, "functions");
	RunScript(engine->ledger.name, "comments");
	CreateTriggers(&engine->ledger);
	Run("UPDATE ledger SET version = backorder.version()");
}

/*
 * create_ledger(ledger name, time_zone text): makes the schema and all that is in
 * it, owned by the caller.  Errors: 42P06 the schema exists, 42501, 22023.
 */
PG_FUNCTION_INFO_V1(backorder_create_ledger);
Datum
backorder_create_ledger(PG_FUNCTION_ARGS)
{
	char	   *schema = pstrdup(NameStr(*PG_GETARG_NAME(0)));
	char	   *time_zone = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			guc_level;
	Ledger		ledger;

	if (schema[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME), errmsg("a ledger needs a name")));
	SpiConnect();
	guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	Run(psprintf("SELECT now() AT TIME ZONE %s", quote_literal_cstr(time_zone)));
	Run(psprintf("CREATE SCHEMA %s", quote_identifier(schema)));
	/* names alone are no secret, and the owner of the tables keeps his way in when the schema changes hands */
	Run(psprintf("GRANT USAGE ON SCHEMA %s TO PUBLIC", quote_identifier(schema)));
	Run(psprintf("COMMENT ON SCHEMA %s IS 'Orders and stock, kept right by the extension backorder.'",
				 quote_identifier(schema)));
	UseSchema(schema);
	RunScript(schema, "tables");
	Run(psprintf("INSERT INTO ledger (version, time_zone) VALUES (backorder.version(), %s)",
				 quote_literal_cstr(time_zone)));
	AtEOXact_GUC(false, guc_level);
	SPI_finish();
	LedgerOfSchema(get_namespace_oid(schema, false), &ledger);
	EngineRun(&ledger, InstallCode, NULL);
	PG_RETURN_VOID();
}

/*
 * upgrade_ledger(ledger name): brings views, functions, comments and triggers to
 * this version, and back where they are missing.  For the owner.
 */
PG_FUNCTION_INFO_V1(backorder_upgrade_ledger);
Datum
backorder_upgrade_ledger(PG_FUNCTION_ARGS)
{
	Ledger		ledger;

	OwnLedger(PG_GETARG_NAME(0), &ledger);
	EngineRun(&ledger, InstallCode, NULL);
	PG_RETURN_VOID();
}

static void
EmptyTables(Engine *engine, void *argument)
{
	EngineConnect(engine);
	UseSchema(engine->ledger.name);
	Run("TRUNCATE order_line, stock_move, inbound, stock_slot, backorder, journal, notice, consent, clock_run RESTART IDENTITY");
}

/*
 * empty_ledger(ledger name): orders, stock, queue, inbound supply and history are
 * gone; items, locations, rules and settings stay.  For the owner.
 */
PG_FUNCTION_INFO_V1(backorder_empty_ledger);
Datum
backorder_empty_ledger(PG_FUNCTION_ARGS)
{
	Ledger		ledger;

	OwnLedger(PG_GETARG_NAME(0), &ledger);
	EngineRun(&ledger, EmptyTables, NULL);
	PG_RETURN_VOID();
}

static void
Rebuild(Engine *engine, void *argument)
{
	EngineConnect(engine);
	UseSchema(engine->ledger.name);
	Run("LOCK TABLE order_line, stock_move, inbound, stock_slot, backorder, journal IN SHARE ROW EXCLUSIVE MODE");
	GateLockAll(&engine->ledger);
	ForWholeTables();
	RunScript(engine->ledger.name, "rebuild");
	Run("SELECT item, location FROM stock_slot GROUP BY item, location HAVING sum(available) < 0 LIMIT 1");
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("ledger \"%s\" cannot be rebuilt: its order lines hold more of item \"%s\" at \"%s\" than was moved in",
						engine->ledger.name, text_to_cstring(ResultText(0, 1)), text_to_cstring(ResultText(0, 2))),
				 errhint("check_ledger() shows what disagrees. Mend the order line or stock move that is wrong, then rebuild."),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "stock_slot_available_not_negative")));
}

/*
 * rebuild_ledger(ledger name): recomputes slots, backorders and the engine's facts
 * from the order lines, stock moves and journal.  For the owner.
 * Locks: all tables against writing, and all gates.  Error 23514 if the facts
 * themselves promise more than there is.
 */
PG_FUNCTION_INFO_V1(backorder_rebuild_ledger);
Datum
backorder_rebuild_ledger(PG_FUNCTION_ARGS)
{
	Ledger		ledger;

	OwnLedger(PG_GETARG_NAME(0), &ledger);
	EngineRun(&ledger, Rebuild, NULL);
	PG_RETURN_VOID();
}

/* What check_ledger() is about, and where its rows go. */
typedef struct Check
{
	text	   *item;			/* NULL: all */
	ReturnSetInfo *result;
} Check;

static const char check_code[] =
"SELECT invariant, NULL::text, NULL::text, NULL::text, NULL::bigint, expected, actual"
" FROM backorder.code_damage($1)";

/* A function of the ledger, which may be missing. */
static const char check_clocks_exist[] =
"SELECT WHERE to_regprocedure('auto_cancel_due(timestamptz)') IS NOT NULL";

static const char check_clocks[] =
"SELECT 'clock', d.item, NULL::text, d.order_id, d.line_no,"
" 'cancelled as of ' || d.cancel_at || ': ' || d.cause,"
" trim_scale(d.quantity) || ' open as of ' || r.as_of"
" FROM clock_run AS r CROSS JOIN LATERAL auto_cancel_due(r.as_of) AS d"
" WHERE $1 IS NULL OR d.item = $1";

static void
KeepRows(const Check *check)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	int			natts = check->result->setDesc->natts;
	Datum	   *values = palloc(sizeof(Datum) * natts);
	bool	   *nulls = palloc(sizeof(bool) * natts);

	if (desc->natts != natts)
		elog(ERROR, "check has %d columns", desc->natts);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		heap_deform_tuple(SPI_tuptable->vals[i], desc, values, nulls);
		tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
	}
}

static void
RunCheck(Engine *engine, void *argument)
{
	Check	   *check = argument;
	Oid			text_type[1] = {TEXTOID};
	Oid			oid_type[1] = {OIDOID};
	Datum		item[1] = {PointerGetDatum(check->item)};
	Datum		schema[1] = {ObjectIdGetDatum(engine->ledger.schema)};
	char	   *script;

	EngineConnect(engine);
	UseSchema(engine->ledger.name);
	SpiExpect(SPI_execute_with_args(check_code, 1, oid_type, schema, NULL, true, 0));
	KeepRows(check);
	if (check->item == NULL)
		ForWholeTables();
	script = Script("check");
	PG_TRY();
	{
		/* planned for this item: one plan for all would not use the indexes */
		SpiExpect(SPI_execute_with_args(script, 1, text_type, item, check->item ? NULL : "n", true, 0));
	}
	PG_CATCH();
	{
		RethrowForScript(engine->memory, engine->ledger.name, "check");
	}
	PG_END_TRY();
	KeepRows(check);
	Run(check_clocks_exist);
	if (SPI_processed > 0)
	{
		SpiExpect(SPI_execute_with_args(check_clocks, 1, text_type, item, check->item ? NULL : "n", true, 0));
		KeepRows(check);
	}
}

/*
 * check_ledger(ledger name, item text): every disagreement with what the ledger
 * promises, and every missing trigger; no rows means that all is well.  Read-only.
 * For the owner.
 */
PG_FUNCTION_INFO_V1(backorder_check_ledger);
Datum
backorder_check_ledger(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	Check		check;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("ledger must not be NULL")));
	OwnLedger(PG_GETARG_NAME(0), &ledger);
	check.item = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	check.result = (ReturnSetInfo *) fcinfo->resultinfo;
	InitMaterializedSRF(fcinfo, 0);
	EngineRun(&ledger, RunCheck, &check);
	return (Datum) 0;
}

static void
ReadVersion(Engine *engine, void *argument)
{
	char	  **version = argument;

	EngineConnect(engine);
	if (SPI_execute(LedgerText(&engine->ledger, "SELECT version::text FROM @.ledger"), true, 1) == SPI_OK_SELECT &&
		SPI_processed == 1)
		*version = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (*version != NULL)
		*version = MemoryContextStrdup(MemoryContextGetParent(engine->memory), *version);
}

/*
 * ledger_version(schema oid): the version of a ledger; NULL for a caller who may
 * not read its settings.  It is read as the owner, because row security of a
 * stranger's look-alike must not run as the caller.
 */
PG_FUNCTION_INFO_V1(backorder_ledger_version);
Datum
backorder_ledger_version(PG_FUNCTION_ARGS)
{
	Oid			schema = PG_GETARG_OID(0);
	Oid			relid = get_relname_relid("ledger", schema);
	char	   *version = NULL;
	Ledger		ledger;

	if (!SchemaIsLedger(schema) ||
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
		NamespaceAclCheck(schema, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		PG_RETURN_NULL();
	LedgerOfSchema(schema, &ledger);
	(void) LedgerTable(&ledger, "ledger");
	EngineRun(&ledger, ReadVersion, &version);
	if (version == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(version));
}

/*
 * next_id(relation, column_name): the number that an identity column gives next;
 * NULL where it is none, or has given its last.  A sequence that was set but not
 * used yet tells its value only when it is read as a table, by whatever name it has.
 */
PG_FUNCTION_INFO_V1(backorder_next_id);
Datum
backorder_next_id(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *name = get_rel_name(relid);
	char	   *sequence;
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2];
	bool		is_null = true;
	int64		next = 0;

	if (name == NULL)
		PG_RETURN_NULL();
	values[0] = CStringGetTextDatum(quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name));
	values[1] = PG_GETARG_DATUM(1);
	SpiConnect();
	SpiExpect(SPI_execute_with_args("SELECT pg_catalog.pg_get_serial_sequence($1, $2)", 2, types, values, NULL, true, 1));
	sequence = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (sequence != NULL)
	{
		SpiExpect(SPI_execute(psprintf("SELECT last_value, is_called FROM %s", sequence), true, 1));
		next = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
		if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &is_null)))
			is_null = pg_add_s64_overflow(next, 1, &next);
	}
	SPI_finish();
	if (is_null)
		PG_RETURN_NULL();
	PG_RETURN_INT64(next);
}
