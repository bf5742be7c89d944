/*
 * backorder.h
 *	  What the files of the extension share.  A file is a noun; its functions
 *	  are declared here under its name, from the ground up.
 */
#ifndef BACKORDER_H
#define BACKORDER_H

#include "postgres.h"

#include "access/stratnum.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/execnodes.h"
#include "storage/lockdefs.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "compat.h"

/* own codes in class 23, which object-relational mappers know as integrity errors */
#define ERRCODE_ORDER_REFUSED MAKE_SQLSTATE('2', '3', 'B', '0', '1')
#define ERRCODE_INSUFFICIENT_STOCK MAKE_SQLSTATE('2', '3', 'B', '0', '2')

/* number.c: exact quantities */
extern Numeric NumericZero(void);
extern void NumericFree(Numeric a);
extern Numeric NumericAdd(Numeric a, Numeric b);
extern Numeric NumericSubtract(Numeric a, Numeric b);
extern Numeric NumericNegate(Numeric a);
extern Numeric NumericDivideWhole(Numeric a, int parts);
extern int	NumericCompare(Numeric a, Numeric b);
extern Numeric NumericOfDatum(Datum value);
extern int	NumericSign(Numeric a);
extern Numeric NumericLeast(Numeric a, Numeric b);
extern bool QuantityFits(Numeric a);
extern char *NumericText(Numeric a);

/* rows.c: rows that C hands to SQL as the relation "input" */
#define MAX_ROW_COLUMNS 24

typedef struct RowShape
{
	TupleDesc	desc;			/* NULL until first used */
	struct
	{
		const char *name;
		Oid			type;
	}			columns[MAX_ROW_COLUMNS + 1];
} RowShape;

typedef struct Rows
{
	RowShape   *shape;
	TupleDesc	desc;
	Tuplestorestate *store;
	int64		count;
} Rows;

extern RowShape line_keys;
extern RowShape item_rows;
extern void RowsInit(Rows *rows, RowShape *shape);
extern void RowsAdd(Rows *rows, const Datum *values, const bool *nulls);
extern void RowsAddLine(Rows *rows, const text *order_id, int64 line_no);
extern void RowsEnd(Rows *rows);

/* a ledger table that is read by its primary key (key.c) */
typedef struct KeyedTable
{
	Relation	rel;
	Oid			index_oid;
	Relation	index;			/* NULL until it is needed */
	LOCKMODE	mode;
	Snapshot	snapshot;
	TupleTableSlot *slot;
} KeyedTable;

/* ledger.c: which ledger, and acting as its owner */
typedef struct Ledger
{
	Oid			schema;
	Oid			owner;
	char		name[NAMEDATALEN];
} Ledger;

typedef struct Engine
{
	Ledger		ledger;
	int			trigger_depth;
	Oid			caller;
	int			caller_context;
	int			guc_level;
	bool		spi_connected;
	MemoryContext memory;
	KeyedTable	items;
	KeyedTable	locations;
	bool		items_open;
	bool		locations_open;
	struct Stock *stock;
	Rows		facts;			/* collected for the end; no store: none */
	bool		facts_repeat;	/* there may be more than one of a line */
	struct Journal *journal;	/* what this work has told it; NULL: nothing */
	struct Notifications *notifications;
	struct Engine *outer;
} Engine;

typedef void (*EngineWork) (Engine *engine, void *argument);

extern uint64 CatalogEpoch(void);
extern void CatalogInit(void);
extern void LedgerOfRelation(Relation rel, const char *table, Ledger *ledger);
extern void LedgerOfTable(Oid relid, Ledger *ledger);
extern bool SchemaIsLedger(Oid schema);
extern void LedgerOfSchema(Oid schema, Ledger *ledger);
extern Oid	LedgerTable(const Ledger *ledger, const char *table);
extern Oid	LedgerSequence(const Ledger *ledger, const char *table, const char *column);
extern void EngineRun(const Ledger *ledger, EngineWork work, void *argument);
extern bool EngineIsWriting(Oid schema);
extern bool CallerMayRead(const Engine *engine, const char *table);
extern void EngineConnect(Engine *engine);
extern void EngineDisconnect(Engine *engine);
pg_noreturn extern void EngineFoundDamage(const Ledger *ledger, const char *what);
pg_noreturn extern void EngineObstructed(const char *table);
extern Oid	RelationLedgerSchema(Relation rel, const char **table);

