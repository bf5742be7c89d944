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

#define LARGEST_BATCH 4096

/* latest episode first: that is the order in which a line gives up */
static const LedgerQuery read_lines = {
	"SELECT" WAITING_COLUMNS ", k.n FROM input AS k" OPEN_OF_LINE("k")
	" WHERE (b.item, b.location) = ($1, $2)"
	" ORDER BY k.n, b.backorder_id DESC",
	2, {TEXTOID, TEXTOID}, &line_keys
};

/* closed when the last of it came or was given up, whatever the order in which that was recorded */
#define CLOSED_AT(change) \
	"closed_at = CASE WHEN b.remaining = " change ".quantity THEN greatest(" change ".at, b.opened_at," \
	" CASE WHEN b.remaining < b.quantity THEN (SELECT max(j.happened_at) FROM @.journal AS j" \
	" WHERE j.order_id = b.order_id AND j.line_no = b.line_no AND j.backorder_id = b.backorder_id" \
	" AND j.kind IN ('filled', 'cancelled')) END) END,"

static RowShape change_rows = {NULL, {
	{"tid", TIDOID}, {"backorder_id", INT8OID}, {"quantity", NUMERICOID}, {"at", TIMESTAMPTZOID}
}};

/* Found by its place, which has not changed since the gate was taken; in partitions a place is not unique. */
#define CHANGED_ROW(change) \
	" FROM input AS " change " WHERE b.ctid = " change ".tid AND b.backorder_id = " change ".backorder_id"

static const LedgerQuery write_fills = {
	"UPDATE @.backorder AS b SET remaining = b.remaining - f.quantity,"
	" " CLOSED_AT("f")
	" outcome = CASE WHEN b.remaining = f.quantity"
	" THEN CASE WHEN b.cancelled = 0 THEN 'filled' ELSE 'partly filled' END END"
	CHANGED_ROW("f"),
	0, {0}, &change_rows
};

static const LedgerQuery write_cancels = {
	"UPDATE @.backorder AS b SET remaining = b.remaining - c.quantity,"
	" cancelled = b.cancelled + c.quantity,"
	" " CLOSED_AT("c")
	" outcome = CASE WHEN b.remaining = c.quantity"
	" THEN CASE WHEN b.cancelled + c.quantity = b.quantity THEN 'cancelled' ELSE 'partly filled' END END"
	CHANGED_ROW("c"),
	0, {0}, &change_rows
};

void
ChangesInit(Rows *changes)
{
	RowsInit(changes, &change_rows);
}

void
ChangesAdd(Rows *changes, const Waiting *row, Numeric quantity, TimestampTz at)
{
	Datum		values[] = {
		PointerGetDatum(row->tid),
		Int64GetDatum(row->backorder_id),
		NumericGetDatum(quantity),
		TimestampTzGetDatum(at)
	};

	RowsAdd(changes, values, NULL);
}

static void
ChangesWrite(Engine *engine, const LedgerQuery *query, Rows *changes)
{
	if (changes->count > 0 &&
		EngineExecuteOn(engine, query, changes, NULL) != (uint64) changes->count)
		EngineObstructed("backorder");
	RowsEnd(changes);
}

void
FillsWrite(Engine *engine, Rows *changes)
{
	ChangesWrite(engine, &write_fills, changes);
}

static const Oid waiting_types[] = {
	TIDOID, INT8OID, TEXTOID, INT8OID, NUMERICOID, INT4OID, TIMESTAMPTZOID, TEXTARRAYOID, TIMESTAMPTZOID
};

/* A row of the last read; its values live until the next one. */
void
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
		(*owner)[i] = (int) ResultInt64(i, 10) - 1;
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
	Rows		changes;

	ChangesInit(&changes);
	for (uint64 i = 0; i < rows; i++)
	{
		Share	   *share = shares[owner[i]];
		Numeric		part = NumericLeast(waiting[i].remaining, NumericSubtract(share->quantity, share->waiting));
		Source		source = {0, share->cause, part, GetCurrentTransactionStartTimestamp(), share->reason};

		if (NumericSign(part) <= 0)
			continue;
		share->waiting = NumericAdd(share->waiting, part);
		given_up = NumericAdd(given_up, part);
		ChangesAdd(&changes, &waiting[i], part, source.at);
		JournalWaiting(engine, "cancelled", key, &waiting[i], part, &source);
	}
	ChangesWrite(engine, &write_cancels, &changes);
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

