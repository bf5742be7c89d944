/*
 * sight.c
 *	  What the caller of a function may see.
 *
 *	  Dates are computed from all of a queue, for everybody stands in it; what is
 *	  told of them is what the caller may read of the table backorder.
 */
#include "backorder.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* Has the caller the right to read the table, or some column of it? */
static bool
MayRead(const Ledger *ledger, const char *table)
{
	Oid			relid = LedgerTable(ledger, table);

	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK;
}

static bool
RowsAreHidden(const Ledger *ledger, const char *table)
{
	return check_enable_rls(LedgerTable(ledger, table), InvalidOid, true) == RLS_ENABLED;
}

/* May the caller read all rows of the table? */
bool
SightOfTable(const Ledger *ledger, const char *table)
{
	return MayRead(ledger, table) && !RowsAreHidden(ledger, table);
}

/* Error 42501 unless the caller may read "table". */
void
SightInit(Sight *sight, Oid relid, const char *table)
{
	LedgerOfTable(relid, &sight->ledger);
	if (!MayRead(&sight->ledger, table))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, table);
	sight->user = GetUserId();
	sight->some_rows = RowsAreHidden(&sight->ledger, "backorder");
	sight->inbound = SightOfTable(&sight->ledger, "inbound");
}

/* May the caller read this backorder?  Asks as the caller, policies of row security and all. */
bool
SightOfRow(const Sight *sight, int64 backorder_id)
{
	static const LedgerQuery query = {
		"SELECT FROM @.backorder WHERE backorder_id = $1", 1, {INT8OID}
	};
	Datum		values[1] = {Int64GetDatum(backorder_id)};
	int			level = NewGUCNestLevel();
	bool		found;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SpiConnect();
	SpiExpect(SPI_execute_snapshot(LedgerPlan(&sight->ledger, &query), values, NULL, GetActiveSnapshot(),
								   InvalidSnapshot, true, false, 1));
	found = SPI_processed > 0;
	SPI_finish();
	AtEOXact_GUC(false, level);
	return found;
}
