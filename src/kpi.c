/*
 * kpi.c
 *	  The aggregates under the figures (design section 6): the ratio of two
 *	  sums, and the mean of durations.
 *
 *	  Their states are ordinary arrays, not "internal": a partial result can be
 *	  sent to another process or another server, and kept in a table.  The
 *	  price is that anybody can call a transition function with an array of his
 *	  own, so each state is checked before it is read.  A call outside an
 *	  aggregate is allowed and leaves its argument alone.
 */
#include "backorder.h"

#include "access/tupmacs.h"
#include "common/int.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"

/* The state of a ratio, numeric[2]: the sum of the parts, that of the wholes. */
#define RATIO_PART			0
#define RATIO_WHOLE			1
#define RATIO_LENGTH		2

/*
 * The state of a mean duration, bigint[3]: how many, and their sum as whole
 * days and the microseconds beyond them (0 up to a day).  A sum in microseconds
 * alone would overflow at 292,000 years: five million backorders of three weeks.
 */
#define DURATION_COUNT		0
#define DURATION_DAYS		1
#define DURATION_MICROS		2
#define DURATION_LENGTH		3

/* Up to here the division in MeanDuration() cannot overflow. */
#define DURATION_MAX_COUNT	INT64CONST(1000000000000)

typedef struct RatioState
{
	char	   *place[RATIO_LENGTH];	/* where each sum lies in the array */
	Numeric		sum[RATIO_LENGTH];
} RatioState;

PG_FUNCTION_INFO_V1(backorder_ratio_accum);
PG_FUNCTION_INFO_V1(backorder_weighted_average_accum);
PG_FUNCTION_INFO_V1(backorder_ratio_combine);
PG_FUNCTION_INFO_V1(backorder_ratio_final);
PG_FUNCTION_INFO_V1(backorder_fill_rate_final);
PG_FUNCTION_INFO_V1(backorder_average_duration_accum);
PG_FUNCTION_INFO_V1(backorder_average_duration_combine);
PG_FUNCTION_INFO_V1(backorder_average_duration_final);

static void
CheckStateShape(ArrayType *state, Oid element_type, int length)
{
	if (ARR_NDIM(state) != 1 ||
		ARR_DIMS(state)[0] != length ||
		ARR_HASNULL(state) ||
		ARR_ELEMTYPE(state) != element_type)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("aggregate state must be an array of %d numbers", length)));
}

static void
ReadRatio(ArrayType *array, RatioState *state)
{
	char	   *place;

	CheckStateShape(array, NUMERICOID, RATIO_LENGTH);

	place = ARR_DATA_PTR(array);
	for (int i = 0; i < RATIO_LENGTH; i++)
	{
		state->place[i] = place;
		state->sum[i] = DatumGetNumeric(PointerGetDatum(place));
		place = att_addlength_pointer(place, -1, place);
		place = (char *) att_align_nominal(place, TYPALIGN_INT);
	}
}

/*
 * A sum seldom changes its length, so within an aggregate it nearly always
 * fits where the old one lies.  That saves building and copying an array for
 * each row.
 */
static bool
FitsInPlace(RatioState *state, Numeric *sum)
{
	for (int i = 0; i < RATIO_LENGTH; i++)
	{
		if (state->place[i] != (char *) state->sum[i] ||
			VARSIZE(state->sum[i]) != VARSIZE(sum[i]))
			return false;
	}
	return true;
}

static ArrayType *
AddToRatio(FunctionCallInfo fcinfo, ArrayType *array, Numeric part, Numeric whole)
{
	RatioState	state;
	Numeric		sum[RATIO_LENGTH];
	Datum		element[RATIO_LENGTH];

	ReadRatio(array, &state);
	sum[RATIO_PART] = NumericAdd(state.sum[RATIO_PART], part);
	sum[RATIO_WHOLE] = NumericAdd(state.sum[RATIO_WHOLE], whole);

	if (AggCheckCallContext(fcinfo, NULL) && FitsInPlace(&state, sum))
	{
		for (int i = 0; i < RATIO_LENGTH; i++)
			memcpy(state.place[i], sum[i], VARSIZE(sum[i]));
		return array;
	}

	for (int i = 0; i < RATIO_LENGTH; i++)
		element[i] = NumericGetDatum(sum[i]);
	return construct_array(element, RATIO_LENGTH, NUMERICOID, -1, false, TYPALIGN_INT);
}

