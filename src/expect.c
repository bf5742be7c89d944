/*
 * expect.c
 *	  The expected date of one backorder, and of an order that is not yet placed.
 */
#include "backorder.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Where one backorder stands. */
typedef struct Need
{
	int64		backorder_id;
	Numeric		units;			/* that wait before it, and its own */
} Need;

typedef struct Prospect
{
	StockKey	key;
	char		status;			/* of the hash table */
	Outlook		outlook;
	Need	   *needs;			/* sorted by number; NULL: the caller counts for himself */
	int			count;
} Prospect;

#define SH_PREFIX prospects
#define SH_ELEMENT_TYPE Prospect
#define SH_KEY_TYPE StockKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((key).hash)
#define SH_EQUAL(table, a, b) (StockKeyCompare(&(a), &(b)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * What one query has found out, kept between the calls of one function in it;
 * good for one user and one snapshot, because an expression may outlive a query.
 */
typedef struct Prospects
{
	Oid			relid;
	Sight		sight;
	MemoryContext memory;
	prospects_hash *table;
	Prospect   *last;
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
} Prospects;

static bool
ProspectsHold(const Prospects *known, Oid relid, Snapshot snapshot)
{
	return known->relid == relid && known->sight.user == GetUserId() &&
		known->xmin == snapshot->xmin && known->xmax == snapshot->xmax &&
		known->xcnt == snapshot->xcnt && known->subxcnt == snapshot->subxcnt &&
		known->curcid == snapshot->curcid;
}

static Prospects *
ProspectsFor(FunctionCallInfo fcinfo, Oid relid)
{
	Prospects  *known = fcinfo->flinfo->fn_extra;
	Snapshot	snapshot = GetActiveSnapshot();
	MemoryContext memory;

	if (known != NULL && ProspectsHold(known, relid, snapshot))
		return known;
	if (known != NULL)
	{
		fcinfo->flinfo->fn_extra = NULL;
		MemoryContextDelete(known->memory);
	}
	memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "backorder prospects", ALLOCSET_DEFAULT_SIZES);
	known = MemoryContextAllocZero(memory, sizeof(Prospects));
	SightInit(&known->sight, relid, "backorder");
	known->relid = relid;
	known->memory = memory;
	known->table = prospects_create(memory, 16, NULL);
	known->xmin = snapshot->xmin;
	known->xmax = snapshot->xmax;
	known->xcnt = snapshot->xcnt;
	known->subxcnt = snapshot->subxcnt;
	known->curcid = snapshot->curcid;
	fcinfo->flinfo->fn_extra = known;
	return known;
}

static int
NeedCompare(const void *a, const void *b)
{
	int64		left = ((const Need *) a)->backorder_id;
	int64		right = ((const Need *) b)->backorder_id;

	return (left > right) - (left < right);
}

/* The whole queue, for a caller who sees only a part of it. */
static void
ReadNeeds(Reader *reader, Prospect *prospect)
{
	Datum		keys[2] = {PointerGetDatum(prospect->key.item), PointerGetDatum(prospect->key.location)};
	int			capacity = 64;
	Walk		walk;

	prospect->needs = palloc(sizeof(Need) * capacity);
	WalkOpen(&walk, reader, keys, 2, ForwardScanDirection, true);
	while (WalkNext(&walk))
	{
		Need	   *need;

		if (prospect->count == capacity)
		{
			capacity *= 2;
			prospect->needs = repalloc_huge(prospect->needs, sizeof(Need) * capacity);
		}
		need = &prospect->needs[prospect->count++];
		need->backorder_id = DatumGetInt64(RowValue(walk.slot, walk.attnum[WALK_BACKORDER_ID]));
		need->units = DatumGetNumericCopy(NumericGetDatum(walk.units));
	}
	WalkClose(&walk);
	qsort(prospect->needs, prospect->count, sizeof(Need), NeedCompare);
}

static Prospect *
ProspectOf(Prospects *known, text *item, text *location)
{
	MemoryContext old;
	StockKey	key;
	Prospect   *prospect;
	Reader		reader;
	bool		found;

	StockKeyInit(&key, item, location);
	if (known->last != NULL && StockKeyCompare(&known->last->key, &key) == 0)
		return known->last;
	prospect = prospects_lookup(known->table, key);
	if (prospect == NULL)
	{
		Prospect	next;

		old = MemoryContextSwitchTo(known->memory);
		memset(&next, 0, sizeof(next));
		StockKeyInit(&next.key, TextCopy(item), TextCopy(location));
		ReaderOpen(&reader, &known->sight.ledger, GetActiveSnapshot());
		if (OutlookRead(&reader, next.key.item, next.key.location, &next.outlook) && known->sight.some_rows)
			ReadNeeds(&reader, &next);
		ReaderClose(&reader);
		prospect = prospects_insert(known->table, next.key, &found);
		prospect->outlook = next.outlook;
		prospect->needs = next.needs;
		prospect->count = next.count;
		MemoryContextSwitchTo(old);
	}
	known->last = prospect;
	return prospect;
}

