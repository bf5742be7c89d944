/*
 * line.c
 *	  Order lines as a trigger sees them.
 */
#include "backorder.h"

#include "utils/datum.h"
#include "utils/jsonb.h"

enum
{
	/* the columns that place a line, and the engine's own */
	LINE_ORDER_ID, LINE_LINE_NO, LINE_ITEM, LINE_LOCATION, LINE_QUANTITY, LINE_PLACED_AT,
	LINE_NOT_BEFORE, LINE_FIRM, LINE_CANCELLED, LINE_BACKORDERED_AT_ENTRY, LINE_ENTERED_QUANTITY,
	LINE_ENTERED_AT, LINE_ON_HOLD, LINE_SHIPPED,
	/* the columns that rank it */
	LINE_CUSTOMER, LINE_ATTRIBUTES, LINE_UNIT_PRICE, LINE_REQUIRED_BY, LINE_PRIORITY,
	LINE_DEMAND_CLASS,
	/* looked at when it is short or cancelled */
	LINE_ON_SHORT, LINE_CANCEL_REASON
};

#define LINE_FIRST_RANKING LINE_CUSTOMER
#define LINE_LAST_RANKING LINE_DEMAND_CLASS

static ColumnShape line_shape[LINE_COLUMNS] = {
	{"order_id", TEXTOID, 0},
	{"line_no", INT8OID, 0},
	{"item", TEXTOID, 0},
	{"location", TEXTOID, 0},
	{"quantity", NUMERICOID, 0},
	{"placed_at", TIMESTAMPTZOID, 0},
	{"not_before", TIMESTAMPTZOID, 0},
	{"firm", NUMERICOID, 0},
	{"cancelled", NUMERICOID, 0},
	{"backordered_at_entry", NUMERICOID, 0},
	{"entered_quantity", NUMERICOID, 0},
	{"entered_at", TIMESTAMPTZOID, 0},
	{"on_hold", BOOLOID, 0},
	{"shipped", NUMERICOID, 0},
	{"customer", TEXTOID, 0},
	{"attributes", JSONBOID, 0},
	{"unit_price", NUMERICOID, 0},
	{"required_by", TIMESTAMPTZOID, 0},
	{"priority", INT4OID, 0},
	{"demand_class", TEXTOID, 0},
	{"on_short", TEXTOID, 0},
	{"cancel_reason", TEXTOID, 0},
};

void
LineColumns(Relation rel, AttrNumber *attnum)
{
	FindColumns(rel, line_shape, LINE_COLUMNS, attnum);
}

static Numeric
SlotNumericOrNull(TupleTableSlot *slot, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	return isnull ? NULL : NumericOfDatum(value);
}

static text *
SlotTextOrNull(TupleTableSlot *slot, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	return isnull ? NULL : DatumGetTextPP(value);
}

static bool
SlotTime(TupleTableSlot *slot, AttrNumber attnum, TimestampTz *time)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	*time = isnull ? 0 : DatumGetTimestampTz(value);
	return !isnull;
}

/* NOT NULL constraints hold for a ledger's table; a table that merely looks like one may lack them. */
static void
RequireValues(const Line *line)
{
	if (line->order_id == NULL || line->item == NULL || line->location == NULL ||
		line->quantity == NULL || line->cancelled == NULL || line->shipped == NULL ||
		line->firm == NULL || line->backordered_at_entry == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("order line lacks a value that is never NULL")));
}

