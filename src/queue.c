/*
 * queue.c
 *	  The queue: open backorders of an item at a location, in rank order.
 *
 *	  Everything here runs under the gate, shared for joining and leaving,
 *	  exclusive for serving and re-ranking, so its rows need no locks of their own.
 */
#include "backorder.h"

#include "utils/datum.h"
#include "utils/memutils.h"

/* latest episode first: that is the order in which a line gives up */
static const LedgerQuery read_lines = {
	"SELECT" WAITING_COLUMNS ", k.n FROM input AS k" OPEN_OF_LINE("k")
	" WHERE (b.item, b.location) = ($1, $2)"
	" ORDER BY k.n, b.backorder_id DESC",
	2, {TEXTOID, TEXTOID}, &line_keys
};

static const Oid waiting_types[] = {
	TIDOID, INT8OID, TEXTOID, INT8OID, NUMERICOID, INT4OID, TIMESTAMPTZOID, TEXTARRAYOID, TIMESTAMPTZOID, NUMERICOID
};

/* A row of the last read; its values live until the next one. */
static void
QueueRow(uint64 row, Waiting *waiting)
{
	Datum		values[lengthof(waiting_types)];

	ResultRow(row, waiting_types, lengthof(waiting_types), values);
	waiting->tid = (ItemPointer) DatumGetPointer(values[0]);
	waiting->backorder_id = DatumGetInt64(values[1]);
	waiting->order_id = DatumGetTextPP(values[2]);
	waiting->line_no = DatumGetInt64(values[3]);
	waiting->remaining = DatumGetNumeric(values[4]);
	waiting->priority = DatumGetInt32(values[5]);
	waiting->rank_at = DatumGetTimestampTz(values[6]);
	waiting->rules = values[7];
	waiting->opened_at = DatumGetTimestampTz(values[8]);
	waiting->quantity = DatumGetNumeric(values[9]);
	waiting->slot = NULL;
}

/* The rows of the last read, copied, because the next statement frees them. */
Waiting *
QueueRows(uint64 count)
{
	Waiting    *rows = palloc(sizeof(Waiting) * Max(count, 1));

	for (uint64 i = 0; i < count; i++)
	{
		Waiting    *row = &rows[i];
		ItemPointer tid = palloc(sizeof(ItemPointerData));

		QueueRow(i, row);
		ItemPointerCopy(row->tid, tid);
		row->tid = tid;
		row->order_id = TextCopy(row->order_id);
		row->remaining = DatumGetNumericCopy(NumericGetDatum(row->remaining));
		row->quantity = DatumGetNumericCopy(NumericGetDatum(row->quantity));
		row->rules = datumCopy(row->rules, false, -1);
	}
	return rows;
}

static void
JournalPromised(Engine *engine, const char *kind, const StockKey *key, const Waiting *row,
				Numeric quantity, const Source *source, const Promise *promise)
{
	Entry		entry;

	memset(&entry, 0, sizeof(entry));
	entry.kind = kind;
	entry.cause = source->cause;
	entry.order_id = row->order_id;
	entry.line_no = row->line_no;
	entry.key = key;
	entry.quantity = quantity;
	entry.backorder_id = row->backorder_id;
	entry.move_id = source->move_id;
	entry.ranked = true;
	entry.priority = row->priority;
	entry.rank_at = row->rank_at;
	entry.rules = row->rules;
	entry.promise = promise;
	entry.reason = source->reason;
	entry.happened_at = Max(source->at, row->opened_at);
	JournalAdd(engine, &entry);
}

void
JournalWaiting(Engine *engine, const char *kind, const StockKey *key, const Waiting *row,
			   Numeric quantity, const Source *source)
{
	JournalPromised(engine, kind, key, row, quantity, source, NULL);
}

/* The open backorders of these lines; "*owner" tells to which share each belongs. */
static Waiting *
ReadShares(Engine *engine, const StockKey *key, Share **shares, int count, uint64 *rows, int **owner)
{
	Datum		values[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};
	Rows		lines;
	Waiting    *waiting;

	RowsInit(&lines, &line_keys);
	for (int i = 0; i < count; i++)
	{
		RowsAddLine(&lines, shares[i]->order_id, shares[i]->line_no);
		shares[i]->waiting = NumericZero();
	}
	*rows = EngineExecuteOn(engine, &read_lines, &lines, values);
	RowsEnd(&lines);
	waiting = QueueRows(*rows);
	*owner = palloc(sizeof(int) * Max(*rows, 1));
	for (uint64 i = 0; i < *rows; i++)
		(*owner)[i] = (int) ResultInt64(i, 11) - 1;
	return waiting;
}

/* How many units each line waits for. */
void
QueueWaitingOf(Engine *engine, const StockKey *key, Share **shares, int count)
{
	uint64		rows;
	int		   *owner;
	Waiting    *waiting = ReadShares(engine, key, shares, count, &rows, &owner);

	for (uint64 i = 0; i < rows; i++)
		shares[owner[i]]->waiting = NumericAdd(shares[owner[i]]->waiting, waiting[i].remaining);
}

