/*
 * receipt.c
 *	  Receipts that name the inbound row they fulfil: partly, fully or over.
 *
 *	  Lock order is order lines, inbound rows, gate: the rows are locked by key and
 *	  written before any gate is taken.
 */
#include "backorder.h"

/* An inbound row that receipts of the statement name. */
typedef struct Receipt
{
	int64		inbound_id;
	text	   *item;
	text	   *location;
	Numeric		open;			/* before; below zero where more came than was ordered */
	TimestampTz expected_at;	/* infinity: unknown */
	Numeric		arriving;
	TimestampTz arrived_at;
} Receipt;

static RowShape inbound_keys = {NULL, {{"inbound_id", INT8OID}}};

/* the newest version of each row, locked in the order of their keys */
static const LedgerQuery lock_rows = {
	"SELECT i.inbound_id, i.item, i.location, i.quantity - i.cancelled - i.received,"
	" coalesce(i.expected_at, 'infinity')"
	" FROM @.inbound AS i"
	" JOIN (SELECT DISTINCT inbound_id FROM input) AS k ON i.inbound_id = k.inbound_id"
	" ORDER BY i.inbound_id FOR NO KEY UPDATE OF i",
	0, {0}, &inbound_keys
};

static RowShape arrivals = {NULL, {{"inbound_id", INT8OID}, {"quantity", NUMERICOID}, {"at", TIMESTAMPTZOID}}};

static const LedgerQuery write_received = {
	"UPDATE @.inbound AS i SET received = i.received + k.quantity,"
	" last_received_at = greatest(i.last_received_at, k.at)"
	" FROM input AS k WHERE i.inbound_id = k.inbound_id",
	0, {0}, &arrivals
};

static int
ReceiptCompare(const void *a, const void *b)
{
	const Receipt *left = *(Receipt *const *) a;
	const Receipt *right = *(Receipt *const *) b;

	return (left->inbound_id > right->inbound_id) - (left->inbound_id < right->inbound_id);
}

static Receipt **
LockReceipts(Engine *engine, Move **moves, int count, int *found)
{
	Rows		named;
	Receipt   **receipts;

	RowsInit(&named, &inbound_keys);
	for (int i = 0; i < count; i++)
	{
		Datum		value = Int64GetDatum(moves[i]->inbound_id);

		if (moves[i]->names_inbound)
			RowsAdd(&named, &value, NULL);
	}
	*found = (int) EngineLockRows(engine, &lock_rows, &named, NULL, NULL);
	RowsEnd(&named);
	receipts = palloc(sizeof(Receipt *) * Max(*found, 1));
	for (int i = 0; i < *found; i++)
	{
		Receipt    *receipt = receipts[i] = palloc0(sizeof(Receipt));

		receipt->inbound_id = ResultInt64(i, 1);
		receipt->item = ResultText(i, 2);
		receipt->location = ResultText(i, 3);
		receipt->open = ResultNumeric(i, 4);
		receipt->expected_at = ResultTime(i, 5);
		receipt->arriving = NumericZero();
	}
	/* what was locked may have been changed by others in between, and come out of order */
	qsort(receipts, *found, sizeof(Receipt *), ReceiptCompare);
	return receipts;
}

static void
Refuse(Engine *engine, int code, const Move *move, const char *message, const char *hint, const char *constraint)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("stock move " INT64_FORMAT " %s", move->move_id, message),
			 errdetail("It names inbound supply " INT64_FORMAT ".", move->inbound_id),
			 errhint("%s", hint),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "stock_move"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* Adds a move to the row it names, which must exist and be of its item and location. */