static RowShape opened_rows = {NULL, {
	{"order_id", TEXTOID}, {"line_no", INT8OID}, {"item", TEXTOID}, {"location", TEXTOID},
	{"quantity", NUMERICOID}, {"lost", BOOLOID}, {"cause", TEXTOID}, {"claim_at", TIMESTAMPTZOID},
	{"priority", INT4OID}, {"rank_at", TIMESTAMPTZOID}, {"rules", TEXTARRAYOID},
	{"opened_at", TIMESTAMPTZOID}, {"promised_at", TIMESTAMPTZOID}, {"promise_basis", TEXTOID}
}};

static const LedgerQuery open_backorders = {
	"INSERT INTO @.backorder (order_id, line_no, item, location, quantity, remaining, cancelled,"
	" cause, claim_at, priority, rank_at, rules, opened_at, closed_at, outcome,"
	" promised_at, promise_basis, first_promised_at)"
	" SELECT order_id, line_no, item, location, quantity, CASE WHEN lost THEN 0 ELSE quantity END,"
	" CASE WHEN lost THEN quantity ELSE 0 END, cause, claim_at, priority, rank_at, rules,"
	" opened_at, CASE WHEN lost THEN opened_at END, CASE WHEN lost THEN 'cancelled' END,"
	" promised_at, promise_basis, promised_at FROM input RETURNING backorder_id",
	0, {0}, &opened_rows
};

static void
JournalOpened(Engine *engine, Claim *claim)
{
	Waiting		row = {NULL, claim->backorder_id, claim->order_id, claim->line_no, claim->shortage,
	claim->priority, claim->rank_at, claim->rules, claim->opened_at};
	Source		source = {claim->move_id, claim->cause, claim->shortage, claim->opened_at, claim->reason};

	JournalPromised(engine, "backordered", claim->key, &row, claim->shortage, &source, &claim->promise);
	if (claim->on_short != SHORT_CANCEL)
		return;
	source.cause = "on_short";
	JournalWaiting(engine, "cancelled", claim->key, &row, claim->shortage, &source);
}

static void
OpenBatch(Engine *engine, Claim **claims, int count)
{
	Rows		rows;

	RowsInit(&rows, &opened_rows);
	for (int i = 0; i < count; i++)
	{
		Claim	   *claim = claims[i];
		const Promise *promise = &claim->promise;
		Datum		values[] = {
			PointerGetDatum(claim->order_id),
			Int64GetDatum(claim->line_no),
			PointerGetDatum(claim->key->item),
			PointerGetDatum(claim->key->location),
			NumericGetDatum(claim->shortage),
			BoolGetDatum(claim->on_short == SHORT_CANCEL),
			CStringGetTextDatum(claim->cause),
			TimestampTzGetDatum(claim->claim_at),
			Int32GetDatum(claim->priority),
			TimestampTzGetDatum(claim->rank_at),
			claim->rules,
			TimestampTzGetDatum(claim->opened_at),
			TimestampTzGetDatum(promise->at),
			promise->basis ? CStringGetTextDatum(promise->basis) : (Datum) 0
		};
		bool		nulls[lengthof(values)] = {[12] = !promise->known, [13] = promise->basis == NULL};

		RowsAdd(&rows, values, nulls);
		pfree(DatumGetPointer(values[6]));
	}
	if (EngineExecuteOn(engine, &open_backorders, &rows, NULL) != (uint64) count)
		EngineObstructed("backorder");
	RowsEnd(&rows);
	for (int i = 0; i < count; i++)
		claims[i]->backorder_id = ResultInt64(i, 1);
}

/*
 * Opens a backorder for the shortage of each (ranked) claim, in the given order.
 * One whose line says "cancel" is opened and closed at once: a lost sale.
 */
void
QueueOpen(Engine *engine, Claim **claims, int count)
{
	PromiseClaims(engine, claims, count);
	for (int start = 0; start < count; start += LARGEST_BATCH)
		OpenBatch(engine, claims + start, Min(LARGEST_BATCH, count - start));
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
