/*
 * journal.c
 *	  Every decision after entry, in the order in which it was taken.
 *
 *	  Entries are collected and written after slots, backorders and order lines:
 *	  a user's trigger on the journal may itself ship or cancel, and must find a
 *	  ledger that is whole.
 */
#include "backorder.h"

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
	" SELECT nextval((SELECT pg_get_serial_sequence($1, 'journal_id')::regclass)), kind, cause,"
	" order_id, line_no, item, location, quantity, backorder_id, move_id, priority, rank_at, rules, reason, happened_at, promised_at, promise_basis,"
	" former_promised_at, (SELECT nullif(current_setting('backorder.actor', true), '')),"
	" (SELECT session_user::text), (SELECT pg_current_xact_id()), backorder.next_transaction_id() FROM input",
	1, {TEXTOID}, &journal_rows
};

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
	Datum		values[1];

	if (entries.store == NULL)
		return;
	engine->journal.store = NULL;
	/* a row of the journal is numbered by a transaction that has a number itself: see outbox.c */
	(void) GetTopTransactionId();
	values[0] = CStringGetTextDatum(quote_qualified_identifier(engine->ledger.name, "journal"));
	if (EngineExecuteOn(engine, &write_journal, &entries, values) != (uint64) entries.count)
		EngineObstructed("journal");
	RowsEnd(&entries);
	NotifyFlush(engine);
}
