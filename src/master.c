/*
 * master.c
 *	  Changes of what orders refer to: items, locations, rules, settings.
 */
#include "backorder.h"

#include "utils/inval.h"

/* A key, which in a ledger's table is never NULL. */
static text *
SlotKey(TupleTableSlot *slot, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a row of a ledger's table lacks a value that is never NULL")));
	return DatumGetTextPCopy(value);
}

/* Calls "each" with the key before and after each changed row (NULL where there is none). */
static void
ForEachKey(Engine *engine, TriggerData *trigger, const char *column,
		   void (*each) (Engine *engine, text *before, text *after))
{
	ColumnShape shape = {column, TEXTOID, 0};
	AttrNumber	attnum;
	TupleTableSlot *old = TransitionSlot(trigger);
	TupleTableSlot *new = TransitionSlot(trigger);

	FindColumns(trigger->tg_relation, &shape, 1, &attnum);
	TransitionRewind(trigger->tg_oldtable);
	if (trigger->tg_newtable != NULL)
		TransitionRewind(trigger->tg_newtable);
	while (TransitionNext(trigger->tg_oldtable, old))
	{
		text	   *before = SlotKey(old, attnum);
		text	   *after = NULL;

		if (trigger->tg_newtable != NULL && TransitionNext(trigger->tg_newtable, new))
			after = SlotKey(new, attnum);
		each(engine, before, after);
	}
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
}

static void
RefuseKeyChange(const char *what, const text *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s \"%s\" cannot be renamed", what, text_to_cstring(key)),
			 errhint("Insert a new %s, and delete this one if nothing refers to it.", what)));
}

static void
RefuseIfUsed(Engine *engine, const LedgerQuery *query, const char *what, text *key)
{
	Datum		values[1] = {PointerGetDatum(key)};

	if (EngineExecute(engine, query, values, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("%s \"%s\" is used by table \"%s\" and cannot be deleted", what, text_to_cstring(key),
						text_to_cstring(ResultText(0, 1))),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
				 err_generic_string(PG_DIAG_TABLE_NAME, text_to_cstring(ResultText(0, 1))),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
									psprintf("%s_%s_fkey", text_to_cstring(ResultText(0, 1)), what))));
}

/*
 * The first order line or move that names an item or location takes its gate, so
 * under all gates what refers to it is seen.
 */
static void
CheckItem(Engine *engine, text *before, text *after)
{
	static const LedgerQuery query = {
		"(SELECT 'order_line' FROM @.order_line WHERE item = $1 LIMIT 1)"
		" UNION ALL (SELECT 'stock_move' FROM @.stock_move WHERE item = $1 LIMIT 1)",
		1, {TEXTOID}
	};

	if (after == NULL)
		RefuseIfUsed(engine, &query, "item", before);
	else if (TextCompare(before, after) != 0)
		RefuseKeyChange("item", before);
}

static void
CheckLocation(Engine *engine, text *before, text *after)
{
	static const LedgerQuery query = {
		"(SELECT 'order_line' FROM @.order_line WHERE location = $1 LIMIT 1)"
		" UNION ALL (SELECT 'stock_move' FROM @.stock_move WHERE location = $1 LIMIT 1)",
		1, {TEXTOID}
	};

	if (after == NULL)
		RefuseIfUsed(engine, &query, "location", before);
	else if (TextCompare(before, after) != 0)
		RefuseKeyChange("location", before);
}

/* Where these items have slots. */
static const LedgerQuery stocked_places = {
	"SELECT DISTINCT s.item, s.location FROM @.stock_slot AS s"
	" WHERE s.item IN (SELECT n.item FROM input AS n)",
	0, {0}, &item_rows
};

/*
 * Allocation is automatic again: what is available serves the queue.  Who places
 * or receives meanwhile still reads that it is by hand, so he has to wait, also
 * where nothing lies yet.
 */
static void
ServeIdle(Engine *engine, Rows *items)
{
	int			count;
	StockKey   *keys;

	GateLockItems(engine, items);
	count = (int) EngineExecuteOn(engine, &stocked_places, items, NULL);
	keys = ResultKeys(engine, count);
	for (int i = 0; i < count; i++)
		(void) QueueServeAvailable(engine, &keys[i], NULL);
}

