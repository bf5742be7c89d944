/*
 * loss.c
 *	  Taking allocated units away, from the bottom of the ranking.
 *
 *	  Stock that was promised is gone, or has left the house for another line.
 *	  Units that are picked (firm) stay, and so do lines that somebody is editing
 *	  at this moment: both are journalled as passed over.
 */
#include "backorder.h"

typedef struct Holder
{
	Claim		claim;			/* its rank, and what it loses */
	Numeric		allocated;
	Numeric		firm;
	bool		locked;
} Holder;

static const LedgerQuery read_holders = {
	"SELECT l.order_id, l.line_no, coalesce(l.entered_at, greatest(l.placed_at, l.not_before)), l.priority"
	" FROM @.order_line AS l"
	" WHERE l.item = $1 AND l.location = $2 AND l.cancelled + l.shipped < l.quantity AND NOT l.on_hold",
	2, {TEXTOID, TEXTOID}
};

/* what the lines have that nobody else is writing now, newest version */
static const LedgerQuery lock_holders = {
	"SELECT k.n::integer, l.quantity - l.cancelled - l.shipped - (SELECT coalesce(sum(b.remaining), 0)"
	" FROM @.backorder AS b WHERE b.order_id = l.order_id AND b.line_no = l.line_no AND b.outcome IS NULL),"
	" l.firm FROM input AS k"
	" JOIN @.order_line AS l ON l.order_id = k.order_id AND l.line_no = k.line_no"
	" WHERE (l.item, l.location) IS NOT DISTINCT FROM ($1, $2) AND NOT l.on_hold"
	" FOR NO KEY UPDATE OF l SKIP LOCKED",
	2, {TEXTOID, TEXTOID}, &line_keys
};

/* Bottom of the ranking first; among equals the one that entered last. */
static int
HolderCompare(const void *a, const void *b)
{
	const Holder *left = *(Holder *const *) a;
	const Holder *right = *(Holder *const *) b;
	int			order = -ClaimCompareRank(&left->claim, &right->claim);

	if (order == 0)
		order = (left->claim.claim_at < right->claim.claim_at) - (left->claim.claim_at > right->claim.claim_at);
	if (order == 0)
		order = -TextCompare(left->claim.order_id, right->claim.order_id);
	if (order == 0)
		order = (left->claim.line_no < right->claim.line_no) - (left->claim.line_no > right->claim.line_no);
	return order;
}

static bool
IsKept(const Holder *holder, const Loss *loss)
{
	return loss->keep_order != NULL && holder->claim.line_no == loss->keep_line &&
		TextCompare(holder->claim.order_id, loss->keep_order) == 0;
}

/* All lines with open demand here, ranked, bottom first. */
static Holder **
ReadHolders(Engine *engine, const StockKey *key, const Loss *loss, int *count)
{
	Datum		values[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};
	int			rows = (int) EngineExecute(engine, &read_holders, values, NULL);
	Holder	  **holders = palloc(sizeof(Holder *) * Max(rows, 1));
	Claim	  **claims = palloc(sizeof(Claim *) * Max(rows, 1));

	for (int i = 0; i < rows; i++)
	{
		holders[i] = palloc0(sizeof(Holder));
		claims[i] = &holders[i]->claim;
		claims[i]->order_id = ResultText(i, 1);
		claims[i]->line_no = ResultInt64(i, 2);
		claims[i]->key = key;
		claims[i]->quantity = NumericZero();
		claims[i]->cause = loss->cause;
		claims[i]->claim_at = ResultTime(i, 3);
		claims[i]->priority = ResultInt32(i, 4);
		claims[i]->opened_at = Max(loss->at, claims[i]->claim_at);
		claims[i]->move_id = loss->move_id;
		claims[i]->reason = loss->reason;
		holders[i]->allocated = NumericZero();
	}
	if (rows > 0)
		RuleRank(engine, claims, rows);
	qsort(holders, rows, sizeof(Holder *), HolderCompare);
	*count = rows;
	return holders;
}

/*
 * Locks one run of lines and reads what they have.  Whoever changes a line holds
 * its row, so what is read here stays true until we have taken it.
 */