/* Reads a line; its values live as long as the slot's. */
void
LineRead(TupleTableSlot *slot, const AttrNumber *attnum, Line *line)
{
	bool		isnull;

	line->order_id = SlotTextOrNull(slot, attnum[LINE_ORDER_ID]);
	line->line_no = DatumGetInt64(slot_getattr(slot, attnum[LINE_LINE_NO], &isnull));
	line->item = SlotTextOrNull(slot, attnum[LINE_ITEM]);
	line->location = SlotTextOrNull(slot, attnum[LINE_LOCATION]);
	line->quantity = SlotNumericOrNull(slot, attnum[LINE_QUANTITY]);
	line->cancelled = SlotNumericOrNull(slot, attnum[LINE_CANCELLED]);
	line->shipped = SlotNumericOrNull(slot, attnum[LINE_SHIPPED]);
	line->firm = SlotNumericOrNull(slot, attnum[LINE_FIRM]);
	line->backordered_at_entry = SlotNumericOrNull(slot, attnum[LINE_BACKORDERED_AT_ENTRY]);
	line->entered_quantity = SlotNumericOrNull(slot, attnum[LINE_ENTERED_QUANTITY]);
	(void) SlotTime(slot, attnum[LINE_PLACED_AT], &line->placed_at);
	line->has_not_before = SlotTime(slot, attnum[LINE_NOT_BEFORE], &line->not_before);
	line->has_entered_at = SlotTime(slot, attnum[LINE_ENTERED_AT], &line->entered_at);
	line->on_hold = DatumGetBool(slot_getattr(slot, attnum[LINE_ON_HOLD], &isnull));
	line->on_short = SlotTextOrNull(slot, attnum[LINE_ON_SHORT]);
	line->cancel_reason = SlotTextOrNull(slot, attnum[LINE_CANCEL_REASON]);
	line->priority = DatumGetInt32(slot_getattr(slot, attnum[LINE_PRIORITY], &isnull));
	RequireValues(line);
}

