/*
 * key.c
 *	  Rows of a ledger's table by its primary key, without SPI.
 *
 *	  What an order in stock needs is read here: the policy of its item and one
 *	  slot of the balance.  Rows are seen as of the latest snapshot at every
 *	  isolation level; who writes one compares it with the transaction's own.
 */
#include "backorder.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* A user may have altered the table; what is assumed below must hold. */
static void
CheckKey(const KeyedTable *table, const ColumnShape *keys, int nkeys)
{
	Relation	index = table->index;
	TupleDesc	desc = RelationGetDescr(table->rel);
	bool		fits = index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indrelid == RelationGetRelid(table->rel) &&
		index->rd_index->indisvalid && index->rd_index->indnkeyatts >= nkeys;

	for (int i = 0; fits && i < nkeys; i++)
		fits = ColumnIs(desc, index->rd_index->indkey.values[i], keys[i].name) &&
			index->rd_opcintype[i] == keys[i].type &&
			(keys[i].type != TEXTOID || index->rd_indcollation[i] == C_COLLATION_OID);
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" of table \"%s\" is not the one it was created with",
						RelationGetRelationName(index), RelationGetRelationName(table->rel))));
}

/* Which table and index a name of a ledger stands for. */
typedef struct TablePlace
{
	Oid			schema;
	Oid			owner;
	const char *name;
	const char *index_name;
	uint64		epoch;
	Oid			relid;
	Oid			index;
} TablePlace;

/* Names are constants of ours, so places are told apart by their addresses. */
static TablePlace *
PlaceOf(const Ledger *ledger, const char *name, const char *index_name)
{
	static TablePlace places[16];
	static int	next = 0;
	TablePlace *place;

	for (int i = 0; i < (int) lengthof(places); i++)
		if (places[i].schema == ledger->schema && places[i].name == name && places[i].index_name == index_name)
			return &places[i];
	place = &places[next++ % lengthof(places)];
	place->schema = ledger->schema;
	place->name = name;
	place->index_name = index_name;
	place->epoch = 0;
	return place;
}

static void
FindPlace(TablePlace *place, KeyedTable *table, const Ledger *ledger, const ColumnShape *keys,
		  int nkeys, LOCKMODE mode)
{
	table->rel = table_open(LedgerTable(ledger, place->name), mode);
	place->index = table->rel->rd_rel->relkind != RELKIND_RELATION ? InvalidOid :
		place->index_name == NULL ? PrimaryKeyIndex(table->rel) :
		get_relname_relid(place->index_name, ledger->schema);
	if (!OidIsValid(place->index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" of ledger \"%s\" is not a plain table with %s", place->name, ledger->name,
						place->index_name == NULL ? "a primary key" :
						psprintf("the index \"%s\"", place->index_name))));
	table->index = index_open(place->index, mode);
	CheckKey(table, keys, nkeys);
	place->relid = RelationGetRelid(table->rel);
	place->owner = ledger->owner;
	place->epoch = CatalogEpoch();
}

/* Opens what is known; false if it is known no more. */
static bool
OpenPlace(const TablePlace *place, KeyedTable *table, const Ledger *ledger, LOCKMODE mode)
{
	if (place->epoch != CatalogEpoch() || place->owner != ledger->owner)
		return false;
	table->rel = table_open(place->relid, mode);
	table->index = NULL;
	if (place->epoch == CatalogEpoch())
		return true;
	/* changed while we waited for the lock */
	table_close(table->rel, mode);
	return false;
}

/*
 * Opens a table to be read through one of its indexes (index_name NULL: that of
 * its primary key), which begins with these columns.
 */
void
KeyedTableOpenIndex(KeyedTable *table, const Ledger *ledger, const char *name, const char *index_name,
					const ColumnShape *keys, int nkeys, LOCKMODE mode, Snapshot snapshot)
{
	TablePlace *place = PlaceOf(ledger, name, index_name);

	if (!OpenPlace(place, table, ledger, mode))
		FindPlace(place, table, ledger, keys, nkeys, mode);
	table->index_oid = place->index;
	table->mode = mode;
	table->slot = table_slot_create(table->rel, NULL);
	table->snapshot = RegisterSnapshot(snapshot);
}