/* plan.c: saved plans */
#define MAX_QUERY_ARGUMENTS 20
typedef struct LedgerQuery
{
	const char *text;			/* "@." stands for the ledger's schema */
	int			nargs;
	Oid			argtypes[MAX_QUERY_ARGUMENTS];
	RowShape   *input;			/* NULL: it reads none */
} LedgerQuery;

extern void SpiConnect(void);
extern void SpiExpect(int result);
extern char *LedgerText(const Ledger *ledger, const char *query);
extern SPIPlanPtr LedgerPlan(const Ledger *ledger, const LedgerQuery *query);
extern uint64 EngineLockRows(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values,
							 const char *nulls);
extern uint64 EngineExecute(Engine *engine, const LedgerQuery *query, Datum *values, const char *nulls);
extern void RowsOffer(Engine *engine, Rows *rows, EphemeralNamedRelation relation);
extern void RowsWithdraw(void);
extern Portal EngineOpen(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values);
extern uint64 EngineFetch(Portal portal, int rows);
extern uint64 EngineExecuteOn(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values);
extern uint64 EngineRead(Engine *engine, const LedgerQuery *query, Datum *values, const char *nulls);
extern void ResultRow(uint64 row, const Oid *types, int count, Datum *values);
extern text *ResultText(uint64 row, int column);
extern text *ResultTextOrNull(uint64 row, int column);
extern Numeric ResultNumeric(uint64 row, int column);
extern int64 ResultInt64(uint64 row, int column);
extern int32 ResultInt32(uint64 row, int column);
extern bool ResultBool(uint64 row, int column);
extern TimestampTz ResultTime(uint64 row, int column);
extern Datum ResultTextArray(uint64 row, int column);

/* trigger.c: how a trigger function may be called */
extern TriggerData *TriggerCall(FunctionCallInfo fcinfo, TriggerEvent timing, TriggerEvent level,
								TriggerEvent event, const char *table, Ledger *ledger);
extern TupleTableSlot *TransitionSlot(const TriggerData *trigger);
extern void TransitionRewind(Tuplestorestate *rows);
extern bool TransitionNext(Tuplestorestate *rows, TupleTableSlot *slot);
typedef struct ColumnShape
{
	const char *name;
	Oid			type;
	AttrNumber	found;			/* where it is in the relation that was looked at last */
	/* of the first of an array */
	Oid			relid;
	uint64		epoch;
} ColumnShape;
extern bool ColumnIs(TupleDesc desc, AttrNumber attnum, const char *name);
extern void FindColumns(Relation rel, ColumnShape *shape, int count, AttrNumber *attnum);

extern Datum EngineTrigger(FunctionCallInfo fcinfo, TriggerEvent event, const char *table, EngineWork work);

/* gate.c: the lock in front of the queue of an (item, location) */
typedef struct StockKey
{
	text	   *item;
	text	   *location;
	uint32		hash;
	int			stripe;
} StockKey;

extern void StockKeyInit(StockKey *key, text *item, text *location);
extern int	StockKeyCompare(const StockKey *a, const StockKey *b);
extern StockKey *ResultKeys(Engine *engine, int rows);
extern int	TextCompare(const text *a, const text *b);
extern text *TextCopy(const text *value);
extern void GateLock(const Ledger *ledger, int stripe, LOCKMODE mode);
extern bool GateTryLock(const Ledger *ledger, int stripe, LOCKMODE mode);
extern void GateLockAll(const Ledger *ledger);
extern void GateLockItems(Engine *engine, Rows *items);
extern void GateUnlock(const Ledger *ledger, int stripe, LOCKMODE mode);
extern bool SlotRight(const Ledger *ledger, int stripe, int number);

