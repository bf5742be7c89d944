/*
 * journal.c
 *	  Every decision after entry, in the order in which it was taken.
 *
 *	  Entries are collected and written after slots, backorders and order lines:
 *	  a user's trigger on the journal may itself ship or cancel, and must find a
 *	  ledger that is whole.
 */
#include "backorder.h"

#include "access/transam.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/xid8.h"

#define ENTRY_COLUMNS \
	{"kind", TEXTOID}, {"cause", TEXTOID}, {"order_id", TEXTOID}, {"line_no", INT8OID}, \
	{"item", TEXTOID}, {"location", TEXTOID}, {"quantity", NUMERICOID}, {"backorder_id", INT8OID}, \
	{"move_id", INT8OID}, {"priority", INT4OID}, {"rank_at", TIMESTAMPTZOID}, \
	{"rules", TEXTARRAYOID}, {"reason", TEXTOID}, {"happened_at", TIMESTAMPTZOID}, \
	{"promised_at", TIMESTAMPTZOID}, {"promise_basis", TEXTOID}, {"former_promised_at", TIMESTAMPTZOID}

/* what is collected */
static RowShape entry_rows = {NULL, {ENTRY_COLUMNS}};

/* what is written: the same first, then what all rows of a statement share, and what each row draws */
enum
{
	ACTOR = 17, SESSION_USER_NAME, TRANSACTION_ID, JOURNAL_ID, RECORDED_AT, HORIZON, JOURNAL_COLUMNS
};
static const RowShape journal_columns = {NULL, {
	ENTRY_COLUMNS, {"actor", TEXTOID}, {"session_user_name", TEXTOID}, {"transaction_id", XID8OID},
	{"journal_id", INT8OID}, {"recorded_at", TIMESTAMPTZOID}, {"horizon", XID8OID}
}};

/* The horizon is taken after the number: see outbox.c. */
static const LedgerQuery write_journal = {
	"INSERT INTO @.journal (journal_id, kind, cause, order_id, line_no, item, location, quantity, backorder_id,"
	" move_id, priority, rank_at, rules, reason, happened_at, promised_at, promise_basis,"
	" former_promised_at, actor, session_user_name, transaction_id, recorded_at, horizon)"
	" SELECT nextval($1), kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id, priority,"
	" rank_at, rules, reason, happened_at, promised_at, promise_basis, former_promised_at,"
	" nullif($2, ''), $3, $4, clock_timestamp(), backorder.next_transaction_id() FROM input",
	4, {REGCLASSOID, TEXTOID, TEXTOID, XID8OID}, &entry_rows
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

	EngineCollect(engine, &engine->journal, &entry_rows, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
	NotifyAdd(engine, entry);
}

/* Writes the entries directly; "row" has what they share, "nulls" which of that is NULL. */
static void
WriteEntries(Writer *writer, Oid sequence, Rows *rows, Datum *row, bool *nulls)
{
	TupleTableSlot *entry = RowsSlot(rows);

	while (RowsNext(rows, entry))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(entry);
		memcpy(row, entry->tts_values, ACTOR * sizeof(Datum));
		memcpy(nulls, entry->tts_isnull, ACTOR * sizeof(bool));
		row[JOURNAL_ID] = Int64GetDatum(nextval_internal(sequence, true));
		row[RECORDED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
		row[HORIZON] = FullTransactionIdGetDatum(ReadNextFullTransactionId());
		WriterInsert(writer, row, nulls);
	}
	ExecDropSingleTupleTableSlot(entry);
}

void
JournalFlush(Engine *engine)
{
	Rows		rows = engine->journal;
	const char *actor;
	Datum		row[JOURNAL_COLUMNS];
	bool		nulls[JOURNAL_COLUMNS] = {false};
	Oid			sequence;
	Writer	   *writer;

	if (rows.store == NULL)
		return;
	engine->journal.store = NULL;
	actor = GetConfigOption("backorder.actor", true, false);
	nulls[ACTOR] = actor == NULL || actor[0] == '\0';
	/* a row of the journal is numbered by a transaction that has a number itself: see outbox.c */
	row[TRANSACTION_ID] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	row[ACTOR] = CStringGetTextDatum(actor == NULL ? "" : actor);
	row[SESSION_USER_NAME] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	sequence = LedgerSequence(&engine->ledger, "journal", "journal_id");
	writer = WriterOpen(engine, "journal", &journal_columns);
	if (writer != NULL)
	{
		WriteEntries(writer, sequence, &rows, row, nulls);
		WriterClose(writer);
	}
	else
	{
		Datum		values[] = {ObjectIdGetDatum(sequence), row[ACTOR], row[SESSION_USER_NAME], row[TRANSACTION_ID]};

		if (EngineExecuteOn(engine, &write_journal, &rows, values) != (uint64) rows.count)
			EngineObstructed("journal");
	}
	RowsEnd(&rows);
	NotifyFlush(engine);
}
