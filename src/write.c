/*
 * write.c
 *	  Rows of the engine's own tables, written without SPI.
 *
 *	  A statement through SPI starts an executor and reads the CHECK constraints of
 *	  the table from the catalog; for an order that writes one row into two tables
 *	  that is most of the work.  Here rows go to the table and its indexes directly,
 *	  several at once, and CHECKs that have been read are kept for the session.
 *
 *	  That serves tables as they were created, with columns, indexes and CHECKs of
 *	  the user's own.  What else may be attached to a table (triggers, rules,
 *	  defaults, partitions, functions of the user's in CHECKs and indexes) is for
 *	  SQL: then there is no writer, and the caller has a statement that does the same.
 */
#include "backorder.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* rows are kept until there are so many, or so much */
#define ROWS_AT_ONCE 256
#define BYTES_AT_ONCE (1024 * 1024)

/* What is known of a table, until the catalog changes. */
typedef struct Target
{
	Oid			relid;
	const RowShape *shape;
	uint64		epoch;
	bool		plain;			/* there is nothing that needs SQL */
	AttrNumber	attnum[MAX_ROW_COLUMNS];
	int			columns;
	int			writers;		/* that use it now */
	MemoryContext memory;
	EState	   *estate;			/* in which CHECKs are evaluated */
	ExprState **checks;			/* NULL until the first row */
} Target;

struct Writer
{
	Target	   *target;
	Relation	rel;
	ResultRelInfo *result;
	EState	   *estate;			/* of index entries */
	TupleTableSlot *old;		/* the row to be changed: in "read", or the caller's */
	TupleTableSlot *read;
	TupleTableSlot *rows[ROWS_AT_ONCE];
	int			made;			/* of them */
	int			count;			/* wait to be written */
	MemoryContext memory;
	MemoryContextCallback release;
};

static bool
IsUserFunction(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

static bool
RunsUserFunction(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return IsA(node, CoerceToDomain) || check_functions_in_node(node, IsUserFunction, NULL) ||
		expression_tree_walker(node, RunsUserFunction, context);
}

/* The guard of the engine's tables lets the engine pass. */
static bool
IsOurGuard(const Trigger *trigger)
{
	char	   *name;

	if (trigger->tgtype & (TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSTEAD) || !(trigger->tgtype & TRIGGER_TYPE_BEFORE))
		return false;
	name = get_func_name(trigger->tgfoid);
	return name != NULL && strcmp(name, "refuse_write") == 0 &&
		get_func_namespace(trigger->tgfoid) == get_namespace_oid("backorder", true);
}

static bool
HasTriggers(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgtype & (TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE) &&
			!IsOurGuard(&triggers->triggers[i]))
			return true;
	return false;
}

static bool
RunsUserFunctions(const TupleConstr *constraints, const ResultRelInfo *result)
{
	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
		if (RunsUserFunction(stringToNode(constraints->check[i].ccbin), NULL))
			return true;
	for (int i = 0; i < result->ri_NumIndices; i++)
		if (RunsUserFunction((Node *) result->ri_IndexRelationInfo[i]->ii_Expressions, NULL) ||
			RunsUserFunction((Node *) result->ri_IndexRelationInfo[i]->ii_Predicate, NULL))
			return true;
	return false;
}

/* Finds our columns; false if one is missing or is of another type, or a user's would not be just NULL. */
static bool
FindOurColumns(Target *target, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			found = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		const FormData_pg_attribute *column = TupleDescAttr(desc, i);
		int			ours = 0;

		if (column->attisdropped)
			continue;
		while (ours < target->columns && strcmp(target->shape->columns[ours].name, NameStr(column->attname)) != 0)
			ours++;
		if (ours < target->columns && target->shape->columns[ours].type == column->atttypid)
		{
			target->attnum[ours] = i + 1;
			found++;
		}
		else if (ours < target->columns || column->atthasdef || column->attidentity)
			return false;
	}
	return found == target->columns;
}

static bool
IsPlain(Target *target, Relation rel, const ResultRelInfo *result)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind == RELKIND_RELATION && !rel->rd_rel->relispartition &&
		!rel->rd_rel->relhassubclass && rel->rd_rules == NULL && !HasTriggers(rel->trigdesc) &&
		(constraints == NULL || !HasGeneratedColumns(constraints)) &&
		FindOurColumns(target, rel) && !RunsUserFunctions(constraints, result);
}