/* work.c: doing the work of a statement group by group, in lock order */
typedef struct WorkOps
{
	/* would without_gate() succeed, by what is visible now? */
	bool		(*seems_gateless) (Engine *engine, void *group);
	/* done without a gate, or false and nothing is held */
	bool		(*without_gate) (Engine *engine, void *group);
	/* the weakest gate that serves, by what is visible now */
	LOCKMODE	(*gate_mode) (Engine *engine, void *group);
	/* the work, under the gate */
	void		(*under_gate) (Engine *engine, void *group, LOCKMODE mode);
} WorkOps;

extern void WorkRun(Engine *engine, void **groups, int count, const WorkOps *ops);
extern const StockKey *GroupKey(const void *group);

/* policy.c: what an item says about running short */
typedef enum OnShort
{
	SHORT_BACKORDER,
	SHORT_CANCEL,
	SHORT_REFUSE
} OnShort;

typedef struct Policy
{
	OnShort		on_short;
	Numeric		backorder_limit;	/* NULL: none */
	bool		auto_allocate;
} Policy;

extern bool PolicyAllocates(Engine *engine, text *item);
extern bool PolicyOfItem(Engine *engine, text *item, Policy *policy);
extern void PolicyOfKey(Engine *engine, const StockKey *key, const char *table, Policy *policy);
extern void PolicyRelease(Engine *engine);
extern OnShort OnShortFromText(const text *value);

/* key.c: a row of a ledger table by its primary key, without SPI */
extern void KeyedTableOpenIndex(KeyedTable *table, const Ledger *ledger, const char *name,
								const char *index_name, const ColumnShape *keys, int nkeys,
								LOCKMODE mode, Snapshot snapshot);
extern void KeyedTableOpen(KeyedTable *table, const Ledger *ledger, const char *name,
						   const ColumnShape *keys, int nkeys, LOCKMODE mode);
extern void KeyedTableClose(KeyedTable *table);
extern void KeyedTableRefresh(KeyedTable *table);
extern struct IndexScanDescData *KeyedTableScan(KeyedTable *table, const Datum *keys, int nkeys,
												StrategyNumber last);
extern bool RunsUserCode(Relation rel, const struct ResultRelInfo *result);
extern bool KeyedTableGet(KeyedTable *table, const Datum *keys, int nkeys);
extern bool SeenByTransaction(const KeyedTable *table);
extern void RefuseConcurrentUpdate(void);
extern void RequireSeen(const KeyedTable *table);

/* write.c: rows of the engine's own tables, without SPI */
typedef struct Writer Writer;

extern Writer *WriterOpen(Engine *engine, const char *table, const RowShape *shape);
extern void WriterInsert(Writer *writer, const Datum *values, const bool *nulls);
extern bool WriterRead(Writer *writer, ItemPointer tid);
extern void WriterTake(Writer *writer, TupleTableSlot *slot);
extern Datum WriterValue(Writer *writer, int column);
extern bool WriterUpdate(Writer *writer, int first, const Datum *values, const bool *nulls, int count);
extern void WriterFlush(Writer *writer);
extern void WriterClose(Writer *writer);

/* rows to be added to a table, by a writer or by the statement that does the same */
typedef struct Additions
{
	const char *table;
	const LedgerQuery *insert;
	Writer	   *writer;			/* NULL: by SQL */
	Rows		rows;			/* for SQL */
} Additions;

extern void AdditionsInit(Additions *additions, Engine *engine, const char *table, const LedgerQuery *insert);
extern void AdditionsAdd(Additions *additions, const Datum *values, const bool *nulls);
extern void AdditionsEnd(Additions *additions, Engine *engine);

/* outlook.c: what is to come for an item at a location */
typedef enum ReaderTableName
{
	READ_ITEM,
	READ_INBOUND,
	READ_STOCK_SLOT,
	READ_BACKORDER,
	READER_TABLES
} ReaderTableName;

typedef struct Reader
{
	const Ledger *ledger;
	Snapshot	snapshot;
	MemoryContext memory;
	KeyedTable	table[READER_TABLES];
	bool		open[READER_TABLES];
} Reader;

typedef struct OutlookPart
{
	int64		inbound_id;		/* 0: stock on hand */
	Numeric		until;			/* supply up to and with this part */
	TimestampTz at;
} OutlookPart;

