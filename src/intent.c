/*
 * intent.c
 *	  What an UPDATE of an order line means.
 *
 *	  A line enters as demand once, and the facts of that moment never change.
 *	  OLD and NEW tell what is given up and what is asked for; how that is done is
 *	  the matter of edit.c.
 */
#include "backorder.h"

static void
RefuseEdit(const Edit *edit, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s of order line \"%s\"/" INT64_FORMAT " cannot be changed", what,
					text_to_cstring(edit->before.order_id), edit->before.line_no),
			 errhint("%s", hint)));
}

static bool
SameNumber(Numeric a, Numeric b)
{
	return a == NULL || b == NULL ? a == b : NumericCompare(a, b) == 0;
}

/* What no UPDATE may do. */
static void
CheckEdit(const Edit *edit)
{
	const Line *before = &edit->before;
	const Line *after = &edit->after;

	if (TextCompare(before->order_id, after->order_id) != 0 || before->line_no != after->line_no)
		RefuseEdit(edit, "the key", "Cancel this line and add another.");
	if (!SameNumber(before->shipped, after->shipped) ||
		!SameNumber(before->backordered_at_entry, after->backordered_at_entry) ||
		!SameNumber(before->entered_quantity, after->entered_quantity) ||
		before->has_entered_at != after->has_entered_at || before->entered_at != after->entered_at ||
		before->on_hold != after->on_hold)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("shipped, on_hold and the facts of entry of order line \"%s\"/" INT64_FORMAT
						" are kept by the engine", text_to_cstring(before->order_id), before->line_no),
				 errhint("Ship with ship() or by inserting into stock_move; hold a line with not_before.")));
	if (NumericCompare(after->cancelled, before->cancelled) < 0)
		RefuseEdit(edit, "what has been cancelled", "Add another line instead of undoing a cancellation.");
	if (!edit->entered)
		return;
	if (TextCompare(before->item, after->item) != 0)
		RefuseEdit(edit, "the item", "Cancel this line and add another.");
	if (before->placed_at != after->placed_at)
		RefuseEdit(edit, "placed_at", "The line has entered as demand; its time is a fact. Change its priority instead.");
}

bool
EditSamePlace(const Edit *edit)
{
	return TextCompare(edit->before.location, edit->after.location) == 0 &&
		TextCompare(edit->before.item, edit->after.item) == 0;
}

/* Demand before and after, and where it was: it keeps its units and its place in the queue. */
bool
EditStays(const Edit *edit)
{
	return !edit->before.on_hold && !edit->held && EditSamePlace(edit);
}

/* Is there nothing to do but to rank the line anew, if it waits? */
bool
EditOnlyRanks(const Edit *edit)
{
	return EditStays(edit) && SameNumber(edit->before.quantity, edit->after.quantity) &&
		SameNumber(edit->before.cancelled, edit->after.cancelled) &&
		NumericSign(edit->after.firm) == 0 &&
		LineEntryTime(&edit->before) == LineEntryTime(&edit->after);
}

/* From OLD and NEW: what is given up, what is asked for. */
void
EditJudge(Edit *edit)
{
	Numeric		before = LineOpen(&edit->before);
	Numeric		after;
	Numeric		difference;

	edit->entered = LineHasEntered(&edit->before);
	CheckEdit(edit);
	edit->held = !edit->before.on_hold && !LineIsDue(&edit->after);
	edit->after.on_hold = false;
	after = LineOpen(&edit->after);
	edit->enters = edit->before.on_hold && LineIsDue(&edit->after) &&
		(edit->entered || NumericSign(after) > 0);
	edit->after.on_hold = edit->held || (edit->before.on_hold && !edit->enters);
	after = LineOpen(&edit->after);

	edit->given = edit->asked = NumericZero();
	if (!EditSamePlace(edit))
	{
		edit->given = before;
		edit->asked = after;
	}
	else
	{
		difference = NumericSubtract(after, before);
		if (NumericSign(difference) > 0)
			edit->asked = difference;
		else
			edit->given = NumericNegate(difference);
	}
}

const char *
EditCauseOfGiving(const Edit *edit)
{
	if (edit->held)
		return "hold";
	if (!EditSamePlace(edit))
		return "move";
	return NumericCompare(edit->after.cancelled, edit->before.cancelled) > 0 ? "cancel" : "lower";
}

