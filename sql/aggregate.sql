/*
 * Aggregates for figures, on any table.  A row with NULL in either argument
 * is left out.  Their states are arrays that can be combined: parallel plans,
 * partitions, other servers.
 */
CREATE FUNCTION backorder.ratio_accum(state numeric[], part numeric, whole numeric) RETURNS numeric[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_ratio_accum';
COMMENT ON FUNCTION backorder.ratio_accum(numeric[], numeric, numeric) IS
	'Transition of the aggregates ratio and fill_rate: adds part and whole to the two sums of the state.';

CREATE FUNCTION backorder.weighted_average_accum(state numeric[], value numeric, weight numeric) RETURNS numeric[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_weighted_average_accum';
COMMENT ON FUNCTION backorder.weighted_average_accum(numeric[], numeric, numeric) IS
	'Transition of the aggregate weighted_average: adds value x weight and weight to the two sums of the state.';

CREATE FUNCTION backorder.ratio_combine(state numeric[], other numeric[]) RETURNS numeric[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_ratio_combine';
COMMENT ON FUNCTION backorder.ratio_combine(numeric[], numeric[]) IS
	'Adds two partial states of ratio, fill_rate or weighted_average.';

CREATE FUNCTION backorder.ratio_final(state numeric[]) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_ratio_final';
COMMENT ON FUNCTION backorder.ratio_final(numeric[]) IS
	'Result of ratio and weighted_average: first sum / second sum, NULL where the second is 0.';

CREATE FUNCTION backorder.fill_rate_final(state numeric[]) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_fill_rate_final';
COMMENT ON FUNCTION backorder.fill_rate_final(numeric[]) IS
	'Result of fill_rate: 1 - first sum / second sum, NULL where the second is 0.';

CREATE AGGREGATE backorder.ratio(part numeric, whole numeric) (
	SFUNC = backorder.ratio_accum,
	STYPE = numeric[],
	INITCOND = '{0,0}',
	COMBINEFUNC = backorder.ratio_combine,
	FINALFUNC = backorder.ratio_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE backorder.ratio(numeric, numeric) IS
	'Ratio of two sums: sum(part) / sum(whole); NULL where sum(whole) is 0 or there are no rows.';

CREATE AGGREGATE backorder.fill_rate(backordered numeric, quantity numeric) (
	SFUNC = backorder.ratio_accum,
	STYPE = numeric[],
	INITCOND = '{0,0}',
	COMBINEFUNC = backorder.ratio_combine,
	FINALFUNC = backorder.fill_rate_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE backorder.fill_rate(numeric, numeric) IS
	'Share that was not short: 1 - sum(backordered) / sum(quantity); NULL where sum(quantity) is 0 or there are no rows.';

CREATE AGGREGATE backorder.weighted_average(value numeric, weight numeric) (
	SFUNC = backorder.weighted_average_accum,
	STYPE = numeric[],
	INITCOND = '{0,0}',
	COMBINEFUNC = backorder.ratio_combine,
	FINALFUNC = backorder.ratio_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE backorder.weighted_average(numeric, numeric) IS
	'Weighted mean: sum(value x weight) / sum(weight); NULL where sum(weight) is 0 or there are no rows.';

CREATE FUNCTION backorder.average_duration_accum(state bigint[], opened timestamptz, closed timestamptz) RETURNS bigint[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_average_duration_accum';
COMMENT ON FUNCTION backorder.average_duration_accum(bigint[], timestamptz, timestamptz) IS
	'Transition of the aggregate average_duration: the state is a count, whole days, and the microseconds beyond them.';

CREATE FUNCTION backorder.average_duration_combine(state bigint[], other bigint[]) RETURNS bigint[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_average_duration_combine';
COMMENT ON FUNCTION backorder.average_duration_combine(bigint[], bigint[]) IS
	'Adds two partial states of average_duration.';

CREATE FUNCTION backorder.average_duration_final(state bigint[]) RETURNS interval
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'backorder_average_duration_final';
COMMENT ON FUNCTION backorder.average_duration_final(bigint[]) IS
	'Result of average_duration: the sum divided by the count, to the microsecond; NULL where the count is 0.';

CREATE AGGREGATE backorder.average_duration(opened timestamptz, closed timestamptz) (
	SFUNC = backorder.average_duration_accum,
	STYPE = bigint[],
	INITCOND = '{0,0,0}',
	COMBINEFUNC = backorder.average_duration_combine,
	FINALFUNC = backorder.average_duration_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE backorder.average_duration(timestamptz, timestamptz) IS
	'Mean of closed - opened in days of 24 hours, exact to the microsecond; only rows where both are given.';