typedef struct Outlook
{
	OutlookPart *parts;
	int			count;
	int			capacity;
	bool		auto_allocate;
	bool		has_lead_time;
	Interval	lead_time;
	Interval	tolerance;
	TimestampTz now;
	bool		has_estimate;	/* the last: lines of one import have one time */
	TimestampTz estimate_of;
	TimestampTz estimate;
} Outlook;

/* what somebody who waits is told */
typedef struct Promise
{
	const char *basis;			/* NULL: no promise */
	bool		known;			/* has a date */
	TimestampTz at;
} Promise;

extern Datum RowValue(TupleTableSlot *slot, AttrNumber attnum);
extern void ReaderOpen(Reader *reader, const Ledger *ledger, Snapshot snapshot);
extern void ReaderClose(Reader *reader);
extern KeyedTable *ReaderQueue(Reader *reader);
extern void ReadSlots(Reader *reader, text *item, text *location, Numeric *available,
					  Numeric *backordered);
extern bool OutlookRead(Reader *reader, text *item, text *location, Outlook *outlook);
extern int	OutlookFind(const Outlook *outlook, int from, Numeric need);
extern void OutlookPromise(Outlook *outlook, int part, TimestampTz opened_at,
						   Promise *promise);
extern TimestampTz TimePlus(TimestampTz at, const Interval *span);

/* slot.c: one part of a balance */
typedef struct Balance
{
	Numeric		available;
	Numeric		allocated;
	Numeric		backordered;	/* in a change, NULL is none */
} Balance;

enum
{
	SLOT_ITEM, SLOT_LOCATION, SLOT_NUMBER, SLOT_AVAILABLE, SLOT_ALLOCATED, SLOT_BACKORDERED, SLOT_COLUMNS
};

/* the number of the slot that is i-th (from 0) of those that hold no stock and count what waits; and back */
#define WAITING_SLOT(i) (-1 - (i))

typedef struct Stock
{
	Engine	   *engine;
	KeyedTable	table;
	AttrNumber	attnum[SLOT_COLUMNS];
	TupleTableSlot *next;		/* the version to be written */
	/* what the executor needs; made when it is needed */
	EState	   *estate;
	ResultRelInfo *result;
	EPQState	epq;
	bool		runs_user_code;	/* what a user has attached to the table */
} Stock;

typedef enum SlotState
{
	SLOT_MISSING,
	SLOT_UNFIT,					/* held by somebody, changed just now, or too little in it */
	SLOT_LOCKED					/* ours */
} SlotState;

extern Stock *StockLook(Engine *engine);
extern void StockRelease(Engine *engine);
extern Numeric SlotNumeric(Stock *stock, int column);
extern int32 SlotNumber(Stock *stock);
extern bool SlotIs(Stock *stock, const StockKey *key, int number);
extern bool SlotTryLock(Stock *stock);
extern void SlotWaitLock(Stock *stock);
extern bool SlotRead(Stock *stock, const StockKey *key, int number);
extern bool SlotFind(Stock *stock, const StockKey *key, int number);
extern SlotState SlotTry(Stock *stock, const StockKey *key, int number, Numeric quantity);
extern SlotState SlotTryUnseen(Stock *stock, const StockKey *key, int number);
extern SlotState SlotTryAdd(Stock *stock, const StockKey *key, int number, Numeric quantity,
							const Balance *change);
extern void SlotAdd(Stock *stock, const StockKey *key, const Balance *change);
extern void SlotInsert(Stock *stock, const StockKey *key, int number, const Balance *content);

/* recall.c: where slots were */
extern bool RecallSlot(Stock *stock, const StockKey *key, int number);
extern int	RecallNumber(const Stock *stock, const StockKey *key, bool waiting);
extern void RememberSlot(Stock *stock, const StockKey *key, int number);
extern void RememberWrite(Stock *stock, const StockKey *key, int number);