void
KeyedTableOpen(KeyedTable *table, const Ledger *ledger, const char *name, const ColumnShape *keys,
			   int nkeys, LOCKMODE mode)
{
	KeyedTableOpenIndex(table, ledger, name, NULL, keys, nkeys, mode, GetLatestSnapshot());
}

void
KeyedTableClose(KeyedTable *table)
{
	UnregisterSnapshot(table->snapshot);
	ExecDropSingleTupleTableSlot(table->slot);
	if (table->index != NULL)
		index_close(table->index, NoLock);
	table_close(table->rel, NoLock);
}

/* What is committed now, and what this transaction has written so far. */
void
KeyedTableRefresh(KeyedTable *table)
{
	CommandCounterIncrement();
	UnregisterSnapshot(table->snapshot);
	table->snapshot = RegisterSnapshot(GetLatestSnapshot());
}

/*
 * A scan in key order over the rows with the given leading keys; "last" tells
 * whether the last of them is a value or, for a number, where to begin.
 */
IndexScanDesc
KeyedTableScan(KeyedTable *table, const Datum *keys, int nkeys, StrategyNumber last)
{
	ScanKeyData scankeys[INDEX_MAX_KEYS];
	IndexScanDesc scan;

	/* a slot that is recalled needs none; whoever replaces an index waits for the lock on the table */
	if (table->index == NULL)
		table->index = index_open(table->index_oid, table->mode);
	for (int i = 0; i < nkeys; i++)
	{
		bool		is_text = table->index->rd_opcintype[i] == TEXTOID;

		StrategyNumber strategy = i == nkeys - 1 ? last : BTEqualStrategyNumber;

		Assert(strategy == BTEqualStrategyNumber || !is_text);
		ScanKeyEntryInitialize(&scankeys[i], 0, i + 1, strategy, InvalidOid,
							   is_text ? C_COLLATION_OID : InvalidOid,
							   is_text ? F_TEXTEQ : strategy == BTEqualStrategyNumber ? F_INT4EQ : F_INT4GE,
							   keys[i]);
	}
	scan = IndexBeginScan(table->rel, table->index, table->snapshot, nkeys);
	index_rescan(scan, scankeys, nkeys, NULL, 0);
	return scan;
}

/*
 * The row with this key, in table->slot, which pins its page until it is cleared.
 * The index has an entry for each page on which versions of the row are left.
 * While an old snapshot keeps them all, new ones come on new pages at the end of
 * the table, so the entries are read from their end.
 */
bool
KeyedTableGet(KeyedTable *table, const Datum *keys, int nkeys)
{
	IndexScanDesc scan = KeyedTableScan(table, keys, nkeys, BTEqualStrategyNumber);
	bool		found = index_getnext_slot(scan, BackwardScanDirection, table->slot);

	index_endscan(scan);
	return found;
}

/*
 * Is the row in table->slot one that the transaction's own snapshot sees?  Under
 * REPEATABLE READ and SERIALIZABLE no other version may be written.
 */
bool
SeenByTransaction(const KeyedTable *table)
{
	return !IsolationUsesXactSnapshot() ||
		table_tuple_satisfies_snapshot(table->rel, table->slot, GetTransactionSnapshot());
}

void
RefuseConcurrentUpdate(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

/*
 * Under SERIALIZABLE nothing is decided by a version that the transaction's
 * snapshot does not see: PostgreSQL, which expects no such reads, cannot tell
 * that its writer then comes first.
 */
void
RequireSeen(const KeyedTable *table)
{
	if (IsolationIsSerializable() && !SeenByTransaction(table))
		RefuseConcurrentUpdate();
}

/* Has a user attached anything to the table that runs when a row is written? */
bool
RunsUserCode(Relation rel, const ResultRelInfo *result)
{
	const TriggerDesc *triggers = rel->trigdesc;
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	if (triggers != NULL &&
		(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
		 triggers->trig_update_before_row || triggers->trig_update_after_row))
		return true;
	if (constraints != NULL && (constraints->num_check > 0 || constraints->has_generated_stored))
		return true;
	for (int i = 0; i < result->ri_NumIndices; i++)
		if (result->ri_IndexRelationInfo[i]->ii_Expressions != NIL ||
			result->ri_IndexRelationInfo[i]->ii_Predicate != NIL)
			return true;
	return false;
}