/*
 * What a backorder can expect; false if that cannot be told.  Whoever sees the
 * whole queue has counted the units up to and with it for himself.
 */
static bool
Expect(FunctionCallInfo fcinfo, Promise *promise)
{
	Prospects  *known;
	Prospect   *prospect;
	int64		backorder_id;
	Numeric		units;

	for (int i = 0; i < 6; i++)
		if (PG_ARGISNULL(i))
			return false;
	known = ProspectsFor(fcinfo, PG_GETARG_OID(0));
	prospect = ProspectOf(known, PG_GETARG_TEXT_PP(1), PG_GETARG_TEXT_PP(2));
	backorder_id = PG_GETARG_INT64(3);
	units = PG_GETARG_NUMERIC(4);
	if (known->sight.some_rows)
	{
		Need		wanted = {backorder_id, NULL};
		Need	   *need = prospect->needs == NULL ? NULL :
			bsearch(&wanted, prospect->needs, prospect->count, sizeof(Need), NeedCompare);

		if (need == NULL || !SightOfRow(&known->sight, backorder_id))
			return false;
		units = need->units;
	}
	OutlookPromise(&prospect->outlook, OutlookFind(&prospect->outlook, 0, units), PG_GETARG_TIMESTAMPTZ(5),
				   promise);
	return true;
}

/*
 * expected_at(relation regclass, item text, location text, backorder_id bigint,
 * units numeric, opened_at timestamptz): when a backorder can expect its last
 * unit, "units" being its own and those that wait before it.  Needs SELECT on backorder.
 */
PG_FUNCTION_INFO_V1(backorder_expected_at);
Datum
backorder_expected_at(PG_FUNCTION_ARGS)
{
	Promise		promise;

	if (!Expect(fcinfo, &promise) || !promise.known)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(promise.at);
}

/* expected_basis(...): what that date rests on. */
PG_FUNCTION_INFO_V1(backorder_expected_basis);
Datum
backorder_expected_basis(PG_FUNCTION_ARGS)
{
	Promise		promise;

	if (!Expect(fcinfo, &promise))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(promise.basis));
}

/* An order that is not yet placed, and what would become of it. */
typedef struct Inquiry
{
	Datum		values[10];
	char		nulls[11];
	bool		counts;			/* the caller may know how much waits before it */
	TimestampTz placed_at;
	Numeric		quantity;
	TupleDesc	desc;
	MemoryContext memory;		/* of the caller, for the result */
	HeapTuple	result;
} Inquiry;

/* Ranks the line that is asked about as an order placed at that time would be ranked. */
static const LedgerQuery rank_inquiry = {
	"SELECT " RULE_COLUMNS("$9") ", i.location, i.known"
	" FROM (SELECT $10 AS priority, p.location, p.known,"
	" jsonb_build_object('order_id', NULL, 'line_no', NULL, 'item', $1, 'location', p.location,"
	" 'customer', $4, 'quantity', $3, 'unit_price', coalesce($6, m.unit_price),"
	" 'value', $3 * coalesce($6, m.unit_price), 'required_by', $7 AT TIME ZONE 'UTC',"
	" 'placed_at', $9 AT TIME ZONE 'UTC', 'demand_class', $8, 'priority', $10, 'attributes', $5) AS line"
	" FROM (SELECT coalesce($2, s.default_location) AS location, EXISTS (SELECT FROM @.location AS l"
	" WHERE l.location = coalesce($2, s.default_location)) AS known FROM @.ledger AS s) AS p"
	" LEFT JOIN @.item AS m ON m.item = $1) AS i"
	RULE_JOIN("$9"),
	10, {TEXTOID, TEXTOID, NUMERICOID, TEXTOID, JSONBOID, NUMERICOID, TIMESTAMPTZOID, TEXTOID,
	TIMESTAMPTZOID, INT4OID}
};

static void
UnknownName(Engine *engine, const char *what, text *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("unknown %s \"%s\"", what, text_to_cstring(name)),
			 errhint("Insert the %s into table \"%s\" of ledger \"%s\" first.", what, what, engine->ledger.name)));
}