static void
UpdateItems(Engine *engine, void *argument)
{
	static ColumnShape shape[] = {{"item", TEXTOID, 0}, {"auto_allocate", BOOLOID, 0}};
	TriggerData *trigger = argument;
	AttrNumber	attnum[2];
	TupleTableSlot *before = TransitionSlot(trigger);
	TupleTableSlot *after = TransitionSlot(trigger);
	Rows		items;
	bool		isnull;

	ForEachKey(engine, trigger, "item", CheckItem);
	FindColumns(trigger->tg_relation, shape, 2, attnum);
	RowsInit(&items, &item_rows);
	TransitionRewind(trigger->tg_oldtable);
	TransitionRewind(trigger->tg_newtable);
	while (TransitionNext(trigger->tg_oldtable, before) && TransitionNext(trigger->tg_newtable, after))
		if (DatumGetBool(slot_getattr(after, attnum[1], &isnull)) &&
			!DatumGetBool(slot_getattr(before, attnum[1], &isnull)))
		{
			Datum		item = PointerGetDatum(SlotKey(after, attnum[0]));

			RowsAdd(&items, &item, NULL);
		}
	ExecDropSingleTupleTableSlot(before);
	ExecDropSingleTupleTableSlot(after);
	if (items.count > 0)
		ServeIdle(engine, &items);
	RowsEnd(&items);
}

static void
DeleteItems(Engine *engine, void *argument)
{
	GateLockAll(&engine->ledger);
	ForEachKey(engine, argument, "item", CheckItem);
}

static void
UpdateLocations(Engine *engine, void *argument)
{
	ForEachKey(engine, argument, "location", CheckLocation);
}

static void
DeleteLocations(Engine *engine, void *argument)
{
	GateLockAll(&engine->ledger);
	ForEachKey(engine, argument, "location", CheckLocation);
}

/*
 * item_by_hand: AFTER INSERT or UPDATE, for each row, when it is not allocated
 * automatically.  Sessions forget that there is no such item: see policy.c.
 */
PG_FUNCTION_INFO_V1(backorder_item_by_hand);
Datum
backorder_item_by_hand(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_AFTER, TRIGGER_EVENT_ROW, TRIGGER_EVENT_OPMASK,
									   "item", &ledger);

	CacheInvalidateRelcache(trigger->tg_relation);
	PG_RETURN_POINTER(NULL);
}

/* item_update: AFTER UPDATE, for each statement.  Error 55000 for a change of the key. */
PG_FUNCTION_INFO_V1(backorder_item_update);
Datum
backorder_item_update(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_UPDATE, "item", UpdateItems);
}

/* item_delete: AFTER DELETE, for each statement.  Error 23503 while lines or moves refer to it. */
PG_FUNCTION_INFO_V1(backorder_item_delete);
Datum
backorder_item_delete(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_DELETE, "item", DeleteItems);
}

/* location_update: AFTER UPDATE, for each statement.  Error 55000 for a change of the key. */
PG_FUNCTION_INFO_V1(backorder_location_update);
Datum
backorder_location_update(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_UPDATE, "location", UpdateLocations);
}

/* location_delete: AFTER DELETE, for each statement.  Error 23503 while lines or moves refer to it. */
PG_FUNCTION_INFO_V1(backorder_location_delete);
Datum
backorder_location_delete(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_DELETE, "location", DeleteLocations);
}

#define IS_NO_PREDICATE \
	" WHERE regexp_replace(r.condition::text, $1, '', 'g') ~ $2" \
	" OR jsonb_path_query_array_tz('{\"order_id\": \"1\", \"line_no\": 1, \"item\": \"i\"," \
	" \"location\": \"l\", \"customer\": \"c\", \"quantity\": 1, \"unit_price\": 1, \"value\": 1," \
	" \"required_by\": \"2000-01-01T00:00:00\", \"placed_at\": \"2000-01-01T00:00:00\"," \
	" \"demand_class\": \"regular\", \"priority\": 0, \"attributes\": {}}'," \
	" r.condition, '{}', true) NOT IN ('[true]', '[false]', '[null]') LIMIT 1"

/*
 * A condition must be a predicate: one that finds a value instead would silently
 * match nothing.  And it has no variables: nobody would give them a value.
 */
