/*
 * schedule.c
 *	  Reading what will be served when: expected dates, as queue and inbound
 *	  supply are now.
 *
 *	  Nothing is written and no lock is taken.  The queue is read as a whole,
 *	  whatever part of it the caller may see, or his date would be wrong; he is
 *	  shown what he may read of the table backorder.
 */
#include "backorder.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define SCHEDULE_COLUMNS 10

typedef struct Schedule
{
	const Sight *sight;
	ReturnSetInfo *result;
	Reader		reader;
	Walk		walk;
	text	   *item;			/* wanted; NULL: all */
	text	   *location;
	Outlook		outlook;		/* of the current item and location */
	text	   *current_item;
	text	   *current_location;
	MemoryContext memory;		/* of the outlook */
	int			part;
	int64		position;
	Datum		values[SCHEDULE_COLUMNS];
	bool		nulls[SCHEDULE_COLUMNS];
} Schedule;

static Datum
BasisText(const char *basis)
{
	static struct
	{
		const char *name;
		text	   *value;
	}			known[4];

	for (int i = 0; i < (int) lengthof(known); i++)
	{
		if (known[i].name == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

			known[i].value = cstring_to_text(basis);
			MemoryContextSwitchTo(old);
			known[i].name = basis;
		}
		if (known[i].name == basis || strcmp(known[i].name, basis) == 0)
			return PointerGetDatum(known[i].value);
	}
	return CStringGetTextDatum(basis);
}

/* One part of the current row: what supply brings for it, or fails to. */
static void
SchedulePart(Schedule *schedule, Numeric quantity, TimestampTz opened_at)
{
	Promise		promise;
	bool		covered = schedule->part < schedule->outlook.count;
	int64		inbound_id = covered ? schedule->outlook.parts[schedule->part].inbound_id : 0;

	OutlookPromise(&schedule->outlook, schedule->part, opened_at, &promise);
	schedule->values[6] = NumericGetDatum(quantity);
	schedule->values[7] = Int64GetDatum(inbound_id);
	schedule->nulls[7] = inbound_id == 0 || !schedule->sight->inbound;
	schedule->values[8] = TimestampTzGetDatum(promise.at);
	schedule->nulls[8] = !promise.known;
	schedule->values[9] = BasisText(promise.basis);
	tuplestore_putvalues(schedule->result->setResult, schedule->result->setDesc, schedule->values,
						 schedule->nulls);
}

/* The current row is the first of another queue: what is to come there? */
static void
ScheduleQueue(Schedule *schedule, text *item, text *location)
{
	MemoryContext old;

	MemoryContextReset(schedule->memory);
	old = MemoryContextSwitchTo(schedule->memory);
	schedule->current_item = TextCopy(item);
	schedule->current_location = TextCopy(location);
	if (!OutlookRead(&schedule->reader, item, location, &schedule->outlook))
		memset(&schedule->outlook, 0, sizeof(Outlook));
	MemoryContextSwitchTo(old);
	schedule->part = 0;
	schedule->position = 0;
	schedule->values[0] = PointerGetDatum(schedule->current_item);
	schedule->values[1] = PointerGetDatum(schedule->current_location);
}

static void
ScheduleRow(Schedule *schedule)
{
	Walk	   *walk = &schedule->walk;
	Outlook    *outlook = &schedule->outlook;
	int64		backorder_id = DatumGetInt64(RowValue(walk->slot, walk->attnum[WALK_BACKORDER_ID]));
	TimestampTz opened_at = DatumGetTimestampTz(RowValue(walk->slot, walk->attnum[WALK_OPENED_AT]));
	MemoryContext old = MemoryContextSwitchTo(walk->memory);
	Numeric		served;

	schedule->position++;
	if (schedule->sight->some_rows && !SightOfRow(schedule->sight, backorder_id))
	{
		schedule->part = OutlookFind(outlook, schedule->part, walk->units);
		MemoryContextSwitchTo(old);
		return;
	}
	schedule->values[2] = Int64GetDatum(schedule->position);
	schedule->values[3] = Int64GetDatum(backorder_id);
	schedule->values[4] = RowValue(walk->slot, walk->attnum[WALK_ORDER_ID]);
	schedule->values[5] = RowValue(walk->slot, walk->attnum[WALK_LINE_NO]);
	if (schedule->part == outlook->count ||
		NumericCompare(outlook->parts[schedule->part].until, walk->units) >= 0)
	{
		SchedulePart(schedule, walk->remaining, opened_at);
		MemoryContextSwitchTo(old);
		return;
	}
	served = NumericSubtract(walk->units, walk->remaining);
	while (NumericCompare(served, walk->units) < 0)
	{
		Numeric		until = walk->units;

		if (schedule->part < outlook->count)
			until = NumericLeast(until, outlook->parts[schedule->part].until);
		if (NumericCompare(served, until) < 0)
			SchedulePart(schedule, NumericSubtract(until, served), opened_at);
		served = until;
		if (NumericCompare(served, walk->units) < 0)
			schedule->part++;
	}
	MemoryContextSwitchTo(old);
}

static void
ScheduleRun(Schedule *schedule)
{
	Walk	   *walk = &schedule->walk;
	Datum		keys[2] = {PointerGetDatum(schedule->item), PointerGetDatum(schedule->location)};
	int			nkeys = schedule->item == NULL ? 0 : schedule->location == NULL ? 1 : 2;

	schedule->memory = AllocSetContextCreate(CurrentMemoryContext, "backorder outlook", ALLOCSET_DEFAULT_SIZES);
	ReaderOpen(&schedule->reader, &schedule->sight->ledger, GetActiveSnapshot());
	WalkOpen(walk, &schedule->reader, keys, nkeys, ForwardScanDirection, true);
	while (WalkNext(walk))
	{
		CHECK_FOR_INTERRUPTS();
		if (nkeys < 2 || schedule->current_item == NULL)
		{
			text	   *item = DatumGetTextPP(RowValue(walk->slot, walk->attnum[WALK_ITEM]));
			text	   *location = DatumGetTextPP(RowValue(walk->slot, walk->attnum[WALK_LOCATION]));

			if (schedule->current_item == NULL || TextCompare(item, schedule->current_item) != 0 ||
				TextCompare(location, schedule->current_location) != 0)
			{
				WalkRestart(walk);
				ScheduleQueue(schedule, item, location);
			}
			if (schedule->location != NULL && TextCompare(location, schedule->location) != 0)
				continue;
		}
		ScheduleRow(schedule);
	}
	WalkClose(walk);
	ReaderClose(&schedule->reader);
}

/*
 * promise_schedule(relation regclass, item text, location text): who is going to
 * be served by what and when, one row per part; NULL is every item, every
 * location.  Needs SELECT on backorder, of which the rows that the caller may read are shown.
 */
PG_FUNCTION_INFO_V1(backorder_promise_schedule);
Datum
backorder_promise_schedule(PG_FUNCTION_ARGS)
{
	Sight		sight;
	Schedule	schedule;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	SightInit(&sight, PG_GETARG_OID(0), "backorder");
	memset(&schedule, 0, sizeof(schedule));
	schedule.sight = &sight;
	schedule.result = (ReturnSetInfo *) fcinfo->resultinfo;
	schedule.item = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	schedule.location = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
	ScheduleRun(&schedule);
	return (Datum) 0;
}