static void
InquiryResult(Inquiry *inquiry, const Promise *promise, Numeric taken, Numeric short_units,
			  const Newcomer *newcomer, Datum rules)
{
	Datum		values[8] = {0};
	bool		nulls[8] = {false};
	MemoryContext old = MemoryContextSwitchTo(inquiry->memory);

	values[0] = TimestampTzGetDatum(promise->at);
	nulls[0] = !promise->known;
	values[1] = CStringGetTextDatum(promise->basis);
	values[2] = NumericGetDatum(taken);
	values[3] = NumericGetDatum(short_units);
	nulls[4] = !inquiry->counts;
	if (inquiry->counts)
		values[4] = NumericGetDatum(newcomer->ahead);
	values[5] = Int32GetDatum(newcomer->priority);
	values[6] = TimestampTzGetDatum(newcomer->rank_at);
	values[7] = rules;
	inquiry->result = heap_form_tuple(inquiry->desc, values, nulls);
	MemoryContextSwitchTo(old);
}

static void
Inquire(Engine *engine, void *argument)
{
	Inquiry    *inquiry = argument;
	text	   *item = DatumGetTextPP(inquiry->values[0]);
	int			level;
	text	   *location;
	Newcomer	newcomer;
	Datum		rules;
	Reader		reader;
	Outlook		outlook;
	Promise		promise = {"stock", true, inquiry->placed_at};
	Numeric		available;
	Numeric		waiting;
	Numeric		taken = NumericZero();
	Numeric		rest;

	EngineConnect(engine);
	level = NewGUCNestLevel();
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (EngineRead(engine, &rank_inquiry, inquiry->values, inquiry->nulls) != 1)
		EngineFoundDamage(&engine->ledger, "it has no settings");
	AtEOXact_GUC(false, level);
	newcomer.priority = ResultInt32(0, 1);
	newcomer.rank_at = ResultTime(0, 2);
	rules = ResultTextArray(0, 3);
	location = ResultText(0, 4);
	if (!ResultBool(0, 5))
		UnknownName(engine, "location", location);
	ReaderOpen(&reader, &engine->ledger, GetActiveSnapshot());
	if (!OutlookRead(&reader, item, location, &outlook))
		UnknownName(engine, "item", item);
	ReadSlots(&reader, item, location, &available, &waiting);
	if (outlook.auto_allocate || NumericSign(waiting) == 0)
		taken = NumericLeast(inquiry->quantity, available);
	rest = NumericSubtract(inquiry->quantity, taken);
	newcomer.ahead = NumericZero();
	if (NumericSign(rest) > 0)
	{
		Numeric		need = rest;

		CountAhead(&reader, item, location, &newcomer, 1);
		if (!outlook.auto_allocate)	/* what is taken is stock that others could have been given */
			need = NumericAdd(need, taken);
		OutlookPromise(&outlook, OutlookFind(&outlook, 0, NumericAdd(newcomer.ahead, need)),
					   inquiry->placed_at, &promise);
	}
	ReaderClose(&reader);
	InquiryResult(inquiry, &promise, taken, rest, &newcomer, rules);
}

/*
 * promise_for(relation regclass, item text, location text, quantity numeric,
 * customer text, attributes jsonb, unit_price numeric, required_by timestamptz,
 * demand_class text, placed_at timestamptz, priority integer): what an order that
 * is not yet placed would be promised.  Writes nothing.  Needs SELECT on item; how
 * much waits before it is told to those who may read the table backorder.
 * Errors: 22004, 22023, 23503, 42501.
 */
PG_FUNCTION_INFO_V1(backorder_promise_for);
Datum
backorder_promise_for(PG_FUNCTION_ARGS)
{
	Sight		sight;
	Inquiry		inquiry;

	memset(&inquiry, 0, sizeof(inquiry));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3) || PG_ARGISNULL(9) || PG_ARGISNULL(10))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("item, quantity, placed_at and priority must not be NULL")));
	inquiry.quantity = PG_GETARG_NUMERIC(3);
	inquiry.placed_at = PG_GETARG_TIMESTAMPTZ(9);
	if (numeric_is_nan(inquiry.quantity) || NumericSign(inquiry.quantity) <= 0 || !QuantityFits(inquiry.quantity))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("quantity must be a number above zero")));
	if (TIMESTAMP_NOT_FINITE(inquiry.placed_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("placed_at must be a finite time")));
	SightInit(&sight, PG_GETARG_OID(0), "item");
	inquiry.counts = SightOfTable(&sight.ledger, "backorder");
	for (int i = 0; i < 10; i++)
	{
		inquiry.values[i] = PG_GETARG_DATUM(i + 1);
		inquiry.nulls[i] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
	}
	if (get_call_result_type(fcinfo, NULL, &inquiry.desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	inquiry.desc = BlessTupleDesc(inquiry.desc);
	inquiry.memory = CurrentMemoryContext;
	EngineRun(&sight.ledger, Inquire, &inquiry);
	PG_RETURN_DATUM(HeapTupleGetDatum(inquiry.result));
}
