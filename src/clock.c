/*
 * clock.c
 *	  What time makes due: notices and answers, cancelling what is late without
 *	  consent, escalating what has waited too long.
 *
 *	  When a line is due is SQL, in the view legal_clock.  Here is what must take
 *	  locks in an order.
 */
#include "backorder.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

/* ---- notices and answers */

typedef struct Contact
{
	bool		is_consent;
	text	   *order_id;
	bool		whole_order;
	ArrayType  *line_nos;		/* those that the caller sees */
	char	   *kind;
	bool		has_time;
	TimestampTz time;			/* revised_at or until */
	TimestampTz happened_at;
	text	   *channel;
	text	   *evidence;
	uint64		count;
} Contact;

/* a delay, and any answer, is about what is open */
#define CONTACT_LINES \
	" FROM @.order_line AS l WHERE l.order_id = $1 AND l.line_no = ANY ($2)" \
	" AND ($3 IN ('delivered', 'refunded') OR l.cancelled + l.shipped < l.quantity)" \
	" ORDER BY l.line_no"

static const LedgerQuery add_notice = {
	"INSERT INTO @.notice (order_id, line_no, kind, revised_at, sent_at, channel, evidence)"
	" SELECT l.order_id, l.line_no, $3, $4, $5, $6, $7" CONTACT_LINES,
	7, {TEXTOID, INT8ARRAYOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
};

/* who accepts without a date accepts what the last notice said */
static const LedgerQuery add_consent = {
	"INSERT INTO @.consent (order_id, line_no, kind, until, given_at, channel, evidence)"
	" SELECT l.order_id, l.line_no, $3, CASE WHEN $4 IS NULL AND $3 = 'accepted'"
	" THEN (SELECT coalesce(n.revised_at, 'infinity') FROM @.notice AS n WHERE n.order_id = l.order_id"
	" AND n.line_no = l.line_no AND n.kind = 'delay' ORDER BY n.sent_at DESC, n.notice_id DESC LIMIT 1)"
	" ELSE $4 END, $5, $6, $7" CONTACT_LINES,
	7, {TEXTOID, INT8ARRAYOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
};

/* nobody cancels a line, nor ships it, while its customer is being heard */
static const LedgerQuery lock_contact_lines = {
	"SELECT FROM @.order_line WHERE order_id = $1 AND line_no = ANY ($2)"
	" ORDER BY order_id, line_no FOR NO KEY UPDATE",
	2, {TEXTOID, INT8ARRAYOID}
};

static const LedgerQuery find_untold = {
	"SELECT l.line_no FROM @.order_line AS l WHERE l.order_id = $1 AND l.line_no = ANY ($2)"
	" AND l.cancelled + l.shipped < l.quantity AND NOT EXISTS (SELECT FROM @.notice AS n"
	" WHERE n.order_id = l.order_id AND n.line_no = l.line_no AND n.kind = 'delay') LIMIT 1",
	2, {TEXTOID, INT8ARRAYOID}
};

static void
AddContact(Engine *engine, void *argument)
{
	Contact    *contact = argument;
	Datum		values[7] = {PointerGetDatum(contact->order_id), PointerGetDatum(contact->line_nos),
		CStringGetTextDatum(contact->kind), TimestampTzGetDatum(contact->time),
		TimestampTzGetDatum(contact->happened_at), PointerGetDatum(contact->channel),
	PointerGetDatum(contact->evidence)};
	char		nulls[8] = {' ', ' ', ' ', contact->has_time ? ' ' : 'n', ' ', contact->channel ? ' ' : 'n',
	contact->evidence ? ' ' : 'n', '\0'};

	(void) EngineLockRows(engine, &lock_contact_lines, NULL, values, NULL);
	if (contact->is_consent && !contact->has_time && strcmp(contact->kind, "accepted") == 0 &&
		EngineExecute(engine, &find_untold, values, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no notice of delay names a date to accept for order line \"%s\"/" INT64_FORMAT,
						text_to_cstring(contact->order_id), ResultInt64(0, 1)),
				 errhint("Say until when the customer waits.")));
	contact->count = EngineExecute(engine, contact->is_consent ? &add_consent : &add_notice, values, nulls);
	if (contact->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing is open of order \"%s\"%s", text_to_cstring(contact->order_id),
						contact->whole_order ? "" : " in that line"),
				 errhint("What has been shipped or cancelled cannot be delayed any more.")));
}