static void
LockHolders(Engine *engine, const StockKey *key, Holder **holders, int count)
{
	Datum		values[2] = {PointerGetDatum(key->item), PointerGetDatum(key->location)};
	Rows		lines;
	uint64		rows;

	RowsInit(&lines, &line_keys);
	for (int i = 0; i < count; i++)
		RowsAddLine(&lines, holders[i]->claim.order_id, holders[i]->claim.line_no);
	PendingRefuse(engine, &lines);
	rows = EngineExecuteOn(engine, &lock_holders, &lines, values);
	for (uint64 i = 0; i < rows; i++)
	{
		Holder	   *holder = holders[ResultInt32(i, 1) - 1];

		holder->allocated = ResultNumeric(i, 2);
		holder->firm = ResultNumeric(i, 3);
		holder->locked = true;
	}
	RowsEnd(&lines);
}

static void
PassOver(Engine *engine, const Holder *holder, const Loss *loss, const char *cause, Numeric quantity)
{
	Entry		entry;

	if (NumericSign(quantity) <= 0)
		return;
	memset(&entry, 0, sizeof(entry));
	entry.kind = "passed_over";
	entry.cause = cause;
	entry.order_id = holder->claim.order_id;
	entry.line_no = holder->claim.line_no;
	entry.key = holder->claim.key;
	entry.quantity = quantity;
	entry.move_id = loss->move_id;
	entry.ranked = true;
	entry.priority = holder->claim.priority;
	entry.rank_at = holder->claim.rank_at;
	entry.rules = holder->claim.rules;
	entry.happened_at = holder->claim.opened_at;
	JournalAdd(engine, &entry);
}

/* Takes what it may from one line; returns what is still to be found. */
static Numeric
TakeFrom(Engine *engine, Holder *holder, const Loss *loss, Numeric rest)
{
	Numeric		free;

	if (!holder->locked)
	{
		PassOver(engine, holder, loss, "locked", rest);
		return rest;
	}
	if (NumericSign(holder->allocated) <= 0)
		return rest;
	free = NumericSubtract(holder->allocated, NumericLeast(holder->allocated, holder->firm));
	holder->claim.shortage = NumericLeast(rest, free);
	rest = NumericSubtract(rest, holder->claim.shortage);
	PassOver(engine, holder, loss, "firm", NumericLeast(rest, NumericSubtract(holder->allocated, free)));
	return rest;
}

/*
 * Takes "quantity" allocated units from lines, under the exclusive gate, and
 * opens a backorder for each line that loses some.  Slots are the caller's.
 * Error 23B02 if so many are not to be had.
 */
void
LossTake(Engine *engine, const StockKey *key, Numeric quantity, const Loss *loss)
{
	int			count;
	Holder	  **holders;
	Claim	  **victims;
	int			victim_count = 0;
	int			batch = 16;
	Numeric		rest = quantity;

	/* lines are looked up as the statement has left them so far */
	FactFlush(engine);
	holders = ReadHolders(engine, key, loss, &count);
	victims = palloc(sizeof(Claim *) * Max(count, 1));
	for (int start = 0; start < count && NumericSign(rest) > 0; start += batch)
	{
		int			run = Min(batch, count - start);

		LockHolders(engine, key, holders + start, run);
		for (int i = start; i < start + run && NumericSign(rest) > 0; i++)
		{
			if (IsKept(holders[i], loss))
				continue;
			rest = TakeFrom(engine, holders[i], loss, rest);
			if (holders[i]->claim.shortage != NULL && NumericSign(holders[i]->claim.shortage) > 0)
				victims[victim_count++] = &holders[i]->claim;
		}
	}
	if (NumericSign(rest) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_STOCK),
				 errmsg("stock of item \"%s\" at \"%s\" does not suffice",
						text_to_cstring(key->item), text_to_cstring(key->location)),
				 errhint("Firm units, and lines that another transaction is changing, keep theirs; the rest is less than what is to leave."),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
				 err_generic_string(PG_DIAG_TABLE_NAME, "stock_move"),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "stock_on_hand")));
	QueueOpen(engine, victims, victim_count);
}
