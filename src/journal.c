/*
 * journal.c
 *	  Every decision after entry, in the order in which it was taken.
 *
 *	  Entries are collected and written after slots, backorders and order lines:
 *	  a user's trigger on the journal may itself ship or cancel, and must find a
 *	  ledger that is whole.
 */
#include "backorder.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/array.h"

#define JOURNAL_COLUMNS 14

typedef struct Journal
{
	Column		column[JOURNAL_COLUMNS];
} Journal;

/* rules travel as the text of an array each, for SQL has no arrays of arrays of different length */
static const LedgerQuery write_journal = {
	"INSERT INTO @.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id,"
	" move_id, priority, rank_at, rules, reason, happened_at)"
	" SELECT kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id,"
	" priority, rank_at, rules::text[], reason, happened_at"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) WITH ORDINALITY"
	" AS j (kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id,"
	" priority, rank_at, rules, reason, happened_at, n) ORDER BY n",
	JOURNAL_COLUMNS, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, NUMERICARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID}
};

static const Oid journal_types[JOURNAL_COLUMNS] = {
	TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, TEXTOID, NUMERICOID, INT8OID, INT8OID, INT4OID,
	TIMESTAMPTZOID, TEXTOID, TEXTOID, TIMESTAMPTZOID
};

/* The text of a text[], as SQL reads it. */
Datum
RulesText(Datum rules)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(TEXTARRAYOID, &output, &is_varlena);
	return CStringGetTextDatum(OidOutputFunctionCall(output, rules));
}

/* Values that the entry points to must live until the flush. */
void
JournalAdd(Engine *engine, const Entry *entry)
{
	Journal    *journal = engine->journal;
	int			i = 0;

	if (journal == NULL)
	{
		journal = engine->journal = palloc(sizeof(Journal));
		for (int j = 0; j < JOURNAL_COLUMNS; j++)
			ColumnInit(&journal->column[j], journal_types[j]);
	}
	ColumnAdd(&journal->column[i++], CStringGetTextDatum(entry->kind));
	ColumnAdd(&journal->column[i++], CStringGetTextDatum(entry->cause));
	ColumnAdd(&journal->column[i++], PointerGetDatum(entry->order_id));
	ColumnAdd(&journal->column[i++], Int64GetDatum(entry->line_no));
	ColumnAdd(&journal->column[i++], PointerGetDatum(entry->key->item));
	ColumnAdd(&journal->column[i++], PointerGetDatum(entry->key->location));
	ColumnAdd(&journal->column[i++], NumericGetDatum(entry->quantity));
	ColumnAddOrNull(&journal->column[i++], Int64GetDatum(entry->backorder_id), entry->backorder_id == 0);
	ColumnAddOrNull(&journal->column[i++], Int64GetDatum(entry->move_id), entry->move_id == 0);
	ColumnAddOrNull(&journal->column[i++], Int32GetDatum(entry->priority), !entry->ranked);
	ColumnAddOrNull(&journal->column[i++], TimestampTzGetDatum(entry->rank_at), !entry->ranked);
	ColumnAddOrNull(&journal->column[i++], entry->ranked ? RulesText(entry->rules) : (Datum) 0,
					!entry->ranked);
	ColumnAddOrNull(&journal->column[i++], PointerGetDatum(entry->reason), entry->reason == NULL);
	ColumnAdd(&journal->column[i++], TimestampTzGetDatum(entry->happened_at));
	Assert(i == JOURNAL_COLUMNS);
	NotifyAdd(engine, entry);
}

void
JournalFlush(Engine *engine)
{
	Journal    *journal = engine->journal;
	Datum		values[JOURNAL_COLUMNS];
	uint64		entries;

	if (journal == NULL || journal->column[0].count == 0)
		return;
	entries = journal->column[0].count;
	/* a row of the journal is numbered by a transaction that has a number itself: see outbox.c */
	(void) GetTopTransactionId();
	for (int i = 0; i < JOURNAL_COLUMNS; i++)
		values[i] = ColumnArray(&journal->column[i]);
	for (int i = 0; i < JOURNAL_COLUMNS; i++)
		ColumnReset(&journal->column[i]);
	if (EngineExecute(engine, &write_journal, values, NULL) != entries)
		EngineObstructed("journal");
	NotifyFlush(engine);
}
