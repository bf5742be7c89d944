/*
 * journal.c
 *	  Every decision after entry, in the order in which it was taken.
 *
 *	  Entries are written directly where the table allows it, while the work goes
 *	  on.  Otherwise they are collected, and written by SQL after slots, backorders
 *	  and order lines: a user's trigger on the journal may itself ship or cancel,
 *	  and must find a ledger that is whole.
 */
#include "backorder.h"

#include "access/transam.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/xid8.h"

/* what an entry says, what all of a piece of work share, and what each draws */
enum
{
	ACTOR = 17, SESSION_USER_NAME, TRANSACTION_ID, JOURNAL_ID, RECORDED_AT, HORIZON, JOURNAL_COLUMNS
};

static RowShape journal_columns = {NULL, {
	{"kind", TEXTOID}, {"cause", TEXTOID}, {"order_id", TEXTOID}, {"line_no", INT8OID},
	{"item", TEXTOID}, {"location", TEXTOID}, {"quantity", NUMERICOID}, {"backorder_id", INT8OID},
	{"move_id", INT8OID}, {"priority", INT4OID}, {"rank_at", TIMESTAMPTZOID},
	{"rules", TEXTARRAYOID}, {"reason", TEXTOID}, {"happened_at", TIMESTAMPTZOID},
	{"promised_at", TIMESTAMPTZOID}, {"promise_basis", TEXTOID}, {"former_promised_at", TIMESTAMPTZOID},
	{"actor", TEXTOID}, {"session_user_name", TEXTOID}, {"transaction_id", XID8OID},
	{"journal_id", INT8OID}, {"recorded_at", TIMESTAMPTZOID}, {"horizon", XID8OID}
}};

static const LedgerQuery write_journal = {
	"INSERT INTO @.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id, priority,"
	" rank_at, rules, reason, happened_at, promised_at, promise_basis, former_promised_at, actor, session_user_name,"
	" transaction_id, journal_id, recorded_at, horizon) OVERRIDING SYSTEM VALUE"
	" SELECT * FROM input",
	0, {0}, &journal_columns
};

typedef struct Journal
{
	Additions	entries;
	Oid			sequence;
	Datum		actor;			/* 0: none */
	Datum		session_user_name;
	FullTransactionId transaction_id;
} Journal;

static Journal *
JournalOf(Engine *engine)
{
	MemoryContext caller;
	Journal    *journal = engine->journal;
	const char *actor;

	if (journal != NULL)
		return journal;
	caller = MemoryContextSwitchTo(engine->memory);
	journal = engine->journal = palloc(sizeof(Journal));
	/* a row of the journal is numbered by a transaction that has a number itself: see outbox.c */
	journal->transaction_id = GetTopFullTransactionId();
	journal->sequence = LedgerSequence(&engine->ledger, "journal", "journal_id");
	actor = GetConfigOption("backorder.actor", true, false);
	journal->actor = actor == NULL || actor[0] == '\0' ? (Datum) 0 : CStringGetTextDatum(actor);
	journal->session_user_name = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	AdditionsInit(&journal->entries, engine, "journal", &write_journal);
	MemoryContextSwitchTo(caller);
	return journal;
}

void
JournalAdd(Engine *engine, const Entry *entry)
{
	Journal    *journal = JournalOf(engine);
	const Promise *promise = entry->promise;
	const Promise *former = entry->former;
	bool		promised = promise != NULL && promise->basis != NULL;
	int64		journal_id = nextval_internal(journal->sequence, true);
	Datum		values[JOURNAL_COLUMNS] = {
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
		former ? TimestampTzGetDatum(former->at) : (Datum) 0,
		journal->actor,
		journal->session_user_name,
		FullTransactionIdGetDatum(journal->transaction_id),
		Int64GetDatum(journal_id),
		TimestampTzGetDatum(GetCurrentTimestamp()),
		/* taken after the number: see outbox.c */
		FullTransactionIdGetDatum(ReadNextFullTransactionId())
	};
	bool		nulls[JOURNAL_COLUMNS] = {
		[7] = entry->backorder_id == 0,
		[8] = entry->move_id == 0,
		[9] = !entry->ranked,
		[10] = !entry->ranked,
		[11] = !entry->ranked,
		[12] = entry->reason == NULL,
		[14] = !promised || !promise->known,
		[15] = !promised,
		[16] = former == NULL || !former->known,
		[ACTOR] = journal->actor == (Datum) 0
	};

	AdditionsAdd(&journal->entries, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
	NotifyAdd(engine, entry);
}

/* What needs no SQL is in the table when users' triggers on order lines hear of the work. */
void
JournalSettle(Engine *engine)
{
	if (engine->journal != NULL && engine->journal->entries.writer != NULL)
		WriterFlush(engine->journal->entries.writer);
}

/* All is written after this. */
void
JournalFlush(Engine *engine)
{
	Journal    *journal = engine->journal;

	if (journal == NULL)
		return;
	engine->journal = NULL;
	AdditionsEnd(&journal->entries, engine);
	NotifyFlush(engine);
}
