/*
 * journal.c
 *	  Every decision after entry, in the order in which it was taken.
 *
 *	  Entries are collected and written after slots, backorders and order lines:
 *	  a user's trigger on the journal may itself ship or cancel, and must find a
 *	  ledger that is whole.
 */
#include "backorder.h"

#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/xid8.h"

static RowShape journal_rows = {NULL, {
	{"kind", TEXTOID}, {"cause", TEXTOID}, {"order_id", TEXTOID}, {"line_no", INT8OID},
	{"item", TEXTOID}, {"location", TEXTOID}, {"quantity", NUMERICOID}, {"backorder_id", INT8OID},
	{"move_id", INT8OID}, {"priority", INT4OID}, {"rank_at", TIMESTAMPTZOID},
	{"rules", TEXTARRAYOID}, {"reason", TEXTOID}, {"happened_at", TIMESTAMPTZOID},
	{"promised_at", TIMESTAMPTZOID}, {"promise_basis", TEXTOID}, {"former_promised_at", TIMESTAMPTZOID}
}};

/* What all rows have in common is asked for once; the horizon is taken after the number: see outbox.c. */
static const LedgerQuery write_journal = {
	"INSERT INTO @.journal (journal_id, kind, cause, order_id, line_no, item, location, quantity, backorder_id,"
	" move_id, priority, rank_at, rules, reason, happened_at, promised_at, promise_basis,"
	" former_promised_at, actor, session_user_name, transaction_id, horizon)"
	" SELECT nextval($1), kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id, priority,"
	" rank_at, rules, reason, happened_at, promised_at, promise_basis, former_promised_at,"
	" nullif($2, ''), $3, $4, backorder.next_transaction_id() FROM input",
	4, {REGCLASSOID, TEXTOID, TEXTOID, XID8OID}, &journal_rows
};

/* The sequence that numbers the rows, remembered until the catalog changes.  Error 55000 if there is none. */
static Oid
JournalSequence(const Ledger *ledger)
{
	static struct
	{
		Oid			schema;
		uint64		epoch;
		Oid			sequence;
	}			known[8];
	int			place = ledger->schema % lengthof(known);
	LOCAL_FCINFO(fcinfo, 2);
	Datum		name;

	if (known[place].schema == ledger->schema && known[place].epoch == CatalogEpoch())
		return known[place].sequence;
	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(quote_qualified_identifier(ledger->name, "journal"));
	fcinfo->args[1].value = CStringGetTextDatum("journal_id");
	fcinfo->args[0].isnull = fcinfo->args[1].isnull = false;
	name = pg_get_serial_sequence(fcinfo);
	if (fcinfo->isnull)
		EngineFoundDamage(ledger, "rows of the journal are not numbered by a sequence");
	known[place].schema = InvalidOid;
	known[place].sequence = DatumGetObjectId(DirectFunctionCall1(regclassin, CStringGetDatum(TextDatumGetCString(name))));
	known[place].epoch = CatalogEpoch();
	known[place].schema = ledger->schema;
	return known[place].sequence;
}

void
JournalAdd(Engine *engine, const Entry *entry)
{
	const Promise *promise = entry->promise;
	const Promise *former = entry->former;
	bool		promised = promise != NULL && promise->basis != NULL;
	Datum		values[] = {
		CStringGetTextDatum(entry->kind),
		CStringGetTextDatum(entry->cause),
		PointerGetDatum(entry->order_id),
		Int64GetDatum(entry->line_no),
		PointerGetDatum(entry->key->item),
		PointerGetDatum(entry->key->location),
		NumericGetDatum(entry->quantity),
		Int64GetDatum(entry->backorder_id),
		Int64GetDatum(entry->move_id),
		Int32GetDatum(entry->priority),
		TimestampTzGetDatum(entry->rank_at),
		entry->rules,
		PointerGetDatum(entry->reason),
		TimestampTzGetDatum(entry->happened_at),
		promised ? TimestampTzGetDatum(promise->at) : (Datum) 0,
		promised ? CStringGetTextDatum(promise->basis) : (Datum) 0,
		former ? TimestampTzGetDatum(former->at) : (Datum) 0
	};
	bool		nulls[lengthof(values)] = {
		[7] = entry->backorder_id == 0,
		[8] = entry->move_id == 0,
		[9] = !entry->ranked,
		[10] = !entry->ranked,
		[11] = !entry->ranked,
		[12] = entry->reason == NULL,
		[14] = !promised || !promise->known,
		[15] = !promised,
		[16] = former == NULL || !former->known
	};

	EngineCollect(engine, &engine->journal, &journal_rows, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
	NotifyAdd(engine, entry);
}

void
JournalFlush(Engine *engine)
{
	Rows		entries = engine->journal;
	const char *actor = GetConfigOption("backorder.actor", true, false);
	Datum		values[4];

	if (entries.store == NULL)
		return;
	engine->journal.store = NULL;
	/* a row of the journal is numbered by a transaction that has a number itself: see outbox.c */
	values[3] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[0] = ObjectIdGetDatum(JournalSequence(&engine->ledger));
	values[1] = CStringGetTextDatum(actor == NULL ? "" : actor);
	values[2] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	if (EngineExecuteOn(engine, &write_journal, &entries, values) != (uint64) entries.count)
		EngineObstructed("journal");
	RowsEnd(&entries);
	NotifyFlush(engine);
}