static void
JournalReleased(Engine *engine, const StockKey *key, const Share *share, Numeric quantity)
{
	Entry		entry;

	memset(&entry, 0, sizeof(entry));
	entry.kind = "released";
	entry.cause = share->cause;
	entry.order_id = share->order_id;
	entry.line_no = share->line_no;
	entry.key = key;
	entry.quantity = quantity;
	entry.reason = share->reason;
	entry.happened_at = GetCurrentTransactionStartTimestamp();
	JournalAdd(engine, &entry);
}

/*
 * Each line gives up its quantity, what waits first (the latest episode first),
 * then what is allocated.  Returns the allocated units that are free now, which
 * the caller takes out of the slots.
 */
Numeric
QueueGiveUp(Engine *engine, const StockKey *key, Share **shares, int count)
{
	uint64		rows;
	int		   *owner;
	Waiting    *waiting = ReadShares(engine, key, shares, count, &rows, &owner);
	Numeric		released = NumericZero();
	Numeric		given_up = NumericZero();
	Changes		changes;

	ChangesInit(&changes, true);
	for (uint64 i = 0; i < rows; i++)
	{
		Share	   *share = shares[owner[i]];
		Numeric		part = NumericLeast(waiting[i].remaining, NumericSubtract(share->quantity, share->waiting));
		Source		source = {0, share->cause, part, GetCurrentTransactionStartTimestamp(), share->reason};

		if (NumericSign(part) <= 0)
			continue;
		share->waiting = NumericAdd(share->waiting, part);
		given_up = NumericAdd(given_up, part);
		ChangesAdd(engine, &changes, &waiting[i], part, source.at);
		JournalWaiting(engine, "cancelled", key, &waiting[i], part, &source);
	}
	ChangesEnd(engine, &changes);
	WaitingAdd(engine, key, NumericNegate(given_up));
	for (int i = 0; i < count; i++)
	{
		Numeric		rest = NumericSubtract(shares[i]->quantity, shares[i]->waiting);

		if (NumericSign(rest) <= 0)
			continue;
		JournalReleased(engine, key, shares[i], rest);
		released = NumericAdd(released, rest);
	}
	return released;
}

static void
JournalOpened(Engine *engine, Claim *claim)
{
	Waiting		row = {NULL, claim->backorder_id, claim->order_id, claim->line_no, claim->shortage,
	claim->priority, claim->rank_at, claim->rules, claim->opened_at, claim->shortage, NULL};
	Source		source = {claim->move_id, claim->cause, claim->shortage, claim->opened_at, claim->reason};

	JournalPromised(engine, "backordered", claim->key, &row, claim->shortage, &source, &claim->promise);
	if (claim->on_short != SHORT_CANCEL)
		return;
	source.cause = "on_short";
	JournalWaiting(engine, "cancelled", claim->key, &row, claim->shortage, &source);
}

/*
 * Opens a backorder for the shortage of each (ranked) claim, in the given order.
 * One whose line says "cancel" is opened and closed at once: a lost sale.
 */
void
QueueOpen(Engine *engine, Claim **claims, int count)
{
	PromiseClaims(engine, claims, count);
	EpisodesOpen(engine, claims, count);
	for (int i = 0; i < count; i++)
		JournalOpened(engine, claims[i]);
	WaitingJoin(engine, claims, count);
}

static const LedgerQuery rerank = {
	"WITH ranked AS (SELECT b.backorder_id, " RULE_COLUMNS_AND("b.claim_at", "b.escalation")
	" FROM input AS k" OPEN_OF_LINE("k")
	" JOIN @.rule_input AS i ON i.order_id = b.order_id AND i.line_no = b.line_no"
	RULE_JOIN("b.claim_at")
	" WHERE (b.item, b.location) = ($1, $2))"
	" UPDATE @.backorder AS b SET priority = n.priority, rank_at = n.rank_at, rules = n.rules"
	" FROM ranked AS n WHERE b.backorder_id = n.backorder_id"
	" AND (b.priority, b.rank_at, b.rules) IS DISTINCT FROM (n.priority, n.rank_at, n.rules)"
	" RETURNING" WAITING_COLUMNS,
	2, {TEXTOID, TEXTOID}, &line_keys
};

/* Ranks what these (distinct) lines wait for by the rules as they are now; returns how many moved. */
int64
QueueRerank(Engine *engine, const StockKey *key, Rows *lines)
{
	Datum		values[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};
	uint64		rows = RuleExecute(engine, &rerank, lines, values);
	Waiting    *waiting = QueueRows(rows);
	Source		source = {0, "rerank", NULL, GetCurrentTransactionStartTimestamp(), NULL};

	for (uint64 i = 0; i < rows; i++)
		JournalWaiting(engine, "reranked", key, &waiting[i], waiting[i].remaining, &source);
	return rows;
}