/* stock.c: the slots together */
extern bool StockSuffices(Engine *engine, const StockKey *key, Numeric quantity);
extern bool StockIsLeft(Engine *engine, const StockKey *key);
extern bool StockTakeOne(Engine *engine, const StockKey *key, Numeric quantity);
extern Numeric StockTakeUpTo(Engine *engine, const StockKey *key, Numeric quantity);
extern Numeric StockRemoveUpTo(Engine *engine, const StockKey *key, Numeric quantity);
extern void StockShip(Engine *engine, const StockKey *key, Numeric quantity);
extern void StockPut(Engine *engine, const StockKey *key, const Balance *change);
extern void StockSum(Engine *engine, const StockKey *key, bool lock, Balance *balance);
extern int	max_slots;

/* pending.c: lines that exist but are not yet placed */
extern void PendingPush(const Ledger *ledger, Oid relid);
extern void PendingPop(Oid relid);
extern void PendingRequire(Oid relid, const char *trigger);
extern void PendingRefuse(Engine *engine, Rows *lines);
extern void PendingInit(void);

/* line.c: order lines as triggers see them */
typedef struct Line
{
	text	   *order_id;
	int64		line_no;
	text	   *item;
	text	   *location;
	Numeric		quantity;
	Numeric		cancelled;
	Numeric		shipped;
	Numeric		firm;
	Numeric		backordered_at_entry;
	Numeric		entered_quantity;	/* NULL: as quantity */
	TimestampTz placed_at;
	TimestampTz not_before;
	TimestampTz entered_at;
	bool		has_not_before;
	bool		has_entered_at;
	bool		on_hold;
	text	   *on_short;		/* NULL: as the item says */
	text	   *cancel_reason;
	int32		priority;
} Line;

extern void LineRead(TupleTableSlot *slot, const AttrNumber *attnum, Line *line);
extern void LineCheck(TupleTableSlot *slot, const AttrNumber *attnum, const Ledger *ledger,
					  const Line *line);
extern void LineColumns(Relation rel, AttrNumber *attnum);
extern bool JsonIsObject(Datum value);
extern bool LineUnchanged(TupleTableSlot *before, TupleTableSlot *after, const AttrNumber *attnum);
extern bool LineRankChanged(TupleTableSlot *before, TupleTableSlot *after, const AttrNumber *attnum);
extern Numeric LineOpen(const Line *line);
extern TimestampTz LineEntryTime(const Line *line);
extern bool LineIsDue(const Line *line);
extern bool LineHasEntered(const Line *line);
extern void LineCopy(Line *line);
#define LINE_COLUMNS 22

/* fact.c: the facts that the engine writes into order lines */
typedef struct Fact
{
	text	   *order_id;
	int64		line_no;
	Numeric		backordered;	/* added to backordered_at_entry */
	Numeric		cancelled;		/* added */
	Numeric		shipped;		/* added */
	Numeric		entered_quantity;	/* set where NULL */
	TimestampTz entered_at;		/* set where NULL */
	bool		has_entered_at;
	int			on_hold;		/* 1, 0, or -1: as it is */
} Fact;

extern void FactInit(Fact *fact, text *order_id, int64 line_no);
extern void FactAdd(Engine *engine, const Fact *fact, bool again);
extern void FactFlush(Engine *engine);

/* outbox.c: telling other programs */
struct Entry;
extern bool notify;
extern void NotifyAdd(Engine *engine, const struct Entry *entry);
extern void NotifyFlush(Engine *engine);

/* journal.c: every decision after entry */
typedef struct Entry
{
	const char *kind;
	const char *cause;
	text	   *order_id;
	int64		line_no;
	const StockKey *key;
	Numeric		quantity;
	int64		backorder_id;	/* 0: none */
	int64		move_id;		/* 0: none */
	bool		ranked;
	int32		priority;
	TimestampTz rank_at;
	Datum		rules;			/* text[]; 0: none */
	const Promise *promise;		/* NULL: says nothing of one */
	const Promise *former;		/* NULL: there was none */
	text	   *reason;
	TimestampTz happened_at;
} Entry;

extern void JournalAdd(Engine *engine, const Entry *entry);
extern void JournalSettle(Engine *engine);
extern void JournalFlush(Engine *engine);