static Target *
TargetOf(Oid relid, const RowShape *shape)
{
	static Target targets[16];
	static int	next = 0;
	Target	   *target;

	for (int i = 0; i < (int) lengthof(targets); i++)
		if (targets[i].relid == relid && targets[i].shape == shape)
			return &targets[i];
	target = &targets[next++ % lengthof(targets)];
	if (target->writers > 0)
		return NULL;			/* all are in use: a trigger within a trigger within ... */
	target->epoch = 0;
	target->relid = relid;
	target->shape = shape;
	return target;
}

/* Learns what there is to know; false if that cannot be now. */
static bool
TargetLearn(Target *target, Relation rel, const ResultRelInfo *result)
{
	MemoryContext caller;

	if (target->epoch == CatalogEpoch())
		return true;
	if (target->writers > 0)
		return false;			/* somebody further up works with what it was */
	target->epoch = 0;
	if (target->memory == NULL)
		target->memory = AllocSetContextCreate(CacheMemoryContext, "backorder target", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(target->memory);
	target->checks = NULL;
	for (target->columns = 0; target->columns < MAX_ROW_COLUMNS; target->columns++)
		if (target->shape->columns[target->columns].name == NULL)
			break;
	target->plain = IsPlain(target, rel, result);
	caller = MemoryContextSwitchTo(target->memory);
	target->estate = CreateExecutorState();
	MemoryContextSwitchTo(caller);
	target->epoch = CatalogEpoch();
	return true;
}

static void
TargetRelease(void *target)
{
	((Target *) target)->writers--;
}

static void
CloseTable(Writer *writer)
{
	ExecCloseIndices(writer->result);
	FreeExecutorState(writer->estate);
	table_close(writer->rel, NoLock);
	MemoryContextDelete(writer->memory);
}

/*
 * A writer for a table of the ledger whose columns these are; NULL if the table
 * has something that SQL must serve.  Everything is as if the statements of SQL
 * had run once the writer is closed.
 */
Writer *
WriterOpen(Engine *engine, const char *table, const RowShape *shape)
{
	Relation	rel = table_open(LedgerTable(&engine->ledger, table), RowExclusiveLock);
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "backorder writer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);
	Writer	   *writer = palloc0(sizeof(Writer));

	writer->memory = memory;
	writer->rel = rel;
	writer->estate = CreateExecutorState();
	writer->result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->result, rel, 0, NULL, 0);
	ExecOpenIndices(writer->result, false);
	MemoryContextSwitchTo(caller);
	writer->target = TargetOf(RelationGetRelid(rel), shape);
	if (writer->target == NULL || !TargetLearn(writer->target, rel, writer->result) || !writer->target->plain)
	{
		CloseTable(writer);
		return NULL;
	}
	writer->target->writers++;
	writer->release.func = TargetRelease;
	writer->release.arg = writer->target;
	MemoryContextRegisterResetCallback(memory, &writer->release);
	CheckConstraintExprs(writer->result) = writer->target->checks;
	return writer;
}

static TupleTableSlot *
NewSlot(Writer *writer)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->memory);
	TupleTableSlot *slot = table_slot_create(writer->rel, NULL);

	MemoryContextSwitchTo(caller);
	return slot;
}

/* Makes a row of the values in the slot, if they are allowed. */
static void
FormRow(Writer *writer, TupleTableSlot *slot)
{
	Target	   *target = writer->target;

	ExecStoreVirtualTuple(slot);
	if (RelationGetDescr(writer->rel)->constr != NULL)
	{
		ExecConstraints(writer->result, slot, target->estate);
		target->checks = CheckConstraintExprs(writer->result);
		ResetPerTupleExprContext(target->estate);
	}
	ExecMaterializeSlot(slot);
}

/* All rows that were added are written after this. */
void
WriterFlush(Writer *writer)
{
	MemoryContext caller;

	if (writer->count == 0)
		return;
	caller = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
	table_multi_insert(writer->rel, writer->rows, writer->count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < writer->count; i++)
	{
		(void) InsertIndexes(writer->result, writer->estate, writer->rows[i]);
		ResetPerTupleExprContext(writer->estate);
	}
	MemoryContextSwitchTo(caller);
	writer->count = 0;
}

