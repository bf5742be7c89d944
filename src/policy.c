/*
 * policy.c
 *	  What an item says about running short.
 *
 *	  Order lines and stock moves have no foreign keys to item and location:
 *	  their row locks on a popular item would be shared by every order.  The
 *	  engine looks the rows up instead, and whoever deletes one takes the gate
 *	  that the first use of it would take.
 */
#include "backorder.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/xact.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

static ColumnShape policy_shape[] = {
	{"on_short", TEXTOID, 0},
	{"backorder_limit", NUMERICOID, 0},
	{"auto_allocate", BOOLOID, 0},
};

OnShort
OnShortFromText(const text *value)
{
	char	   *word = text_to_cstring(value);
	OnShort		on_short = SHORT_BACKORDER;

	if (strcmp(word, "cancel") == 0)
		on_short = SHORT_CANCEL;
	else if (strcmp(word, "refuse") == 0)
		on_short = SHORT_REFUSE;
	pfree(word);
	return on_short;
}

static void
PolicyRead(KeyedTable *table, Policy *policy)
{
	AttrNumber	attnum[lengthof(policy_shape)];
	bool		isnull;
	Datum		value;

	FindColumns(table->rel, policy_shape, lengthof(policy_shape), attnum);
	value = slot_getattr(table->slot, attnum[0], &isnull);
	policy->on_short = isnull ? SHORT_BACKORDER : OnShortFromText(DatumGetTextPP(value));
	value = slot_getattr(table->slot, attnum[1], &isnull);
	policy->backorder_limit = isnull ? NULL : DatumGetNumericCopy(value);
	value = slot_getattr(table->slot, attnum[2], &isnull);
	policy->auto_allocate = isnull || DatumGetBool(value);
}

static bool
KeyExists(Engine *engine, KeyedTable *table, bool *opened, const char *name, text *key)
{
	ColumnShape shape = {name, TEXTOID, 0};
	Datum		value = PointerGetDatum(key);

	if (!*opened)
	{
		KeyedTableOpen(table, &engine->ledger, name, &shape, 1, AccessShareLock);
		*opened = true;
	}
	else
		KeyedTableRefresh(table);
	return KeyedTableGet(table, &value, 1);
}

/* The policy of an item as of now; false if there is no such item. */
bool
PolicyOfItem(Engine *engine, text *item, Policy *policy)
{
	if (!KeyExists(engine, &engine->items, &engine->items_open, "item", item))
		return false;
	RequireSeen(&engine->items);
	PolicyRead(&engine->items, policy);
	ExecClearTuple(engine->items.slot);
	return true;
}

/* Is there any such item, as of now?  Without the index that knows, there may be. */
static bool
AnyItemByHand(Engine *engine, uint64 *epoch)
{
	ColumnShape shape = {"item", TEXTOID, 0};
	KeyedTable	items;
	IndexScanDesc scan;
	bool		found;

	*epoch = CatalogEpoch();
	if (!OidIsValid(get_relname_relid("item_by_hand", engine->ledger.schema)))
		return true;
	KeyedTableOpenIndex(&items, &engine->ledger, "item", "item_by_hand", &shape, 1, AccessShareLock,
						GetLatestSnapshot());
	/* of the snapshot that is taken now: what is told later counts as new */
	*epoch = CatalogEpoch();
	KeyedTableRefresh(&items);
	scan = KeyedTableScan(&items, NULL, 0, BTEqualStrategyNumber);
	found = index_getnext_slot(scan, ForwardScanDirection, items.slot);
	index_endscan(scan);
	KeyedTableClose(&items);
	return found;
}

/*
 * Are all items of the ledger allocated automatically?  It is remembered until
 * somebody says otherwise, so that an order in stock need not read its item: the
 * trigger item_by_hand tells every session at commit.  Under SERIALIZABLE what
 * an order depends on must be read.
 */
static bool
AllAutomatic(Engine *engine)
{
	static struct
	{
		Oid			schema;
		uint64		epoch;
		bool		automatic;
	}			known[8];
	int			place = engine->ledger.schema % lengthof(known);

	if (IsolationIsSerializable())
		return false;
	AcceptInvalidationMessages();
	if (known[place].schema != engine->ledger.schema || known[place].epoch != CatalogEpoch())
	{
		known[place].schema = InvalidOid;
		known[place].automatic = !AnyItemByHand(engine, &known[place].epoch);
		known[place].schema = engine->ledger.schema;
	}
	return known[place].automatic;
}

/* May an order take what it finds, as far as its item says?  It need not exist. */
bool
PolicyAllocates(Engine *engine, text *item)
{
	Policy		policy;

	return AllAutomatic(engine) || (PolicyOfItem(engine, item, &policy) && policy.auto_allocate);
}

static bool
LocationExists(Engine *engine, text *location)
{
	bool		exists = KeyExists(engine, &engine->locations, &engine->locations_open, "location", location);

	ExecClearTuple(engine->locations.slot);
	return exists;
}

void
PolicyRelease(Engine *engine)
{
	if (engine->items_open)
		KeyedTableClose(&engine->items);
	if (engine->locations_open)
		KeyedTableClose(&engine->locations);
	engine->items_open = engine->locations_open = false;
}

/*
 * The policy of the key's item.  "table" is what names the item: an unknown
 * item or location is an error that looks like the foreign key it stands for.
 */
void
PolicyOfKey(Engine *engine, const StockKey *key, const char *table, Policy *policy)
{
	if (!PolicyOfItem(engine, key->item, policy))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("unknown item \"%s\"", text_to_cstring(key->item)),
				 errhint("Insert the item into table \"item\" of ledger \"%s\" first.", engine->ledger.name),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
				 err_generic_string(PG_DIAG_TABLE_NAME, table),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, psprintf("%s_item_fkey", table))));
	if (!LocationExists(engine, key->location))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("unknown location \"%s\"", text_to_cstring(key->location)),
				 errhint("Insert the location into table \"location\" of ledger \"%s\" first.",
						 engine->ledger.name),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
				 err_generic_string(PG_DIAG_TABLE_NAME, table),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, psprintf("%s_location_fkey", table))));
}