/* The lines of the order that the caller sees; an error if there are none. */
static void
FindContactLines(const Ledger *ledger, Contact *contact, int64 line_no)
{
	static const LedgerQuery query = {
		"SELECT pg_catalog.array_agg(line_no) FROM @.order_line WHERE order_id OPERATOR(pg_catalog.=) $1"
		" AND (line_no OPERATOR(pg_catalog.=) $2 OR $2 IS NULL)",
		2, {TEXTOID, INT8OID}
	};
	Datum		values[2] = {PointerGetDatum(contact->order_id), Int64GetDatum(line_no)};
	MemoryContext memory = CurrentMemoryContext;
	bool		isnull;
	Datum		found;

	SpiConnect();
	SpiExpect(SPI_execute_plan(LedgerPlan(ledger, &query), values, contact->whole_order ? " n" : NULL, false, 1));
	found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(memory);

		contact->line_nos = DatumGetArrayTypePCopy(found);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 contact->whole_order ? errmsg("there is no order \"%s\"", text_to_cstring(contact->order_id)) :
				 errmsg("there is no order line \"%s\"/" INT64_FORMAT, text_to_cstring(contact->order_id), line_no)));
}

/* The time that goes with a kind. */
static void
CheckContactTime(const Contact *contact)
{
	bool		needs = contact->is_consent && strcmp(contact->kind, "additional period") == 0;
	bool		may = strcmp(contact->kind, contact->is_consent ? "accepted" : "delay") == 0;

	if (needs && !contact->has_time)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an additional period needs the date at which it ends")));
	if (contact->has_time && !needs && !may)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" goes without a date", contact->kind)));
}

/*
 * record_contact(relation regclass, order_id text, line_no bigint, kind text,
 * until timestamptz, happened_at timestamptz, channel text, evidence text): a row in
 * "notice" or "consent", whichever the relation is, for each line that is concerned.
 * Locks: the lines.  Errors: 22004, 22023, 23503, 23514, 42501, 55000.
 */
PG_FUNCTION_INFO_V1(backorder_record_contact);
Datum
backorder_record_contact(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	Contact		contact = {0};
	Oid			relid = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	char	   *table;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	LedgerOfTable(relid, &ledger);
	table = get_rel_name(relid);
	contact.is_consent = strcmp(table, "consent") == 0;
	if (!contact.is_consent && strcmp(table, "notice") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("relation \"%s\" is not the table notice or consent of a ledger", table)));
	if (pg_class_aclcheck(LedgerTable(&ledger, table), GetUserId(), ACL_INSERT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, table);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(3) || PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("order_id, kind and time must not be NULL")));
	contact.order_id = PG_GETARG_TEXT_PP(1);
	contact.whole_order = PG_ARGISNULL(2);
	contact.kind = text_to_cstring(PG_GETARG_TEXT_PP(3));
	contact.has_time = !PG_ARGISNULL(4);
	contact.time = contact.has_time ? PG_GETARG_TIMESTAMPTZ(4) : 0;
	contact.happened_at = PG_GETARG_TIMESTAMPTZ(5);
	contact.channel = PG_ARGISNULL(6) ? NULL : PG_GETARG_TEXT_PP(6);
	contact.evidence = PG_ARGISNULL(7) ? NULL : PG_GETARG_TEXT_PP(7);
	CheckContactTime(&contact);
	FindContactLines(&ledger, &contact, contact.whole_order ? 0 : PG_GETARG_INT64(2));
	EngineRun(&ledger, AddContact, &contact);
	PG_RETURN_INT64(contact.count);
}

/* ---- cancelling, as the caller */

static const LedgerQuery any_due = {
	"SELECT FROM @.auto_cancel_due($1) LIMIT 1", 1, {TIMESTAMPTZOID}
};

static const LedgerQuery lock_due = {
	"SELECT pg_catalog.array_agg(k.order_id::pg_catalog.text), pg_catalog.array_agg(k.line_no), pg_catalog.count(*) FROM ("
	"SELECT o.order_id, o.line_no FROM @.auto_cancel_due($1) AS d"
	" JOIN @.order_line AS o ON o.order_id OPERATOR(pg_catalog.=) d.order_id"
	" AND o.line_no OPERATOR(pg_catalog.=) d.line_no"
	" WHERE ((o.cancelled OPERATOR(pg_catalog.+) o.shipped) OPERATOR(pg_catalog.+) o.firm) OPERATOR(pg_catalog.<) o.quantity"
	" ORDER BY o.order_id, o.line_no FOR NO KEY UPDATE OF o SKIP LOCKED) AS k",
	1, {TIMESTAMPTZOID}
};