static void
RefuseValue(const Ledger *ledger, const Line *line, const char *message, const char *constraint)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("order line \"%s\"/" INT64_FORMAT ": %s", text_to_cstring(line->order_id),
					line->line_no, message),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, ledger->name),
			 err_generic_string(PG_DIAG_TABLE_NAME, "order_line"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* above -Infinity and below Infinity; NaN is not */
static bool
IsFinite(Numeric value)
{
	return !numeric_is_nan(value) && !numeric_is_inf(value);
}

bool
JsonIsObject(Datum value)
{
	return JB_ROOT_IS_OBJECT(DatumGetJsonbP(value));
}

static bool
OnShortKnown(const text *value)
{
	char	   *word = text_to_cstring(value);

	return strcmp(word, "backorder") == 0 || strcmp(word, "cancel") == 0 || strcmp(word, "refuse") == 0;
}

static void
CheckQuantities(const Ledger *ledger, const Line *line)
{
	bool		untouched = line->cancelled == NumericZero() && line->shipped == NumericZero() &&
		line->firm == NumericZero();

	if (!IsFinite(line->quantity) || NumericSign(line->quantity) <= 0 || !QuantityFits(line->quantity))
		RefuseValue(ledger, line, "quantity must be a number above zero and below 1e30",
					"order_line_quantity_positive");
	if (untouched)
		return;
	if (NumericSign(line->firm) < 0)
		RefuseValue(ledger, line, "firm must not be below zero", "order_line_firm_not_negative");
	if (NumericSign(line->cancelled) < 0)
		RefuseValue(ledger, line, "cancelled must not be below zero", "order_line_cancelled_not_negative");
	if (NumericCompare(NumericAdd(NumericAdd(line->cancelled, line->shipped), line->firm), line->quantity) > 0)
		RefuseValue(ledger, line, "cancelled, shipped and firm units together are more than its quantity",
					"order_line_open_quantity");
}

/* What a line that is inserted or changed may say.  Error 23514. */
void
LineCheck(TupleTableSlot *slot, const AttrNumber *attnum, const Ledger *ledger, const Line *line)
{
	bool		isnull;
	Datum		value;
	Numeric		unit_price = SlotNumericOrNull(slot, attnum[LINE_UNIT_PRICE]);

	if (VARSIZE_ANY_EXHDR(line->order_id) == 0)
		RefuseValue(ledger, line, "order_id must not be empty", "order_line_order_id_not_empty");
	CheckQuantities(ledger, line);
	value = slot_getattr(slot, attnum[LINE_ATTRIBUTES], &isnull);
	if (!isnull && !JsonIsObject(value))
		RefuseValue(ledger, line, "attributes must be a JSON object", "order_line_attributes_object");
	if (unit_price != NULL && !IsFinite(unit_price))
		RefuseValue(ledger, line, "unit_price must be a finite number", "order_line_unit_price_finite");
	if (TIMESTAMP_NOT_FINITE(line->placed_at))
		RefuseValue(ledger, line, "placed_at must be a finite time", "order_line_placed_at_finite");
	if (line->has_not_before && TIMESTAMP_IS_NOBEGIN(line->not_before))
		RefuseValue(ledger, line, "not_before must not be -infinity", "order_line_not_before_not_past");
	if (line->on_short != NULL && !OnShortKnown(line->on_short))
		RefuseValue(ledger, line, "on_short must be backorder, cancel or refuse", "order_line_on_short_known");
}

static Numeric
NumericCopyOrNull(Numeric value)
{
	return value == NULL ? NULL : DatumGetNumericCopy(NumericGetDatum(value));
}

/* Gives the line values of its own in the current memory context. */
void
LineCopy(Line *line)
{
	line->order_id = TextCopy(line->order_id);
	line->item = TextCopy(line->item);
	line->location = TextCopy(line->location);
	line->quantity = NumericCopyOrNull(line->quantity);
	line->cancelled = NumericCopyOrNull(line->cancelled);
	line->shipped = NumericCopyOrNull(line->shipped);
	line->firm = NumericCopyOrNull(line->firm);
	line->backordered_at_entry = NumericCopyOrNull(line->backordered_at_entry);
	line->entered_quantity = NumericCopyOrNull(line->entered_quantity);
	line->on_short = line->on_short ? TextCopy(line->on_short) : NULL;
	line->cancel_reason = line->cancel_reason ? TextCopy(line->cancel_reason) : NULL;
}

static bool
ColumnsUnchanged(TupleTableSlot *before, TupleTableSlot *after, const AttrNumber *attnum, int first, int last)
{
	TupleDesc	desc = before->tts_tupleDescriptor;

	for (int i = first; i <= last; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, attnum[i] - 1);
		bool		was_null;
		bool		is_null;
		Datum		was = slot_getattr(before, attnum[i], &was_null);
		Datum		is = slot_getattr(after, attnum[i], &is_null);

		if (was_null != is_null ||
			(!is_null && !datum_image_eq(was, is, attribute->attbyval, attribute->attlen)))
			return false;
	}
	return true;
}

/* Is every column the engine cares about the same? */
bool
LineUnchanged(TupleTableSlot *before, TupleTableSlot *after, const AttrNumber *attnum)
{
	return ColumnsUnchanged(before, after, attnum, 0, LINE_LAST_RANKING);
}

bool
LineRankChanged(TupleTableSlot *before, TupleTableSlot *after, const AttrNumber *attnum)
{
	return !ColumnsUnchanged(before, after, attnum, LINE_FIRST_RANKING, LINE_LAST_RANKING);
}

/* The line's demand now: what is neither cancelled nor shipped, unless it is on hold. */
Numeric
LineOpen(const Line *line)
{
	if (line->on_hold)
		return NumericZero();
	return NumericSubtract(NumericSubtract(line->quantity, line->cancelled), line->shipped);
}

/* When the line became demand, or would. */
TimestampTz
LineEntryTime(const Line *line)
{
	if (line->has_entered_at)
		return line->entered_at;
	return line->has_not_before ? Max(line->placed_at, line->not_before) : line->placed_at;
}

/* Has its time come? */
bool
LineIsDue(const Line *line)
{
	return !line->has_not_before || line->not_before <= GetCurrentTransactionStartTimestamp();
}

/* Has it ever been demand? */
bool
LineHasEntered(const Line *line)
{
	return !line->on_hold || line->has_entered_at;
}