static void
CheckRules(Engine *engine, void *argument)
{
	static const LedgerQuery rules = {
		"SELECT r.name, r.condition::text FROM @.priority_rule AS r" IS_NO_PREDICATE,
		2, {TEXTOID, TEXTOID}
	};
	static const LedgerQuery policies = {
		"SELECT r.name, r.condition::text FROM @.delay_policy AS r" IS_NO_PREDICATE,
		2, {TEXTOID, TEXTOID}
	};
	TriggerData *trigger = argument;
	const char *table;
	bool		of_rules;
	Datum		values[2];

	/* string literals are taken out; a variable is a name in quotes behind a dollar sign */
	values[0] = CStringGetTextDatum("(?<![$])\"(\\\\.|[^\"\\\\])*\"");
	values[1] = CStringGetTextDatum("[$]\"");
	(void) RelationLedgerSchema(trigger->tg_relation, &table);
	of_rules = strcmp(table, "priority_rule") == 0;
	if (RuleExecute(engine, of_rules ? &rules : &policies, NULL, values) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 of_rules ? errmsg("the condition of priority rule \"%s\" is not a predicate",
								   text_to_cstring(ResultText(0, 1))) :
				 errmsg("the condition of delay policy \"%s\" is not a predicate",
						text_to_cstring(ResultText(0, 1))),
				 errdetail("%s finds a value or nothing where it should be true or false, or has a variable.",
						   text_to_cstring(ResultText(0, 2))),
				 errhint("Compare it, as in $.attributes.vip == true, or write exists(...)."),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
				 err_generic_string(PG_DIAG_TABLE_NAME, table),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, of_rules ?
									"priority_rule_condition_predicate" : "delay_policy_condition_predicate")));
}

/* priority_rule_check: AFTER INSERT or UPDATE, for each statement.  Error 23514. */
PG_FUNCTION_INFO_V1(backorder_priority_rule_check);
Datum
backorder_priority_rule_check(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_OPMASK, NULL, CheckRules);
}

static void
ExecuteUtility(Engine *engine, const char *command)
{
	EngineConnect(engine);
	SpiExpect(SPI_execute(command, false, 0));
	MemoryContextSwitchTo(engine->memory);
}

static bool
TextColumnChanged(TriggerData *trigger, const char *column)
{
	ColumnShape shape = {column, TEXTOID, 0};
	AttrNumber	attnum;
	TupleTableSlot *before = TransitionSlot(trigger);
	TupleTableSlot *after = TransitionSlot(trigger);
	bool		changed = false;

	FindColumns(trigger->tg_relation, &shape, 1, &attnum);
	TransitionRewind(trigger->tg_oldtable);
	TransitionRewind(trigger->tg_newtable);
	while (TransitionNext(trigger->tg_oldtable, before) && TransitionNext(trigger->tg_newtable, after))
		changed = changed || TextCompare(SlotKey(before, attnum),
										 SlotKey(after, attnum)) != 0;
	ExecDropSingleTupleTableSlot(before);
	ExecDropSingleTupleTableSlot(after);
	return changed;
}

/* The time zone must exist; the default location becomes the default of the columns. */
static void
ApplySettings(Engine *engine, void *argument)
{
	static const LedgerQuery query = {
		"SELECT default_location, now() AT TIME ZONE time_zone FROM @.ledger", 0, {InvalidOid}
	};
	static const char *const tables[] = {"order_line", "inbound"};
	const char *schema = quote_identifier(engine->ledger.name);
	char	   *location;

	if (TextColumnChanged(argument, "version"))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the version of a ledger is kept by the engine"),
				 errhint("SELECT backorder.upgrade_ledger(%s) brings the ledger up to date.",
						 quote_literal_cstr(engine->ledger.name))));
	if (EngineExecute(engine, &query, NULL, NULL) != 1)
		return;
	location = quote_literal_cstr(text_to_cstring(ResultText(0, 1)));
	for (int i = 0; i < (int) lengthof(tables); i++)
		ExecuteUtility(engine, psprintf("ALTER TABLE %s.%s ALTER COLUMN location SET DEFAULT %s",
										schema, tables[i], location));
}

/* ledger_update: AFTER UPDATE, for each statement.  Errors: 22023 unknown time zone, 55000 version. */
PG_FUNCTION_INFO_V1(backorder_ledger_update);
Datum
backorder_ledger_update(PG_FUNCTION_ARGS)
{
	return EngineTrigger(fcinfo, TRIGGER_EVENT_UPDATE, "ledger", ApplySettings);
}