static void
MatchReceipt(Engine *engine, Move *move, Receipt **receipts, int count)
{
	Receipt		wanted = {.inbound_id = move->inbound_id};
	Receipt    *pointer = &wanted;
	Receipt   **found = count == 0 ? NULL :
		bsearch(&pointer, receipts, count, sizeof(Receipt *), ReceiptCompare);
	Receipt    *receipt;

	if (found == NULL)
		Refuse(engine, ERRCODE_FOREIGN_KEY_VIOLATION, move, "names inbound supply that does not exist",
			   "Leave inbound_id out where nothing was announced.", "stock_move_inbound_fkey");
	receipt = *found;
	if (TextCompare(receipt->item, move->item) != 0)
		Refuse(engine, ERRCODE_CHECK_VIOLATION, move, "is of another item than the inbound supply it names",
			   "Leave out item and location, and they are those of the inbound supply.", "stock_move_item_of_inbound");
	if (TextCompare(receipt->location, move->location) != 0)
		Refuse(engine, ERRCODE_CHECK_VIOLATION, move, "is at another location than the inbound supply it names",
			   "Change the location of the inbound supply first, or leave it out.", "stock_move_location_of_inbound");
	if (NumericSign(receipt->arriving) == 0 || move->moved_at > receipt->arrived_at)
		receipt->arrived_at = move->moved_at;
	receipt->arriving = NumericAdd(receipt->arriving, move->quantity);
	move->receipt = receipt;
}

/* Books what the moves of a statement bring on the rows they name. */
void
ReceiptsBook(Engine *engine, Move **moves, int count)
{
	Receipt   **receipts;
	Rows		rows;
	uint64		written;
	int			found = 0;

	for (int i = 0; i < count && found == 0; i++)
		found += moves[i]->names_inbound;
	if (found == 0)
		return;
	receipts = LockReceipts(engine, moves, count, &found);
	for (int i = 0; i < count; i++)
		if (moves[i]->names_inbound)
			MatchReceipt(engine, moves[i], receipts, found);
	RowsInit(&rows, &arrivals);
	for (int i = 0; i < found; i++)
	{
		Datum		values[3] = {
			Int64GetDatum(receipts[i]->inbound_id), NumericGetDatum(receipts[i]->arriving),
			TimestampTzGetDatum(receipts[i]->arrived_at)
		};

		RowsAdd(&rows, values, NULL);
	}
	written = EngineExecuteOn(engine, &write_received, &rows, NULL);
	RowsEnd(&rows);
	if (written != (uint64) found)
		EngineObstructed("inbound");
}

/* Is open supply left that was to come before this row? */
static bool
EarlierSupply(Engine *engine, const StockKey *key, const Receipt *receipt)
{
	static const LedgerQuery query = {
		"SELECT FROM @.inbound WHERE item = $1 AND location = $2 AND received + cancelled < quantity"
		" AND (expected_at, inbound_id) < ($3, $4) LIMIT 1",
		4, {TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID}
	};
	Datum		values[4] = {PointerGetDatum(key->item), PointerGetDatum(key->location), TimestampTzGetDatum(receipt->expected_at), Int64GetDatum(receipt->inbound_id)};

	return EngineExecute(engine, &query, values, NULL) > 0;
}

/*
 * Moves the promises at one item and location, under the exclusive gate, if what
 * arrived may have changed them.  Supply that arrives in the order in which it
 * was expected, and no more of it, serves the front of the queue: for all others
 * demand before them and supply before theirs fall by the same.
 */
void
ReceiptsPromise(Engine *engine, const StockKey *key, Move **moves, int count)
{
	const Receipt *last = NULL;
	int64		move_id = 0;
	bool		over = false;

	for (int i = 0; i < count; i++)
	{
		const Receipt *receipt = moves[i]->receipt;

		if (receipt == NULL)
			continue;
		move_id = moves[i]->move_id;
		over = over || NumericCompare(receipt->arriving, receipt->open) > 0;
		if (last == NULL || receipt->expected_at > last->expected_at ||
			(receipt->expected_at == last->expected_at && receipt->inbound_id > last->inbound_id))
			last = receipt;
	}
	if (last == NULL || NumericSign(QueueWaiting(engine, key)) == 0)
		return;
	if (over || EarlierSupply(engine, key, last))
		(void) PromiseMove(engine, key, "receipt", move_id);
}