/* rule.c: who goes first */
typedef struct Claim
{
	text	   *order_id;
	int64		line_no;
	const StockKey *key;
	int			demand;			/* its number in the statement; the units were taken away: 0 */
	Numeric		quantity;		/* asked for */
	Numeric		shortage;		/* what stock could not cover */
	const char *cause;			/* why a backorder is opened */
	bool		at_entry;		/* a first-time figure */
	OnShort		on_short;
	TimestampTz claim_at;		/* the turn counts from here */
	TimestampTz opened_at;
	int64		position;		/* in the statement */
	int64		move_id;		/* 0: none */
	text	   *reason;
	int32		priority;
	TimestampTz rank_at;
	Datum		rules;
	int64		backorder_id;
	Promise		promise;
} Claim;

/*
 * Parts of a query that ranks lines "i" of rule_input by the rules "r" that were
 * valid when the turn began.  A priority beyond integer is as high as there is.
 */
#define RULE_COLUMNS(claim_at) RULE_COLUMNS_AND(claim_at, "0")
#define RULE_COLUMNS_AND(claim_at, more) \
	"least(greatest(coalesce(r.priority, 0)::bigint + i.priority + " more ", -2147483648), 2147483647)::integer" \
	" AS priority, " claim_at " - coalesce(r.head_start, '0') AS rank_at," \
	" coalesce(r.rules, '{}') AS rules"
#define RULE_JOIN(claim_at) \
	" CROSS JOIN LATERAL (SELECT max(p.priority) AS priority, sum(p.head_start) AS head_start," \
	" array_agg(p.name ORDER BY p.name) AS rules FROM @.priority_rule AS p" \
	" WHERE (p.valid_from <= " claim_at ") IS NOT FALSE AND (" claim_at " < p.valid_to) IS NOT FALSE" \
	" AND jsonb_path_match_tz(i.line, p.condition, '{}', true)) AS r"

/* claims are ranked, and settled, so many at a time */
#define CLAIM_BATCH 4096

extern uint64 RuleExecute(Engine *engine, const LedgerQuery *query, Rows *input, Datum *values);
extern void ClaimsInit(Rows *claims);
extern void ClaimsAdd(Rows *claims, const Claim *claim);
extern Portal RuleOpen(Engine *engine, Rows *claims);
extern Claim *RuleFetch(Portal ranked, int *count);
extern void RuleRank(Engine *engine, Claim **claims, int count);
extern int	ClaimCompareRank(const Claim *a, const Claim *b);

/* promise.c: when those who wait are served */
typedef enum WalkColumn
{
	WALK_ITEM,
	WALK_LOCATION,
	WALK_BACKORDER_ID,
	WALK_ORDER_ID,
	WALK_LINE_NO,
	WALK_REMAINING,
	WALK_PRIORITY,
	WALK_RANK_AT,
	WALK_OPENED_AT,
	WALK_QUANTITY,
	WALK_RULES,
	WALK_PROMISED_AT,
	WALK_PROMISE_BASIS,
	WALK_COLUMNS
} WalkColumn;

typedef struct Walk
{
	struct IndexScanDescData *scan;
	ScanDirection direction;
	TupleTableSlot *slot;		/* the current row */
	AttrNumber	attnum[WALK_COLUMNS];
	Numeric		remaining;		/* of the current row */
	bool		counts;			/* somebody asks for the units */
	Numeric		units;			/* if it counts: sum of it up to and with the current row */
	MemoryContext owner;		/* in which the scan keeps what it needs */
	MemoryContext memory;		/* of the last rows */
	int			rows;			/* in that memory */
} Walk;

extern void WalkOpen(Walk *walk, Reader *reader, const Datum *keys, int nkeys,
					 ScanDirection direction, bool counts);
extern bool WalkNext(Walk *walk);
extern void WalkRestart(Walk *walk);
extern void WalkClose(Walk *walk);
extern void WalkPromise(const Walk *walk, Promise *promise);

/* one who is about to join a queue */
typedef struct Newcomer
{
	int32		priority;
	TimestampTz rank_at;
	Numeric		ahead;			/* units that wait before */
} Newcomer;