/* NULL where the sum of the wholes is 0, and so where there were no rows. */
static Numeric
DivideRatio(ArrayType *array)
{
	RatioState	state;

	ReadRatio(array, &state);
	if (NumericSign(state.sum[RATIO_WHOLE]) == 0)
		return NULL;
	return DatumGetNumeric(DirectFunctionCall2(numeric_div,
											   NumericGetDatum(state.sum[RATIO_PART]),
											   NumericGetDatum(state.sum[RATIO_WHOLE])));
}

static int64 *
ReadDuration(ArrayType *array)
{
	int64	   *state;

	CheckStateShape(array, INT8OID, DURATION_LENGTH);

	state = (int64 *) ARR_DATA_PTR(array);
	if (state[DURATION_COUNT] < 0 ||
		state[DURATION_COUNT] > DURATION_MAX_COUNT ||
		state[DURATION_MICROS] < 0 ||
		state[DURATION_MICROS] >= USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("aggregate state holds impossible numbers"),
				 errdetail("It must be a count, whole days, and the microseconds beyond them.")));
	return state;
}

static void
AddToDuration(int64 *state, int64 count, int64 days, int64 micros)
{
	micros += state[DURATION_MICROS];
	if (pg_add_s64_overflow(state[DURATION_DAYS], days, &days) ||
		pg_add_s64_overflow(days, micros / USECS_PER_DAY, &days))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));

	state[DURATION_COUNT] += count;
	state[DURATION_DAYS] = days;
	state[DURATION_MICROS] = micros % USECS_PER_DAY;
}

/* Long division, rounded to the nearest microsecond, halves away from zero. */
static Interval *
MeanDuration(int64 count, int64 days, int64 micros)
{
	Interval   *mean = palloc0(sizeof(Interval));
	int64		half = count / 2;
	int64		rest;
	int64		time;

	/* C divides towards zero: let both parts have the same sign. */
	if (days < 0 && micros > 0)
	{
		days++;
		micros -= USECS_PER_DAY;
	}

	rest = (days % count) * HOURS_PER_DAY;
	days /= count;
	time = (rest / count) * USECS_PER_HOUR;
	rest = (rest % count) * SECS_PER_HOUR;
	time += (rest / count) * USECS_PER_SEC;
	rest = (rest % count) * USECS_PER_SEC + micros;
	time += (rest + (rest < 0 ? -half : half)) / count;

	days += time / USECS_PER_DAY;
	if (days < PG_INT32_MIN || days > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));

	mean->day = (int32) days;
	mean->time = time % USECS_PER_DAY;
	return mean;
}

/*
 * ratio_accum(state numeric[], part numeric, whole numeric) → numeric[]
 *
 * Transition of ratio and fill_rate: adds part and whole, in whatever unit
 * they share, to the two sums.  NaN and infinities add as they do in sum().
 * Errors: 22023 when state is not two numbers, 22003 when a sum overflows.
 */
Datum
backorder_ratio_accum(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(AddToRatio(fcinfo,
									 PG_GETARG_ARRAYTYPE_P(0),
									 PG_GETARG_NUMERIC(1),
									 PG_GETARG_NUMERIC(2)));
}

/*
 * weighted_average_accum(state numeric[], value numeric, weight numeric) → numeric[]
 *
 * Transition of weighted_average: adds value x weight and weight to the two
 * sums.  Errors: 22023 when state is not two numbers, 22003 on overflow.
 */
Datum
backorder_weighted_average_accum(PG_FUNCTION_ARGS)
{
	Numeric		weight = PG_GETARG_NUMERIC(2);
	Datum		product = DirectFunctionCall2(numeric_mul,
											  PG_GETARG_DATUM(1),
											  NumericGetDatum(weight));

	PG_RETURN_ARRAYTYPE_P(AddToRatio(fcinfo,
									 PG_GETARG_ARRAYTYPE_P(0),
									 DatumGetNumeric(product),
									 weight));
}