/* Adds a row of copies of the values, which are as the shape tells; it is written now or soon. */
void
WriterInsert(Writer *writer, const Datum *values, const bool *nulls)
{
	Target	   *target = writer->target;
	TupleTableSlot *slot;

	if (writer->count == writer->made)
		writer->rows[writer->made++] = NewSlot(writer);
	slot = ExecClearTuple(writer->rows[writer->count]);
	memset(slot->tts_isnull, true, RelationGetDescr(writer->rel)->natts * sizeof(bool));
	for (int i = 0; i < target->columns; i++)
	{
		slot->tts_values[target->attnum[i] - 1] = values[i];
		slot->tts_isnull[target->attnum[i] - 1] = nulls[i];
	}
	FormRow(writer, slot);
	if (++writer->count == ROWS_AT_ONCE || MemoryContextMemAllocated(writer->memory, false) > BYTES_AT_ONCE)
		WriterFlush(writer);
}

/* Reads the row that is to be changed, by its place; false if it is gone. */
bool
WriterRead(Writer *writer, ItemPointer tid)
{
	if (writer->read == NULL)
		writer->read = NewSlot(writer);
	writer->old = writer->read;
	return table_tuple_fetch_row_version(writer->rel, tid, SnapshotAny, writer->old);
}

/* The row that is to be changed is in this slot. */
void
WriterTake(Writer *writer, TupleTableSlot *slot)
{
	writer->old = slot;
}

/* A column of the row that is to be changed, by its number in the shape. */
Datum
WriterValue(Writer *writer, int column)
{
	return RowValue(writer->old, writer->target->attnum[column]);
}

/*
 * Writes the row anew, with new values from the first of these
 * columns on.  Nobody else can have changed it since it was chosen, or it is
 * false; under REPEATABLE READ and above, somebody may have before that, unseen by
 * the transaction: error 40001.
 */
bool
WriterUpdate(Writer *writer, int first, const Datum *values, const bool *nulls, int count)
{
	int			natts = RelationGetDescr(writer->rel)->natts;
	Snapshot	crosscheck = IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : InvalidSnapshot;
	TupleTableSlot *old = writer->old;
	TupleTableSlot *slot;
	TM_FailureData failure;
	LockTupleMode lock;
	IndexesToUpdate which;

	if (writer->made == 0)
		writer->rows[writer->made++] = NewSlot(writer);
	slot = ExecClearTuple(writer->rows[0]);
	slot_getallattrs(old);
	memcpy(slot->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		slot->tts_values[writer->target->attnum[first + i] - 1] = values[i];
		slot->tts_isnull[writer->target->attnum[first + i] - 1] = nulls[i];
	}
	FormRow(writer, slot);
	CheckCmdReplicaIdentity(writer->rel, CMD_UPDATE);
	if (UpdateTuple(writer->rel, &old->tts_tid, slot, GetCurrentCommandId(true), GetActiveSnapshot(),
					crosscheck, &failure, &lock, &which) != TM_Ok)
	{
		if (IsolationUsesXactSnapshot())
			RefuseConcurrentUpdate();
		return false;
	}
	if (!NoIndexToUpdate(which))
		list_free(UpdateIndexes(writer->result, writer->estate, slot, which));
	ResetPerTupleExprContext(writer->estate);
	return true;
}

void
WriterClose(Writer *writer)
{
	WriterFlush(writer);
	for (int i = 0; i < writer->made; i++)
		ExecDropSingleTupleTableSlot(writer->rows[i]);
	if (writer->read != NULL)
		ExecDropSingleTupleTableSlot(writer->read);
	CloseTable(writer);
	CommandCounterIncrement();
}

/*
 * Rows to be added to a table of the ledger, by a writer or by "insert", which adds
 * its input with all columns.
 */
void
AdditionsInit(Additions *additions, Engine *engine, const char *table, const LedgerQuery *insert)
{
	additions->table = table;
	additions->insert = insert;
	additions->writer = WriterOpen(engine, table, insert->input);
	if (additions->writer == NULL)
		RowsInit(&additions->rows, insert->input);
}

void
AdditionsAdd(Additions *additions, const Datum *values, const bool *nulls)
{
	if (additions->writer != NULL)
		WriterInsert(additions->writer, values, nulls);
	else
		RowsAdd(&additions->rows, values, nulls);
}

/* All is written after this. */
void
AdditionsEnd(Additions *additions, Engine *engine)
{
	if (additions->writer != NULL)
	{
		WriterClose(additions->writer);
		return;
	}
	if (EngineExecuteOn(engine, additions->insert, &additions->rows, NULL) != (uint64) additions->rows.count)
		EngineObstructed(additions->table);
	RowsEnd(&additions->rows);
}