/* IS TRUE makes a hash table of the lines: joined, they would be compared one by one */
static const LedgerQuery cancel_due = {
	"UPDATE @.order_line AS l SET"
	" cancelled = (l.quantity OPERATOR(pg_catalog.-) l.shipped) OPERATOR(pg_catalog.-) l.firm,"
	" cancel_reason = pg_catalog.concat(d.cause, ' (' OPERATOR(pg_catalog.||) d.policy OPERATOR(pg_catalog.||) ')')"
	" FROM @.auto_cancel_due($1) AS d"
	" WHERE l.order_id OPERATOR(pg_catalog.=) d.order_id AND l.line_no OPERATOR(pg_catalog.=) d.line_no"
	" AND ((d.order_id, d.line_no) OPERATOR(pg_catalog.=) ANY (SELECT k.order_id, k.line_no"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS k (order_id, line_no))) IS TRUE"
	" AND ((l.cancelled OPERATOR(pg_catalog.+) l.shipped) OPERATOR(pg_catalog.+) l.firm) OPERATOR(pg_catalog.<) l.quantity",
	3, {TIMESTAMPTZOID, TEXTARRAYOID, INT8ARRAYOID}
};

static uint64
RunAsCaller(const Ledger *ledger, const LedgerQuery *query, Datum *values)
{
	SpiExpect(SPI_execute_plan(LedgerPlan(ledger, query), values, NULL, false, 0));
	return SPI_processed;
}

/*
 * Cancels what is due; returns whether nothing of it is left.  The lines are
 * locked first, in the order of their keys, passing by those that somebody is
 * working on; then what is due is looked up anew, for a customer may have
 * answered while we waited.
 */
static bool
CancelDue(const Ledger *ledger, TimestampTz as_of)
{
	Datum		values[3] = {TimestampTzGetDatum(as_of)};
	bool		isnull;
	bool		done;

	SpiConnect();
	done = RunAsCaller(ledger, &any_due, values) == 0;
	if (!done)
	{
		(void) RunAsCaller(ledger, &lock_due, values);
		if (ResultInt64(0, 3) > 0)
		{
			values[1] = ResultTextArray(0, 1);
			values[2] = datumCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull), false, -1);
			(void) RunAsCaller(ledger, &cancel_due, values);
		}
		done = RunAsCaller(ledger, &any_due, values) == 0;
	}
	SPI_finish();
	return done;
}

/* ---- escalating, as the owner */

typedef struct ClockWork
{
	TimestampTz as_of;
	bool		complete;
} ClockWork;

typedef struct Breach
{
	StockKey	key;
	int64		backorder_id;
	int32		escalation;
} Breach;

static const LedgerQuery any_limit = {
	"(SELECT FROM @.item WHERE longest_wait IS NOT NULL LIMIT 1)"
	" UNION ALL (SELECT FROM @.priority_rule WHERE longest_wait IS NOT NULL LIMIT 1)",
	0, {InvalidOid}
};

static const LedgerQuery find_breaches = {
	"SELECT b.item, b.location, b.backorder_id, w.escalation FROM @.backorder AS b"
	" CROSS JOIN LATERAL (SELECT max(s.escalation) AS escalation FROM ("
	"SELECT i.longest_wait, i.escalation FROM @.item AS i WHERE i.item = b.item"
	" UNION ALL SELECT r.longest_wait, r.escalation FROM @.priority_rule AS r WHERE r.name = ANY (b.rules)"
	") AS s WHERE b.opened_at + s.longest_wait <= $1 HAVING count(*) > 0) AS w"
	" WHERE b.closed_at IS NULL AND b.escalated_at IS NULL ORDER BY b.backorder_id",
	1, {TIMESTAMPTZOID}
};

static RowShape breach_rows = {NULL, {{"backorder_id", INT8OID}, {"escalation", INT4OID}}};

static const LedgerQuery mark_breaches = {
	"UPDATE @.backorder AS b SET escalated_at = greatest($1, b.opened_at), escalation = k.escalation"
	" FROM input AS k"
	" WHERE b.backorder_id = k.backorder_id AND b.remaining > 0 AND b.escalated_at IS NULL"
	" RETURNING b.order_id, b.line_no, b.remaining, b.backorder_id, b.escalation, b.rank_at, b.rules, b.escalated_at",
	1, {TIMESTAMPTZOID}, &breach_rows
};

static int
BreachOrder(const void *a, const void *b)
{
	const Breach *left = a;
	const Breach *right = b;
	int			order = StockKeyCompare(&left->key, &right->key);

	return order != 0 ? order : (left->backorder_id > right->backorder_id) - (left->backorder_id < right->backorder_id);
}

