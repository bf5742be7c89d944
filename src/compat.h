/*
 * compat.h
 *	  What differs between PostgreSQL majors.  Nothing else has an #if on versions.
 */
#ifndef BACKORDER_COMPAT_H
#define BACKORDER_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "backorder needs PostgreSQL 15 or newer"
#endif

#include "catalog/pg_namespace.h"
#include "utils/acl.h"

#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

#if PG_VERSION_NUM >= 180000
#define PrimaryKeyIndex(rel) RelationGetPrimaryKeyIndex(rel, false)
#else
#define PrimaryKeyIndex(rel) RelationGetPrimaryKeyIndex(rel)
#endif

#if PG_VERSION_NUM >= 190000
#define IndexBeginScan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0, SO_NONE)
#elif PG_VERSION_NUM >= 180000
#define IndexBeginScan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define IndexBeginScan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

#if PG_VERSION_NUM >= 190000
#define UpdateTuple(rel, tid, slot, cid, snapshot, crosscheck, failure, lock, which) \
	table_tuple_update(rel, tid, slot, cid, 0, snapshot, crosscheck, true, failure, lock, which)
#else
#define UpdateTuple(rel, tid, slot, cid, snapshot, crosscheck, failure, lock, which) \
	table_tuple_update(rel, tid, slot, cid, snapshot, crosscheck, true, failure, lock, which)
#endif

/* the index entries that an update in place of the executor still owes */
#if PG_VERSION_NUM >= 160000
#define IndexesToUpdate TU_UpdateIndexes
#define NoIndexToUpdate(which) ((which) == TU_None)
#else
#define IndexesToUpdate bool
#define NoIndexToUpdate(which) (!(which))
#endif

#if PG_VERSION_NUM >= 190000
#define InsertIndexes(result, estate, slot) ExecInsertIndexTuples(result, estate, 0, slot, NIL, NULL)
#define UpdateIndexes(result, estate, slot, which) \
	ExecInsertIndexTuples(result, estate, \
						  EIIT_IS_UPDATE | ((which) == TU_Summarizing ? EIIT_ONLY_SUMMARIZING : 0), \
						  slot, NIL, NULL)
#elif PG_VERSION_NUM >= 160000
#define InsertIndexes(result, estate, slot) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false)
#define UpdateIndexes(result, estate, slot, which) \
	ExecInsertIndexTuples(result, slot, estate, true, false, NULL, NIL, (which) == TU_Summarizing)
#else
#define InsertIndexes(result, estate, slot) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#define UpdateIndexes(result, estate, slot, which) \
	ExecInsertIndexTuples(result, slot, estate, true, false, NULL, NIL)
#endif

#if PG_VERSION_NUM >= 180000
#define CheckConstraintExprs(result) ((result)->ri_CheckConstraintExprs)
#define HasGeneratedColumns(constraints) ((constraints)->has_generated_stored || (constraints)->has_generated_virtual)
#else
#define CheckConstraintExprs(result) ((result)->ri_ConstraintExprs)
#define HasGeneratedColumns(constraints) ((constraints)->has_generated_stored)
#endif

#if PG_VERSION_NUM < 190000
#define TupleDescFinalize(desc) ((void) (desc))
#endif

#if PG_VERSION_NUM >= 160000
#define NamespaceAclCheck(oid, role, mode) \
	object_aclcheck(NamespaceRelationId, oid, role, mode)
#else
#define NamespaceAclCheck(oid, role, mode) pg_namespace_aclcheck(oid, role, mode)
#endif

#endif
