/*
 * refresh.c
 *	  Promises brought up to date by hand, or by a scheduler: what re-ranking,
 *	  urgent orders, cancellations and orders that joined at the same moment have
 *	  changed.
 */
#include "backorder.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"

typedef struct Refresh
{
	text	   *item;			/* NULL: all */
	text	   *location;		/* NULL: all */
	int64		moved;
} Refresh;

static const LedgerQuery waiting_keys = {
	"SELECT DISTINCT item, location FROM @.backorder WHERE closed_at IS NULL"
	" AND (item = $1 OR $1 IS NULL) AND (location = $2 OR $2 IS NULL)",
	2, {TEXTOID, TEXTOID}
};

static const LedgerQuery waiting_keys_of_item = {
	"SELECT DISTINCT item, location FROM @.backorder WHERE closed_at IS NULL"
	" AND item = $1 AND (location = $2 OR $2 IS NULL)",
	2, {TEXTOID, TEXTOID}
};

static void
RefreshPromises(Engine *engine, void *argument)
{
	Refresh    *refresh = argument;
	Datum		values[2] = {PointerGetDatum(refresh->item), PointerGetDatum(refresh->location)};
	char		nulls[3] = {refresh->item ? ' ' : 'n', refresh->location ? ' ' : 'n', '\0'};
	int			count = (int) EngineExecute(engine, refresh->item ? &waiting_keys_of_item : &waiting_keys, values, nulls);
	StockKey   *keys = ResultKeys(engine, count);

	for (int i = 0; i < count; i++)
	{
		GateLock(&engine->ledger, keys[i].stripe, ExclusiveLock);
		refresh->moved += PromiseMove(engine, &keys[i], "refresh", 0);
	}
}

/*
 * move_promises(relation regclass, item text, location text): sets the promised
 * date of what is waiting to the expected one, where it is further from it than
 * the item's tolerance; NULL is all.  Returns how many moved.
 * Needs UPDATE on order_line.  Locks: the gates of the items, EXCLUSIVE.
 */
PG_FUNCTION_INFO_V1(backorder_move_promises);
Datum
backorder_move_promises(PG_FUNCTION_ARGS)
{
	Refresh		refresh = {NULL, NULL, 0};
	Ledger		ledger;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	LedgerOfTable(PG_GETARG_OID(0), &ledger);
	if (pg_class_aclcheck(LedgerTable(&ledger, "order_line"), GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, "order_line");
	refresh.item = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	refresh.location = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
	EngineRun(&ledger, RefreshPromises, &refresh);
	PG_RETURN_INT64(refresh.moved);
}
