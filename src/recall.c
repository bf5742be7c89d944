/*
 * recall.c
 *	  The slot of a balance that served this session last.
 *
 *	  The version that a session wrote is most often still the newest, and is read
 *	  by its place without going through the index.  A place is a guess: the row
 *	  found there must be visible and have the key, or the index is asked.  It is
 *	  asked now and then in any case, because on that way PostgreSQL clears old
 *	  versions off the page.
 */
#include "backorder.h"

#include "access/tableam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

/* a power of two; twenty bytes each */
#define PLACES 16384

/* An index look-up clears the page; it has room for more versions than this. */
#define LONGEST_RECALL 8

typedef struct Place
{
	Oid			relid;
	uint32		hash;
	int32		number;
	uint16		uses;
	ItemPointerData tid;
} Place;

/* One place for the slots that hold stock, one for those below zero. */
static Place *
PlaceOfSlot(const Stock *stock, const StockKey *key, bool waiting)
{
	static Place *places = NULL;
	uint32		hash = waiting ? ~key->hash : key->hash;
	Oid			relid = RelationGetRelid(stock->table.rel);
	Place	   *place;

	if (places == NULL)
		places = MemoryContextAllocZero(TopMemoryContext, PLACES * sizeof(Place));
	place = &places[hash & (PLACES - 1)];
	if (place->relid != relid || place->hash != hash)
	{
		place->relid = relid;
		place->hash = hash;
		ItemPointerSetInvalid(&place->tid);
	}
	return place;
}

/* The number of the slot to try first: that which served last, or else one of this session's own. */
int
RecallNumber(const Stock *stock, const StockKey *key)
{
	Place	   *place = PlaceOfSlot(stock, key, false);

	return ItemPointerIsValid(&place->tid) && place->uses < LONGEST_RECALL ? place->number :
		MyProcPid % max_slots;
}

/* Reads the slot with this number into table.slot if it is where it was. */
bool
RecallSlot(Stock *stock, const StockKey *key, int number)
{
	Place	   *place = PlaceOfSlot(stock, key, number < 0);

	if (!ItemPointerIsValid(&place->tid) || place->number != number || place->uses >= LONGEST_RECALL ||
		ItemPointerGetBlockNumber(&place->tid) >= RelationGetNumberOfBlocks(stock->table.rel) ||
		!table_tuple_fetch_row_version(stock->table.rel, &place->tid, stock->table.snapshot, stock->table.slot))
		return false;
	place->uses++;
	return SlotIs(stock, key, number);
}

/* The index has found the slot that is in table.slot. */
void
RememberSlot(Stock *stock, const StockKey *key, int number)
{
	Place	   *place = PlaceOfSlot(stock, key, number < 0);

	place->number = number;
	place->tid = stock->table.slot->tts_tid;
	place->uses = 0;
}

/* The slot has been written: its newest version is "next". */
void
RememberWrite(Stock *stock, const StockKey *key, int number)
{
	Place	   *place = PlaceOfSlot(stock, key, number < 0);

	if (place->number == number)
		place->tid = stock->next->tts_tid;
}
