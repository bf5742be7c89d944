/*
 * guard.c
 *	  What nobody writes by hand: the engine's tables, and history.
 */
#include "backorder.h"

#include "utils/lsyscache.h"

typedef struct Refusal
{
	const char *table;
	const char *message;
	const char *hint;
} Refusal;

static const Refusal refusals[] = {
	{"stock_slot", "stock is kept by the engine",
	"Insert into stock_move instead: a receipt, or an adjustment. rebuild_ledger() recomputes damaged balances."},
	{"backorder", "backorders are kept by the engine",
	"Change the order line or its priority, or call reallocate() or reprioritize()."},
	{"journal", "the journal is history",
	"It is written by the engine alone, and only ever added to."},
	{"stock_move", "stock moves are history",
	"Insert another move that puts it right: an adjustment, or a shipment_reversal."},
	{"notice", "what customers were told is evidence",
	"Call record_notice(); a mistake is mended by another notice."},
	{"consent", "what customers answered is evidence",
	"Call record_consent(); a mistake is mended by another answer."},
	{"clock_run", "how far the clocks have come is kept by the engine",
	"Call run_clocks()."},
	{"ledger", "a ledger has exactly one row of settings",
	"Update it."},
};

static const Refusal *
RefusalFor(const char *table)
{
	for (int i = 0; i < (int) lengthof(refusals); i++)
		if (strcmp(refusals[i].table, table) == 0)
			return &refusals[i];
	return NULL;
}

/*
 * refuse_write: BEFORE INSERT, UPDATE, DELETE or TRUNCATE, for each statement.
 * Errors: 55000; 0A000 for TRUNCATE.
 */
PG_FUNCTION_INFO_V1(backorder_refuse_write);
Datum
backorder_refuse_write(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	TriggerData *trigger = TriggerCall(fcinfo, TRIGGER_EVENT_BEFORE, 0, TRIGGER_EVENT_OPMASK, NULL, &ledger);
	const char *table;
	const Refusal *refusal;

	if (EngineIsWriting(ledger.schema))
		PG_RETURN_POINTER(NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" of ledger \"%s\" cannot be truncated",
						RelationGetRelationName(trigger->tg_relation), ledger.name),
				 errhint("SELECT backorder.empty_ledger(%s) empties orders, stock and history together.",
						 quote_literal_cstr(ledger.name))));
	(void) RelationLedgerSchema(trigger->tg_relation, &table);
	refusal = RefusalFor(table);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s: table \"%s\" cannot be written like this",
					refusal ? refusal->message : "this table is kept by the engine", table),
			 refusal ? errhint("%s", refusal->hint) : 0));
	PG_RETURN_POINTER(NULL);
}