const char *
EditCauseOfAsking(const Edit *edit)
{
	if (edit->enters)
		return edit->entered ? "release" : "entry";
	return EditSamePlace(edit) ? "raise" : "move";
}

/* What the line must remember of its entry, and whether it is on hold. */
void
EditRecordFacts(Engine *engine, const Edit *edit)
{
	const Line *before = &edit->before;
	const Line *after = &edit->after;
	Fact		fact;
	bool		write = false;

	FactInit(&fact, edit->after.order_id, edit->after.line_no);
	if (edit->held || edit->enters)
	{
		fact.on_hold = edit->held;
		write = true;
	}
	if (edit->entered && !before->has_entered_at && LineEntryTime(before) != LineEntryTime(after))
	{
		fact.entered_at = LineEntryTime(before);
		fact.has_entered_at = write = true;
	}
	if (edit->held && !before->has_entered_at)
	{
		fact.entered_at = LineEntryTime(before);
		fact.has_entered_at = write = true;
	}
	if (edit->entered && before->entered_quantity == NULL && !SameNumber(before->quantity, after->quantity))
	{
		fact.entered_quantity = before->quantity;
		write = true;
	}
	if (edit->enters && !edit->entered && NumericSign(after->cancelled) > 0)
	{
		fact.entered_quantity = NumericSubtract(after->quantity, after->cancelled);
		write = true;
	}
	if (write)
		FactAdd(engine, &fact, false);
}

void
EditJournal(Engine *engine, const Edit *edit, const StockKey *key)
{
	Entry		entry;

	memset(&entry, 0, sizeof(entry));
	entry.order_id = edit->after.order_id;
	entry.line_no = edit->after.line_no;
	entry.key = key;
	entry.happened_at = GetCurrentTransactionStartTimestamp();
	if (edit->held)
	{
		entry.kind = "held";
		entry.cause = "hold";
		entry.quantity = LineOpen(&edit->before);
	}
	else if (edit->enters)
	{
		entry.kind = "entered";
		entry.cause = EditCauseOfAsking(edit);
		entry.quantity = edit->asked;
		if (!edit->entered)
			entry.happened_at = LineEntryTime(&edit->after);
	}
	else if (NumericSign(edit->asked) > 0 && EditSamePlace(edit))
	{
		entry.kind = "changed";
		entry.cause = "raise";
		entry.quantity = edit->asked;
	}
	/* a line that is let go with nothing left to place enters all the same */
	if (entry.kind != NULL && (edit->enters || NumericSign(entry.quantity) > 0))
		JournalAdd(engine, &entry);
	/* cancelled units that neither waited nor were allocated: nothing else tells of them */
	entry.quantity = NumericSubtract(edit->after.cancelled, edit->before.cancelled);
	if (NumericSign(entry.quantity) <= 0 ||
		(NumericSign(edit->given) > 0 && strcmp(EditCauseOfGiving(edit), "cancel") == 0))
		return;
	entry.kind = "changed";
	entry.cause = "cancel";
	entry.reason = edit->after.cancel_reason;
	entry.happened_at = GetCurrentTransactionStartTimestamp();
	JournalAdd(engine, &entry);
}

/* Units that are picked must be allocated: where they are, and not on hold. */
void
EditCheckFirm(Engine *engine, const Edit *edit)
{
	StockKey	key;
	Share		share;
	Share	   *shares = &share;
	Numeric		allocated;

	if (NumericSign(edit->after.firm) == 0)
		return;
	StockKeyInit(&key, edit->after.item, edit->after.location);
	memset(&share, 0, sizeof(share));
	share.order_id = edit->after.order_id;
	share.line_no = edit->after.line_no;
	QueueWaitingOf(engine, &key, &shares, 1);
	allocated = NumericSubtract(LineOpen(&edit->after), share.waiting);
	if (EditSamePlace(edit) && NumericCompare(edit->after.firm, allocated) <= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("firm units of order line \"%s\"/" INT64_FORMAT " must be allocated where they are",
					text_to_cstring(edit->after.order_id), edit->after.line_no),
			 !CallerMayRead(engine, "backorder") ? 0 :
			 errdetail("%s firm, %s allocated.", NumericText(edit->after.firm), NumericText(allocated)),
			 errhint("Lower firm first."),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, engine->ledger.name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "order_line"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "order_line_firm_allocated")));
}
