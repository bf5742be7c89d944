/*
 * ledger.c
 *	  Which ledger a relation belongs to, and acting as its owner.
 *
 *	  A ledger is a schema of ordinary tables.  It is found from the relation
 *	  that a trigger fired on, never from search_path, so renaming the schema
 *	  changes nothing.  While the engine works it is the owner of the tables, as
 *	  ri_triggers.c is: a clerk who may insert orders needs no rights on the
 *	  engine's tables, and whoever attaches these triggers to tables of his own
 *	  acts as himself.
 */
#include "backorder.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* the engine's work in progress, innermost first */
static Engine *current_engine = NULL;

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
	const char *name;
	Oid			schema = RelationLedgerSchema(rel, &name);

	if ((table != NULL && strcmp(name, table) != 0) ||
		!OidIsValid(get_relname_relid("stock_slot", schema)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("relation \"%s\" is not the table \"%s\" of a ledger",
						RelationGetRelationName(rel), table ? table : "stock_slot")));
	LedgerFill(ledger, schema, rel->rd_rel->relowner);
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

/* The ledger in a schema, which the caller has named. */
void
LedgerOfSchema(Oid schema, Ledger *ledger)
{
	Oid			slots = get_relname_relid("stock_slot", schema);

	if (!OidIsValid(slots) || !OidIsValid(get_relname_relid("ledger", schema)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("schema \"%s\" is not a ledger", get_namespace_name(schema)),
				 errhint("The view backorder.ledger lists the ledgers of this database.")));
	LedgerFill(ledger, schema, RelationOwner(slots));
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

static void
EngineEnter(Engine *engine, const Ledger *ledger)
{
	memset(engine, 0, sizeof(Engine));
	engine->ledger = *ledger;
	engine->trigger_depth = DatumGetInt32(pg_trigger_depth(NULL));
	engine->memory = AllocSetContextCreate(CurrentMemoryContext, "backorder statement",
										   ALLOCSET_DEFAULT_SIZES);
	GetUserIdAndSecContext(&engine->caller, &engine->caller_context);
	SetUserIdAndSecContext(ledger->owner,
						   engine->caller_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	engine->outer = current_engine;
	current_engine = engine;
}

static void
EngineLeave(Engine *engine)
{
	StockRelease(engine);
	PolicyRelease(engine);
	if (engine->spi_connected)
	{
		SPI_finish();
		AtEOXact_GUC(false, engine->guc_level);
	}
	current_engine = engine->outer;
	SetUserIdAndSecContext(engine->caller, engine->caller_context);
}

/*
 * Does a piece of work as the owner of the ledger, in memory of its own.  On
 * error the (sub)transaction's abort gives back the caller's identity, settings
 * and SPI stack; only our own pointer is put back here.
 */
void
EngineRun(const Ledger *ledger, EngineWork work, void *argument)
{
	Engine		engine;
	Engine	   *outer = current_engine;
	MemoryContext caller_memory = CurrentMemoryContext;

	EngineEnter(&engine, ledger);
	PG_TRY();
	{
		MemoryContextSwitchTo(engine.memory);
		work(&engine, argument);
		FactFlush(&engine);
		JournalFlush(&engine);
		EngineLeave(&engine);
	}
	PG_CATCH();
	{
		current_engine = outer;
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller_memory);
	MemoryContextDelete(engine.memory);
}

/*
 * Is the statement whose trigger runs now one of the engine's own on this
 * ledger?  Triggers of its statements run one level below it; whatever a user's
 * trigger does down there runs two levels below.
 */
bool
EngineIsWriting(Oid schema)
{
	return current_engine != NULL &&
		current_engine->ledger.schema == schema &&
		current_engine->trigger_depth + 1 == DatumGetInt32(pg_trigger_depth(NULL));
}

/* Fewer rows were written than the engine wrote: a trigger of the user's must have skipped some. */
void
EngineObstructed(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a row that the engine writes into table \"%s\" was not written", table),
			 errhint("A BEFORE trigger on the table returns NULL for it, or a rule changes what is written.")));
}

/* May the caller know what is in this table or view?  Messages tell him no more. */
bool
CallerMayRead(const Engine *engine, const char *table)
{
	Oid			relid = get_relname_relid(table, engine->ledger.schema);

	return OidIsValid(relid) && pg_class_aclcheck(relid, engine->caller, ACL_SELECT) == ACLCHECK_OK;
}

/*
 * SPI, with a search_path in which nobody can plant anything.  The path of an
 * order in stock comes by without it.
 */
void
EngineConnect(Engine *engine)
{
	if (engine->spi_connected)
		return;
	engine->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	engine->spi_connected = true;
	MemoryContextSwitchTo(engine->memory);
}
