/*
 * ledger.c
 *	  Which ledger a relation belongs to.
 *
 *	  A ledger is a schema of ordinary tables.  It is found from the relation
 *	  that a trigger fired on, never from search_path, so renaming the schema
 *	  changes nothing.
 */
#include "backorder.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* what is remembered of the catalog holds as long as this stays the same */
static uint64 catalog_epoch = 1;

uint64
CatalogEpoch(void)
{
	return catalog_epoch;
}

static void
RelationChanged(Datum arg, Oid relid)
{
	catalog_epoch++;
}

static void
SchemaChanged(Datum arg, int cacheid, uint32 hashvalue)
{
	catalog_epoch++;
}

void
CatalogInit(void)
{
	CacheRegisterRelcacheCallback(RelationChanged, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, SchemaChanged, (Datum) 0);
}

/* The schema and the name of a relation; of its topmost parent for a partition. */
Oid
RelationLedgerSchema(Relation rel, const char **table)
{
	if (rel->rd_rel->relispartition)
	{
		List	   *ancestors = get_partition_ancestors(RelationGetRelid(rel));
		Oid			root = llast_oid(ancestors);

		*table = get_rel_name(root);
		return get_rel_namespace(root);
	}
	*table = RelationGetRelationName(rel);
	return RelationGetNamespace(rel);
}

static void
LedgerFill(Ledger *ledger, Oid schema, Oid owner)
{
	char	   *name = get_namespace_name(schema);

	if (name == NULL)
		elog(ERROR, "cache lookup failed for schema %u", schema);
	ledger->schema = schema;
	ledger->owner = owner;
	strlcpy(ledger->name, name, NAMEDATALEN);
}

static Oid
RelationOwner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * The ledger whose table this relation is; an error if it is another relation.
 * "table" NULL accepts any table of a ledger.
 */
void
LedgerOfRelation(Relation rel, const char *table, Ledger *ledger)
{
	static struct
	{
		Oid			relid;
		const char *table;
		uint64		epoch;
		Ledger		ledger;
	}			known[8];
	int			place = RelationGetRelid(rel) % lengthof(known);
	const char *name;
	Oid			schema;

	if (known[place].relid == RelationGetRelid(rel) && known[place].table == table &&
		known[place].epoch == catalog_epoch)
	{
		*ledger = known[place].ledger;
		return;
	}
	schema = RelationLedgerSchema(rel, &name);
	if ((table != NULL && strcmp(name, table) != 0) ||
		!OidIsValid(get_relname_relid("stock_slot", schema)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("relation \"%s\" is not the table \"%s\" of a ledger",
						RelationGetRelationName(rel), table ? table : "stock_slot")));
	LedgerFill(ledger, schema, rel->rd_rel->relowner);
	known[place].relid = RelationGetRelid(rel);
	known[place].table = table;
	known[place].epoch = catalog_epoch;
	known[place].ledger = *ledger;
}

/* The ledger that owns the relation, for functions that are handed a regclass. */
void
LedgerOfTable(Oid relid, Ledger *ledger)
{
	Oid			schema = get_rel_namespace(relid);

	if (!OidIsValid(schema) || !OidIsValid(get_relname_relid("stock_slot", schema)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("relation with OID %u is not a table of a ledger", relid)));
	LedgerFill(ledger, schema, RelationOwner(relid));
}

static bool
HasTextColumn(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);

	return attnum != InvalidAttrNumber && get_atttype(relid, attnum) == TEXTOID;
}

/* Is this schema a ledger, and not just one with tables of such names? */
bool
SchemaIsLedger(Oid schema)
{
	Oid			settings = get_relname_relid("ledger", schema);

	return OidIsValid(settings) && get_rel_relkind(settings) == RELKIND_RELATION &&
		HasTextColumn(settings, "version") && HasTextColumn(settings, "time_zone") &&
		OidIsValid(get_relname_relid("stock_slot", schema)) &&
		OidIsValid(get_relname_relid("order_line", schema));
}

/* The ledger in a schema, which the caller has named. */
void
LedgerOfSchema(Oid schema, Ledger *ledger)
{
	if (!SchemaIsLedger(schema))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("schema \"%s\" is not a ledger", get_namespace_name(schema)),
				 errhint("The view backorder.ledger lists the ledgers of this database.")));
	LedgerFill(ledger, schema, RelationOwner(get_relname_relid("stock_slot", schema)));
}

/*
 * A table of the ledger by name.  All tables of a ledger have one owner: the
 * engine reaches some of them without the executor's permission checks.
 */
Oid
LedgerTable(const Ledger *ledger, const char *table)
{
	Oid			relid = get_relname_relid(table, ledger->schema);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("ledger \"%s\" has no table \"%s\"", ledger->name, table)));
	if (RelationOwner(relid) != ledger->owner)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table \"%s\" of ledger \"%s\" has another owner than the table that was written",
						table, ledger->name),
				 errhint("Give all tables of the ledger to one owner, with REASSIGN OWNED or ALTER TABLE ... OWNER TO.")));
	return relid;
}

/* The sequence that numbers the rows of a table, remembered until the catalog changes.  Error 55000 if there is none. */
Oid
LedgerSequence(const Ledger *ledger, const char *table, const char *column)
{
	static struct
	{
		Oid			schema;
		const char *table;
		uint64		epoch;
		Oid			sequence;
	}			known[8];
	static int	next = 0;
	int			place;
	LOCAL_FCINFO(fcinfo, 2);
	Datum		name;

	for (place = 0; place < (int) lengthof(known); place++)
		if (known[place].schema == ledger->schema && known[place].table == table && known[place].epoch == catalog_epoch)
			return known[place].sequence;
	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(quote_qualified_identifier(ledger->name, table));
	fcinfo->args[1].value = CStringGetTextDatum(column);
	fcinfo->args[0].isnull = fcinfo->args[1].isnull = false;
	name = pg_get_serial_sequence(fcinfo);
	if (fcinfo->isnull)
		EngineFoundDamage(ledger, psprintf("rows of the table \"%s\" are not numbered by a sequence", table));
	place = next++ % lengthof(known);
	known[place].epoch = 0;
	known[place].sequence = DatumGetObjectId(DirectFunctionCall1(regclassin, CStringGetDatum(TextDatumGetCString(name))));
	known[place].schema = ledger->schema;
	known[place].table = table;
	known[place].epoch = catalog_epoch;
	return known[place].sequence;
}

/* May the caller know what is in this table or view?  Messages tell him no more. */
bool
CallerMayRead(const Engine *engine, const char *table)
{
	Oid			relid = get_relname_relid(table, engine->ledger.schema);

	return OidIsValid(relid) && pg_class_aclcheck(relid, engine->caller, ACL_SELECT) == ACLCHECK_OK;
}
