/*
 * number.c
 *	  Exact quantities: numeric arithmetic with short names.
 */
#include "backorder.h"

#include "utils/memutils.h"

/* One for all: NumericFree() spares it. */
Numeric
NumericZero(void)
{
	static Numeric zero = NULL;

	if (zero == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		zero = int64_to_numeric(0);
		MemoryContextSwitchTo(caller);
	}
	return zero;
}

void
NumericFree(Numeric a)
{
	if (a != NumericZero())
		pfree(a);
}

Numeric
NumericAdd(Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(a), NumericGetDatum(b)));
}

Numeric
NumericSubtract(Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_sub, NumericGetDatum(a), NumericGetDatum(b)));
}

Numeric
NumericNegate(Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_uminus, NumericGetDatum(a)));
}

/* a / parts in whole units, towards zero */
Numeric
NumericDivideWhole(Numeric a, int parts)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_div_trunc, NumericGetDatum(a),
											   NumericGetDatum(int64_to_numeric(parts))));
}

int
NumericCompare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

/* The value of a column; a plain zero, which most columns of a line are, costs no copy. */
Numeric
NumericOfDatum(Datum value)
{
	Numeric		zero = NumericZero();
	struct varlena *packed = (struct varlena *) DatumGetPointer(value);

	if (!VARATT_IS_EXTENDED(packed) || VARATT_IS_SHORT(packed))
	{
		Size		length = VARSIZE_ANY_EXHDR(packed);

		if (length == VARSIZE_ANY_EXHDR(zero) && memcmp(VARDATA_ANY(packed), VARDATA_ANY(zero), length) == 0)
			return zero;
	}
	return DatumGetNumeric(value);
}

/* -1, 0 or 1 */
int
NumericSign(Numeric a)
{
	if (a == NumericZero())
		return 0;
	return NumericCompare(a, NumericZero());
}

Numeric
NumericLeast(Numeric a, Numeric b)
{
	return NumericCompare(a, b) <= 0 ? a : b;
}

/* Small enough that sums over any number of rows stay within numeric? */
bool
QuantityFits(Numeric a)
{
	static Numeric limit = NULL;
	static Numeric lower_limit = NULL;

	if (lower_limit == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		limit = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum("1e30"),
													ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		lower_limit = NumericNegate(limit);
		MemoryContextSwitchTo(old);
	}
	return NumericCompare(a, limit) < 0 && NumericCompare(a, lower_limit) > 0;
}

/* for messages */
char *
NumericText(Numeric a)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(a)));
}