/*
 * ratio_combine(state numeric[], other numeric[]) → numeric[]
 *
 * Adds the sums of two partial states, those of parallel workers for one.
 * Errors: 22023 when either is not two numbers, 22003 on overflow.
 */
Datum
backorder_ratio_combine(PG_FUNCTION_ARGS)
{
	RatioState	other;

	ReadRatio(PG_GETARG_ARRAYTYPE_P(1), &other);
	PG_RETURN_ARRAYTYPE_P(AddToRatio(fcinfo,
									 PG_GETARG_ARRAYTYPE_P(0),
									 other.sum[RATIO_PART],
									 other.sum[RATIO_WHOLE]));
}

/*
 * ratio_final(state numeric[]) → numeric
 *
 * The sum of the parts divided by the sum of the wholes; NULL where that is 0.
 * Errors: 22023 when state is not two numbers.
 */
Datum
backorder_ratio_final(PG_FUNCTION_ARGS)
{
	Numeric		ratio = DivideRatio(PG_GETARG_ARRAYTYPE_P(0));

	if (ratio == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(ratio);
}

/*
 * fill_rate_final(state numeric[]) → numeric
 *
 * 1 - ratio_final(state): the share that was not short; NULL without demand.
 * Errors: 22023 when state is not two numbers.
 */
Datum
backorder_fill_rate_final(PG_FUNCTION_ARGS)
{
	Numeric		short_share = DivideRatio(PG_GETARG_ARRAYTYPE_P(0));

	if (short_share == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(NumericSubtract(int64_to_numeric(1), short_share));
}

/*
 * average_duration_accum(state bigint[], opened timestamptz, closed timestamptz) → bigint[]
 *
 * Transition of average_duration: adds closed - opened, which may be negative.
 * Errors: 22023 when state is not a count, days and microseconds of a day;
 * 22008 when a timestamp is infinite or the difference or the sum overflows.
 */
Datum
backorder_average_duration_accum(PG_FUNCTION_ARGS)
{
	ArrayType  *array = AggCheckCallContext(fcinfo, NULL) ?
		PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
	int64	   *state = ReadDuration(array);
	TimestampTz opened = PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz closed = PG_GETARG_TIMESTAMPTZ(2);
	int64		duration;
	int64		days;
	int64		micros;

	if (TIMESTAMP_NOT_FINITE(opened) || TIMESTAMP_NOT_FINITE(closed))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("cannot subtract infinite timestamps")));
	if (pg_sub_s64_overflow(closed, opened, &duration))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));

	days = duration / USECS_PER_DAY;
	micros = duration % USECS_PER_DAY;
	if (micros < 0)
	{
		days--;
		micros += USECS_PER_DAY;
	}
	AddToDuration(state, 1, days, micros);
	PG_RETURN_ARRAYTYPE_P(array);
}

/*
 * average_duration_combine(state bigint[], other bigint[]) → bigint[]
 *
 * Adds two partial states.  Errors: 22023 when either is not a state, 22008
 * when the sum overflows.
 */
Datum
backorder_average_duration_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *array = AggCheckCallContext(fcinfo, NULL) ?
		PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
	int64	   *state = ReadDuration(array);
	int64	   *other = ReadDuration(PG_GETARG_ARRAYTYPE_P(1));

	AddToDuration(state,
				  other[DURATION_COUNT],
				  other[DURATION_DAYS],
				  other[DURATION_MICROS]);
	PG_RETURN_ARRAYTYPE_P(array);
}

/*
 * average_duration_final(state bigint[]) → interval
 *
 * The mean, in days of 24 hours and a time below a day, to the microsecond;
 * NULL without rows.  Errors: 22023 when state is not a state, 22008 when the
 * mean is no interval.
 */
Datum
backorder_average_duration_final(PG_FUNCTION_ARGS)
{
	int64	   *state = ReadDuration(PG_GETARG_ARRAYTYPE_P(0));

	if (state[DURATION_COUNT] == 0)
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(MeanDuration(state[DURATION_COUNT],
									  state[DURATION_DAYS],
									  state[DURATION_MICROS]));
}
