/*
 * outbox.c
 *	  Other programs read the journal, and may be told that there is something
 *	  to read.
 *
 *	  Rows are read in the order of journal_id, but transactions commit in
 *	  another order than they draw numbers.  So each row keeps a horizon: the
 *	  number of the next transaction of the server, read after the row had its
 *	  journal_id (see journal.c).  Whoever writes to the journal has a transaction
 *	  number before it draws a journal_id, hence every transaction that can have
 *	  drawn a lower one is below the horizon.  Once all of those have ended, nothing can appear
 *	  below the row any more: journal_since() reads up to there.
 */
#include "backorder.h"

#include "access/transam.h"
#include "commands/async.h"
#include "utils/json.h"
#include "utils/xid8.h"

/* PostgreSQL refuses 8000 bytes and more */
#define LARGEST_PAYLOAD 7999

/* setting backorder.notify */
bool		notify = false;

/* What notifications are about. */
typedef struct Notification
{
	StockKey	key;
	const char *kind;
} Notification;

typedef struct Notifications
{
	Notification *news;
	int			count;
	int			capacity;
} Notifications;

static bool
SameNews(const Notification *a, const StockKey *key, const char *kind)
{
	return strcmp(a->kind, kind) == 0 && StockKeyCompare(&a->key, key) == 0;
}

/* Remembers what an entry of the journal is about; its kind is a constant. */
void
NotifyAdd(Engine *engine, const Entry *entry)
{
	Notifications *all = engine->notifications;
	Notification *last;
	MemoryContext caller;

	if (!notify)
		return;
	caller = MemoryContextSwitchTo(engine->memory);
	if (all == NULL)
	{
		all = engine->notifications = palloc0(sizeof(Notifications));
		all->news = palloc(sizeof(Notification) * (all->capacity = 16));
	}
	if (all->count == 0 || !SameNews(&all->news[all->count - 1], entry->key, entry->kind))
	{
		if (all->count == all->capacity)
			all->news = repalloc_huge(all->news, sizeof(Notification) * (all->capacity *= 2));
		last = &all->news[all->count++];
		last->key = *entry->key;
		last->key.item = TextCopy(entry->key->item);
		last->key.location = TextCopy(entry->key->location);
		last->kind = entry->kind;
	}
	MemoryContextSwitchTo(caller);
}

static int
NewsOrder(const void *a, const void *b)
{
	const Notification *left = a;
	const Notification *right = b;
	int			order = StockKeyCompare(&left->key, &right->key);

	return order != 0 ? order : strcmp(left->kind, right->kind);
}

static void
AppendString(StringInfo payload, const char *name, const char *value)
{
	appendStringInfo(payload, "%s\"%s\": ", payload->len > 1 ? ", " : "{", name);
	escape_json(payload, value);
}

/* One notification: item and location of the news, and the kinds of entries. */
static void
Send(const Ledger *ledger, const Notification *news, int count, bool named)
{
	StringInfoData payload;

	initStringInfo(&payload);
	AppendString(&payload, "ledger", ledger->name);
	if (named)
	{
		AppendString(&payload, "item", text_to_cstring(news->key.item));
		AppendString(&payload, "location", text_to_cstring(news->key.location));
	}
	appendStringInfoString(&payload, ", \"kinds\": [");
	for (int i = 0; i < count; i++)
	{
		if (i > 0 && strcmp(news[i].kind, news[i - 1].kind) == 0)
			continue;
		appendStringInfoString(&payload, i > 0 ? ", " : "");
		escape_json(&payload, news[i].kind);
	}
	appendStringInfoString(&payload, "]}");
	if (payload.len <= LARGEST_PAYLOAD)
		Async_Notify("backorder", payload.data);
	else if (named)
		Send(ledger, news, count, false);	/* names too long to be told */
}

/* Sends one notification for each item and location, at commit. */
void
NotifyFlush(Engine *engine)
{
	Notifications *all = engine->notifications;
	int			first = 0;

	if (all == NULL)
		return;
	engine->notifications = NULL;
	qsort(all->news, all->count, sizeof(Notification), NewsOrder);
	for (int i = 1; i <= all->count; i++)
		if (i == all->count || StockKeyCompare(&all->news[i].key, &all->news[first].key) != 0)
		{
			Send(&engine->ledger, &all->news[first], i - first, true);
			first = i;
		}
}

/* next_transaction_id(): the number of the next transaction. */
PG_FUNCTION_INFO_V1(backorder_next_transaction_id);
Datum
backorder_next_transaction_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_FULLTRANSACTIONID(ReadNextFullTransactionId());
}