/* Under the gate: marks and journals the breaches of one queue, and ranks them anew. */
static void
EscalateKey(Engine *engine, const Breach *breaches, int count, TimestampTz as_of)
{
	const StockKey *key = &breaches[0].key;
	Rows		marked;
	Rows		lines;
	Datum		values[1] = {TimestampTzGetDatum(as_of)};
	uint64		rows;

	RowsInit(&marked, &breach_rows);
	RowsInit(&lines, &line_keys);
	for (int i = 0; i < count; i++)
	{
		Datum		row[2] = {Int64GetDatum(breaches[i].backorder_id), Int32GetDatum(breaches[i].escalation)};

		RowsAdd(&marked, row, NULL);
	}
	rows = EngineExecuteOn(engine, &mark_breaches, &marked, values);
	for (uint64 i = 0; i < rows; i++)
	{
		Entry		entry = {.kind = "escalated", .cause = "longest_wait", .key = key};

		entry.order_id = ResultText(i, 1);
		entry.line_no = ResultInt64(i, 2);
		entry.quantity = ResultNumeric(i, 3);
		entry.backorder_id = ResultInt64(i, 4);
		entry.ranked = true;
		entry.priority = ResultInt32(i, 5);
		entry.rank_at = ResultTime(i, 6);
		entry.rules = ResultTextArray(i, 7);
		entry.happened_at = ResultTime(i, 8);
		JournalAdd(engine, &entry);
		if (entry.priority != 0)
			RowsAddLine(&lines, entry.order_id, entry.line_no);
	}
	if (lines.count > 0)
		(void) QueueRerank(engine, key, &lines);
	RowsEnd(&marked);
	RowsEnd(&lines);
}

/*
 * Gates are taken in order.  A transaction that has written already may hold
 * gates that come later: it takes those that are free, and leaves the others.
 */
static void
Escalate(Engine *engine, void *argument)
{
	ClockWork  *work = argument;
	Datum		values[1] = {TimestampTzGetDatum(work->as_of)};
	bool		may_wait = !TransactionIdIsValid(GetTopTransactionIdIfAny());
	int			count;
	Breach	   *breaches;
	int			end;

	if (EngineExecute(engine, &any_limit, NULL, NULL) == 0)
		return;
	count = (int) EngineExecute(engine, &find_breaches, values, NULL);
	breaches = palloc(sizeof(Breach) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		StockKeyInit(&breaches[i].key, ResultText(i, 1), ResultText(i, 2));
		breaches[i].backorder_id = ResultInt64(i, 3);
		breaches[i].escalation = ResultInt32(i, 4);
	}
	qsort(breaches, count, sizeof(Breach), BreachOrder);
	for (int i = 0; i < count; i = end)
	{
		for (end = i + 1; end < count && StockKeyCompare(&breaches[i].key, &breaches[end].key) == 0;)
			end++;
		if (may_wait)
			GateLock(&engine->ledger, breaches[i].key.stripe, ExclusiveLock);
		else if (!GateTryLock(&engine->ledger, breaches[i].key.stripe, ExclusiveLock))
		{
			work->complete = false;
			continue;
		}
		EscalateKey(engine, &breaches[i], end - i, work->as_of);
	}
}

/* Remembers how far we came, unless somebody else is just doing that. */
static void
NoteRun(Engine *engine, void *argument)
{
	static const LedgerQuery begin = {
		"INSERT INTO @.clock_run (as_of, ran_at) VALUES ('-infinity', clock_timestamp()) ON CONFLICT DO NOTHING",
		0, {InvalidOid}
	};
	static const LedgerQuery note = {
		"UPDATE @.clock_run SET as_of = greatest(as_of, $1), ran_at = clock_timestamp()"
		" WHERE only_row = (SELECT only_row FROM @.clock_run FOR NO KEY UPDATE SKIP LOCKED)",
		1, {TIMESTAMPTZOID}
	};
	ClockWork  *work = argument;
	Datum		values[1] = {TimestampTzGetDatum(work->complete ? work->as_of : DT_NOBEGIN)};

	if (EngineExecute(engine, &note, values, NULL) == 0)
	{
		(void) EngineExecute(engine, &begin, NULL, NULL);
		(void) EngineExecute(engine, &note, values, NULL);
	}
}

/*
 * run_clocks(relation regclass, as_of timestamptz): cancels what auto_cancel_due()
 * lists, by an UPDATE of the caller's, and escalates what has waited too long.
 * Needs UPDATE on order_line.  Locks: the lines, then the gates as an UPDATE; then
 * the gates of the escalated items, EXCLUSIVE.  Errors: 22004, 42501.
 */
PG_FUNCTION_INFO_V1(backorder_run_clocks);
Datum
backorder_run_clocks(PG_FUNCTION_ARGS)
{
	Ledger		ledger;
	ClockWork	work;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	LedgerOfTable(PG_GETARG_OID(0), &ledger);
	if (pg_class_aclcheck(LedgerTable(&ledger, "order_line"), GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, "order_line");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("as_of must not be NULL")));
	work.as_of = PG_GETARG_TIMESTAMPTZ(1);
	work.complete = CancelDue(&ledger, work.as_of);
	EngineRun(&ledger, Escalate, &work);
	EngineRun(&ledger, NoteRun, &work);
	PG_RETURN_VOID();
}