extern void CountAhead(Reader *reader, text *item, text *location, Newcomer *newcomers, int count);
extern void PromiseClaims(Engine *engine, Claim **claims, int count);
extern int64 PromiseMove(Engine *engine, const StockKey *key, const char *cause, int64 move_id);

/* queue.c: backorders */
/* the open ones of lines "k", as "b", by the index on them: see PlanByIndex() */
#define OPEN_OF_LINE(k) \
	" CROSS JOIN LATERAL (SELECT w.ctid, w.* FROM @.backorder AS w" \
	" WHERE w.order_id = " k ".order_id AND w.line_no = " k ".line_no AND w.outcome IS NULL OFFSET 0) AS b"
typedef struct Source
{
	int64		move_id;		/* 0: none */
	const char *cause;
	Numeric		quantity;
	TimestampTz at;
	text	   *reason;
} Source;

/* what a line holds and waits for */
typedef struct Share
{
	text	   *order_id;
	int64		line_no;
	Numeric		quantity;		/* demand given up, or to be shipped */
	Numeric		waiting;		/* units of it that wait, by QueueWaitingOf() */
	const char *cause;
	text	   *reason;
} Share;

/* a row of the queue; WAITING_COLUMNS are those of "b" */
#define WAITING_COLUMNS \
	" b.ctid, b.backorder_id, b.order_id, b.line_no, b.remaining, b.priority, b.rank_at, b.rules, b.opened_at," \
	" b.quantity"
typedef struct Waiting
{
	ItemPointer tid;
	int64		backorder_id;
	text	   *order_id;
	int64		line_no;
	Numeric		remaining;
	int32		priority;
	TimestampTz rank_at;
	Datum		rules;
	TimestampTz opened_at;
	Numeric		quantity;		/* that it was opened for */
	TupleTableSlot *slot;		/* that holds the row; NULL: it is found by its place */
} Waiting;

extern Waiting *QueueRows(uint64 count);
extern void JournalWaiting(Engine *engine, const char *kind, const StockKey *key, const Waiting *row,
						   Numeric quantity, const Source *source);
extern void QueueOpen(Engine *engine, Claim **claims, int count);
extern void QueueWaitingOf(Engine *engine, const StockKey *key, Share **shares, int count);
extern Numeric QueueGiveUp(Engine *engine, const StockKey *key, Share **shares, int count);
extern int64 QueueRerank(Engine *engine, const StockKey *key, Rows *lines);

/* episode.c: the rows of backorders */
extern void EpisodesOpen(Engine *engine, Claim **claims, int count);

/* what one piece of work changes in backorders */
typedef struct Changes
{
	bool		cancels;		/* units are given up; else they come */
	Writer	   *writer;			/* NULL: they are noted, and written by SQL */
	Rows		rows;
	MemoryContext memory;		/* of one change; NULL: none yet */
} Changes;

extern void ChangesInit(Changes *changes, bool cancels);
extern void ChangesAdd(Engine *engine, Changes *changes, const Waiting *row, Numeric quantity,
					   TimestampTz at);
extern void ChangesEnd(Engine *engine, Changes *changes);

/* fill.c: units that come, and whom they fill */
extern Numeric QueueServe(Engine *engine, const StockKey *key, Source *sources, int count);
extern Numeric QueueServeAvailable(Engine *engine, const StockKey *key, Numeric limit);
extern void QueueFillLine(Engine *engine, const StockKey *key, text *order_id, int64 line_no,
						  const Source *source);

/* waiting.c: the length of a queue */
extern void WaitingAdd(Engine *engine, const StockKey *key, Numeric change);
extern void WaitingJoin(Engine *engine, Claim **claims, int count);
extern Numeric QueueWaiting(Engine *engine, const StockKey *key);

/* sight.c: what the caller of a function may see */
typedef struct Sight
{
	Ledger		ledger;
	Oid			user;
	bool		some_rows;		/* row security hides others of the table backorder */
	bool		inbound;		/* which inbound rows there are */
} Sight;

extern void SightInit(Sight *sight, Oid relid, const char *table);
extern bool SightOfRow(const Sight *sight, int64 backorder_id);
extern bool SightOfTable(const Ledger *ledger, const char *table);

