/*
 * backorder.c
 *	  The module: what happens when the library is loaded.
 *
 *	  How the files stand on each other, from the ground up:
 *
 *	  number, rows				quantities; rows for SQL
 *	  ledger, plan, trigger		which ledger, with which plans, called how
 *	  gate, key, policy, slot, stock, waiting	the lock, and the balance behind it
 *	  rule, queue, place, loss	who waits, who gets, who loses
 *	  pending, line, fact, journal, outbox	order lines, what is written about them, who hears of it
 *	  engine, work				acting as the owner; groups of work, in lock order
 *	  order, intent, edit, move, flow	the triggers on orders and stock
 *	  master, guard, status		the other triggers
 *	  basket, hand, clock, admin, kpi	the functions
 */
#include "backorder.h"

#include "utils/guc.h"

PG_MODULE_MAGIC;

static char *actor = NULL;

void		_PG_init(void);

void
_PG_init(void)
{
	DefineCustomStringVariable("backorder.actor",
							   "Who is acting, for the journal.",
							   "An application sets it for each transaction, beside the session user.",
							   &actor, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("backorder.max_slots",
							"Parts in which the balance of an item at a location is kept at the most.",
							"More parts let more orders of one item run side by side.",
							&max_slots, 16, 1, 256, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("backorder.notify",
							 "Sends a notification on channel \"backorder\" for each item that the journal tells of.",
							 "Transactions that notify commit one at a time.",
							 &notify, false, PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("backorder");
	CatalogInit();
	PendingInit();
}
