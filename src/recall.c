/*
 * recall.c
 *	  The slot of a balance that served this session last.
 *
 *	  The version that a session wrote is most often still the newest, and is read
 *	  by its place without going through the index.  A place is a guess: the row
 *	  found there must be visible and have the key, or the index is asked.  It is
 *	  asked in any case when the page has become narrow, because on that way
 *	  PostgreSQL clears old versions off it.
 */
#include "backorder.h"

#include "access/tableam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

/* When so many are remembered, all are forgotten: a session has then half a megabyte of them. */
#define MOST_PLACES 14000

/*
 * A page with less room than this, for five versions or so, is narrow.  Not more:
 * beside an old snapshot nothing is cleared, and the index leads to the first of
 * all the versions on the page.
 */
#define NARROW_PAGE (BLCKSZ / 16)

typedef struct Place
{
	uint64		key;			/* the table, and the hash of item and location */
	int32		number;
	ItemPointerData tid;
	char		status;
} Place;

#define SH_PREFIX places
#define SH_ELEMENT_TYPE Place
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key) ^ (uint32) ((key) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static places_hash *places = NULL;

/* One place for the slots that hold stock, one for those below zero. */
static uint64
PlaceKey(const Stock *stock, const StockKey *key, bool waiting)
{
	return ((uint64) RelationGetRelid(stock->table.rel) << 32) | (waiting ? ~key->hash : key->hash);
}

static Place *
FindPlace(const Stock *stock, const StockKey *key, bool waiting)
{
	return places == NULL ? NULL : places_lookup(places, PlaceKey(stock, key, waiting));
}

/* The number of the slot to try first: that which served last, or else one of this session's own. */
int
RecallNumber(const Stock *stock, const StockKey *key, bool waiting)
{
	Place	   *place = FindPlace(stock, key, waiting);
	int			own = MyProcPid % max_slots;

	return place != NULL ? place->number : waiting ? WAITING_SLOT(own) : own;
}

/* Is the page of the row in table.slot short of room?  It is looked at without a lock, for a hint. */
static bool
PageIsNarrow(const Stock *stock)
{
	TupleTableSlot *slot = stock->table.slot;

	return TTS_IS_BUFFERTUPLE(slot) &&
		PageGetHeapFreeSpace(BufferGetPage(((BufferHeapTupleTableSlot *) slot)->buffer)) < NARROW_PAGE;
}

/* Reads the slot with this number into table.slot if it is where it was. */
bool
RecallSlot(Stock *stock, const StockKey *key, int number)
{
	Place	   *place = FindPlace(stock, key, number < 0);

	if (place == NULL || place->number != number ||
		ItemPointerGetBlockNumber(&place->tid) >= RelationGetNumberOfBlocks(stock->table.rel) ||
		!table_tuple_fetch_row_version(stock->table.rel, &place->tid, stock->table.snapshot, stock->table.slot))
		return false;
	if (SlotIs(stock, key, number) && !PageIsNarrow(stock))
		return true;
	ExecClearTuple(stock->table.slot);	/* a page that is pinned twice is not cleared */
	return false;
}

/* The index has found the slot that is in table.slot. */
void
RememberSlot(Stock *stock, const StockKey *key, int number)
{
	Place	   *place;
	bool		found;

	if (places == NULL)
		places = places_create(TopMemoryContext, 256, NULL);
	if (places->members >= MOST_PLACES)
		places_reset(places);
	place = places_insert(places, PlaceKey(stock, key, number < 0), &found);
	place->number = number;
	place->tid = stock->table.slot->tts_tid;
}

/* The slot has been written: its newest version is "next". */
void
RememberWrite(Stock *stock, const StockKey *key, int number)
{
	Place	   *place = FindPlace(stock, key, number < 0);

	if (place != NULL && place->number == number)
		place->tid = stock->next->tts_tid;
}
