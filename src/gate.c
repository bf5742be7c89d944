/*
 * gate.c
 *	  The lock in front of the queue of an item at a location.
 *
 *	  EXCLUSIVE moves stock under the gate; SHARED only joins or leaves the queue.
 *
 *	  The gates of a ledger are 256 stripes over (item, location), so that a
 *	  statement over any number of items holds at most that many locks.  They are
 *	  transaction-level advisory locks with a tag that no SQL function can make;
 *	  PREPARE TRANSACTION keeps them.
 */
#include "backorder.h"

#include "common/hashfn.h"
#include "funcapi.h"
#include "access/htup_details.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "catalog/pg_collation.h"
#include "catalog/namespace.h"

#define GATE_STRIPES 256
#define GATE_LOCK_KIND 0xB0		/* SQL's advisory locks have 1 and 2 here */
#define SLOT_LOCK_KIND 0xB1

/* memcmp order, the order of text COLLATE "C" */
int
TextCompare(const text *a, const text *b)
{
	int			alen = VARSIZE_ANY_EXHDR(a);
	int			blen = VARSIZE_ANY_EXHDR(b);
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(alen, blen));

	return order != 0 ? order : (alen > blen) - (alen < blen);
}

text *
TextCopy(const text *value)
{
	text	   *copy = palloc(VARSIZE_ANY(value));

	memcpy(copy, value, VARSIZE_ANY(value));
	return copy;
}

static uint32
TextHash(const text *value)
{
	return hash_bytes((const unsigned char *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

void
StockKeyInit(StockKey *key, text *item, text *location)
{
	key->item = item;
	key->location = location;
	key->hash = hash_combine(TextHash(item), TextHash(location));
	key->stripe = key->hash % GATE_STRIPES;
}

/* The order in which all statements take gates and slots. */
int
StockKeyCompare(const StockKey *a, const StockKey *b)
{
	int			order = a->stripe - b->stripe;

	if (order == 0)
		order = TextCompare(a->item, b->item);
	if (order == 0)
		order = TextCompare(a->location, b->location);
	return order;
}

static int
StockKeyOrder(const void *a, const void *b)
{
	return StockKeyCompare(a, b);
}

/* The keys that a query has found, an item and a location in each row, in that order. */
StockKey *
ResultKeys(Engine *engine, int rows)
{
	StockKey   *keys = MemoryContextAllocHuge(engine->memory, sizeof(StockKey) * Max(rows, 1));

	for (int i = 0; i < rows; i++)
		StockKeyInit(&keys[i], ResultText(i, 1), ResultText(i, 2));
	qsort(keys, rows, sizeof(StockKey), StockKeyOrder);
	return keys;
}

static void
GateTag(LOCKTAG *tag, const Ledger *ledger, int stripe)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, ledger->schema, stripe, GATE_LOCK_KIND);
}

void
GateLock(const Ledger *ledger, int stripe, LOCKMODE mode)
{
	LOCKTAG		tag;

	GateTag(&tag, ledger, stripe);
	(void) LockAcquire(&tag, mode, false, false);
}

/* The same without waiting; false if somebody is in the way. */
bool
GateTryLock(const Ledger *ledger, int stripe, LOCKMODE mode)
{
	LOCKTAG		tag;

	GateTag(&tag, ledger, stripe);
	return LockAcquire(&tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* All gates of a ledger: nothing is placed or put in until commit. */
void
GateLockAll(const Ledger *ledger)
{
	for (int stripe = 0; stripe < GATE_STRIPES; stripe++)
		GateLock(ledger, stripe, ExclusiveLock);
}

/* The gates of these items wherever they may be, be there stock or a queue or neither yet. */
void
GateLockItems(Engine *engine, Rows *items)
{
	static const LedgerQuery places = {
		"SELECT n.item, l.location FROM input AS n CROSS JOIN @.location AS l", 0, {0}, &item_rows
	};
	uint64		rows = EngineExecuteOn(engine, &places, items, NULL);
	bool		wanted[GATE_STRIPES] = {false};
	StockKey	key;

	for (uint64 i = 0; i < rows; i++)
	{
		StockKeyInit(&key, ResultText(i, 1), ResultText(i, 2));
		wanted[key.stripe] = true;
	}
	for (int stripe = 0; stripe < GATE_STRIPES; stripe++)
		if (wanted[stripe])
			GateLock(&engine->ledger, stripe, ExclusiveLock);
}

/* Gives back one acquisition under which nothing was done. */
void
GateUnlock(const Ledger *ledger, int stripe, LOCKMODE mode)
{
	LOCKTAG		tag;

	GateTag(&tag, ledger, stripe);
	(void) LockRelease(&tag, mode, false);
}

/*
 * The right to make a slot of this number behind a gate that others share: an
 * insert of the same key would wait for them.  False if somebody has it.
 */
bool
SlotRight(const Ledger *ledger, int stripe, int number)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, ledger->schema, (uint32) number * GATE_STRIPES + stripe, SLOT_LOCK_KIND);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * gate(ledger name, item text, location text): the row of pg_locks that the
 * gate of an item at a location has when somebody holds it (classid, objid,
 * objsubid).
 */
PG_FUNCTION_INFO_V1(backorder_gate);
Datum
backorder_gate(PG_FUNCTION_ARGS)
{
	Oid			schema = get_namespace_oid(NameStr(*PG_GETARG_NAME(0)), false);
	StockKey	key;
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	StockKeyInit(&key, PG_GETARG_TEXT_PP(1), PG_GETARG_TEXT_PP(2));
	values[0] = ObjectIdGetDatum(schema);
	values[1] = ObjectIdGetDatum((Oid) key.stripe);
	values[2] = Int16GetDatum(GATE_LOCK_KIND);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