/* place.c: demand meets stock */
typedef struct Demand
{
	StockKey	key;			/* first: a group of work */
	int			number;			/* in the order in which the statement names them */
	Numeric		quantity;		/* to place; 0: the item and location must exist, that is all */
	Numeric		shortage;		/* what stock could not cover */
	Numeric		joining;		/* of which units that join the queue */
	Numeric		covered;		/* not yet given to a claim */
	Policy		policy;
} Demand;

/* all that one statement asks for */
typedef struct Demands
{
	Demand	  **list;
	int			count;
	int			capacity;
} Demands;

extern Demand *DemandCreate(Demands *demands, const StockKey *key);
extern void DemandAdd(Demand *demand, Numeric quantity);
extern bool DemandSeemsGateless(Engine *engine, void *demand);
extern bool DemandWithoutGate(Engine *engine, void *demand);
extern LOCKMODE DemandGateMode(Engine *engine, void *demand);
extern void DemandUnderGate(Engine *engine, void *demand, LOCKMODE mode);
extern void DemandSettle(Engine *engine, const Demands *demands, Rows *claims);

/* intent.c: what an UPDATE of an order line means */
typedef struct Edit
{
	Line		before;
	Line		after;
	bool		entered;		/* it was demand before, or had been */
	bool		enters;			/* it becomes demand, first time or again */
	bool		held;			/* it is put on hold */
	Numeric		given;			/* units of demand given up */
	Numeric		asked;			/* units of demand to be placed */
} Edit;

extern void EditJudge(Edit *edit);
extern bool EditSamePlace(const Edit *edit);
extern bool EditStays(const Edit *edit);
extern bool EditOnlyRanks(const Edit *edit);
extern const char *EditCauseOfGiving(const Edit *edit);
extern const char *EditCauseOfAsking(const Edit *edit);
extern void EditRecordFacts(Engine *engine, const Edit *edit);
extern void EditJournal(Engine *engine, const Edit *edit, const StockKey *key);
extern void EditCheckFirm(Engine *engine, const Edit *edit);

/* loss.c: taking allocated units away */
typedef struct Loss
{
	const char *cause;			/* of the backorders it opens */
	int64		move_id;
	TimestampTz at;
	text	   *reason;
	text	   *keep_order;		/* the line that loses nothing; NULL: none */
	int64		keep_line;
} Loss;

extern void LossTake(Engine *engine, const StockKey *key, Numeric quantity, const Loss *loss);

/* flow.c: what moves do */
typedef enum MoveKind
{
	MOVE_IN,
	MOVE_OUT,
	MOVE_SHIPMENT,
	MOVE_REVERSAL
} MoveKind;

/* An order line that the statement ships from or gives back to. */
typedef struct MoveLine
{
	Share		share;			/* its key; units that wait */
	text	   *item;
	text	   *location;
	Numeric		open;
	Numeric		shipped;
	Numeric		firm;
	bool		on_hold;
	TimestampTz entered_at;
	bool		told;			/* a fact of it is to be written */
} MoveLine;

typedef struct Move
{
	int64		move_id;
	char	   *kind_name;
	MoveKind	kind;
	text	   *item;
	text	   *location;
	Numeric		quantity;		/* positive */
	text	   *order_id;		/* NULL: none */
	int64		line_no;
	TimestampTz moved_at;
	MoveLine   *line;			/* of a shipment or its reversal */
	bool		names_inbound;
	int64		inbound_id;
	struct Receipt *receipt;	/* on the inbound row it names; NULL: none */
} Move;

typedef struct MoveGroup
{
	StockKey	key;			/* first: a group of work */
	Move	  **moves;
	int			count;
} MoveGroup;

extern const WorkOps move_work;
extern void MoveRefuse(Engine *engine, int code, const Move *move, const char *message,
					   const char *detail, const char *constraint);

/* receipt.c: receipts that fulfil inbound supply */
extern void ReceiptsBook(Engine *engine, Move **moves, int count);
extern void ReceiptsPromise(Engine *engine, const StockKey *key, Move **moves, int count);

#endif
