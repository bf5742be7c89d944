-- The aggregates, on a table that is no ledger's.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
\pset null NULL

CREATE TEMP TABLE demand (item text, ordered numeric, short numeric, opened timestamptz, closed timestamptz);
INSERT INTO demand VALUES
	('hammer', 10, 2, '2024-01-01', '2024-01-03 12:00'),
	('hammer', 5, 1, '2024-01-01', '2024-01-02 00:00:00.000001'),
	('nail', 0, 0, '2024-01-01', NULL),
	('glue', 0.3, 0.1, NULL, NULL),
	('saw', NULL, 7, NULL, '2024-01-01'),
	('saw', 3, NULL, '2024-01-05', '2024-01-05');

-- hammer: 3 of 15 short.  A row with a NULL does not count: saw has no demand.
-- nail: nothing ordered.  glue: 1/3.  all: 3.1 of 15.3.
SELECT item, backorder.fill_rate(short, ordered), backorder.ratio(short, ordered), round(backorder.ratio(short, ordered), 6)
FROM demand GROUP BY ROLLUP (item) ORDER BY item;
-- 2 at a weight of 10, 1 at a weight of 5: 25 / 15
SELECT backorder.weighted_average(short, ordered) FROM demand WHERE item = 'hammer';
-- 60 hours and 24 hours and a microsecond: 42 hours and half a microsecond, rounded away from zero
SELECT item, backorder.average_duration(opened, closed) FROM demand GROUP BY ROLLUP (item) ORDER BY item;
SELECT backorder.average_duration(closed, opened) FROM demand WHERE item = 'hammer';
-- no rows
SELECT backorder.fill_rate(short, ordered), backorder.ratio(short, ordered), backorder.weighted_average(short, ordered),
	backorder.average_duration(opened, closed)
FROM demand WHERE item = 'wheel';

-- a ratio may be negative, and above 1: the caller knows what he counts
SELECT backorder.ratio(part, whole), backorder.fill_rate(part, whole) FROM (VALUES (5, -2)) AS v (part, whole);
-- numbers are exact: a thousand floats of 0.1 are not 100
SELECT backorder.ratio(part, 1) = 0.1 FROM (SELECT 0.1 AS part FROM generate_series(1, 1000)) AS v;
-- a sum far beyond 64 bits, and a length that changes from row to row
SELECT backorder.ratio(10::numeric ^ n, 1) * 50 FROM generate_series(0, 49) AS n;

-- what is not finite goes through as it does in sum()
SELECT backorder.ratio(part, whole), backorder.fill_rate(part, whole), backorder.weighted_average(part, whole)
FROM (VALUES ('NaN'::numeric, 1::numeric), (1, 1)) AS v (part, whole);
SELECT backorder.ratio(part, whole), backorder.fill_rate(part, whole), backorder.weighted_average(part, whole)
FROM (VALUES (1::numeric, 'Infinity'::numeric), (1, 1)) AS v (part, whole);
SELECT backorder.ratio(part, 1) FROM (VALUES ('Infinity'::numeric), ('-Infinity')) AS v (part);

-- windows: a state goes on from row to row, and starts anew with a frame
SELECT n, round(backorder.ratio(n, 2) OVER (ORDER BY n), 2) AS so_far,
	round(backorder.ratio(n, 2) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), 2) AS of_two,
	backorder.average_duration('2024-01-01', '2024-01-01'::timestamptz + n * interval '1 day') OVER (ORDER BY n ROWS 1 PRECEDING)
FROM generate_series(1, 4) AS n ORDER BY n;
-- DISTINCT, FILTER, ORDER BY
SELECT backorder.ratio(DISTINCT short, ordered), backorder.ratio(short, ordered ORDER BY short) FILTER (WHERE short > 1) FROM demand WHERE item = 'hammer';

-- A parallel plan says the same as plain arithmetic.
CREATE SCHEMA sums;
CREATE TABLE sums.demand AS
SELECT n, n % 7 AS grp, (n * 7919 % 1009) / 8.0 AS short, (n * 104729 % 10007) / 4.0 AS ordered,
	'2024-01-01'::timestamptz + n * interval '1 minute' AS opened,
	CASE WHEN n % 5 > 0 THEN '2024-01-01'::timestamptz + n * interval '1 minute' + (n % 1000) * interval '1 hour 1 microsecond' END AS closed
FROM generate_series(1, 20000) AS n;
ANALYZE sums.demand;
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
EXPLAIN (COSTS OFF)
SELECT backorder.fill_rate(short, ordered), backorder.average_duration(opened, closed) FROM sums.demand;
SELECT backorder.fill_rate(short, ordered) = 1 - sum(short) / sum(ordered) AS fill_rate,
	backorder.ratio(short, ordered) = sum(short) / sum(ordered) AS ratio,
	backorder.weighted_average(short, ordered) = sum(short * ordered) / sum(ordered) AS weighted_average,
	extract(epoch FROM backorder.average_duration(opened, closed)) = round(sum(extract(epoch FROM closed - opened)) / count(closed), 6) AS average_duration
FROM sums.demand;
SELECT count(*) AS groups,
	bool_and(fill_rate = 1 - short / ordered) AS fill_rate,
	bool_and(extract(epoch FROM average_duration) = round(mean, 6)) AS average_duration
FROM (
	SELECT grp, backorder.fill_rate(short, ordered), sum(short) AS short, sum(ordered) AS ordered,
		backorder.average_duration(opened, closed), avg(extract(epoch FROM closed - opened)) AS mean
	FROM sums.demand GROUP BY grp
) AS g;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
SET client_min_messages = warning;
DROP SCHEMA sums CASCADE;
RESET client_min_messages;

-- Partial sums can be kept, and combined later.
SELECT backorder.ratio_final(backorder.ratio_combine(backorder.ratio_accum('{0,0}', 1, 4), backorder.ratio_accum('{1,2}', 1, 2)));
-- A call outside an aggregate leaves its argument as it was.
SELECT backorder.ratio_accum(ratio, 1, 1), ratio, backorder.average_duration_accum(mean, '2024-01-01', '2024-01-02'), mean
FROM (SELECT '{1,2}'::numeric[], '{1,2,3}'::bigint[] OFFSET 0) AS s (ratio, mean);
-- a mean below zero, just below a day, and rounded
SELECT backorder.average_duration_final('{3,-1,0}'), backorder.average_duration_final('{1,0,86399999999}'),
	backorder.average_duration_final('{2,-1,86399999999}'), backorder.average_duration_final('{0,5,0}');

-- Arrays that are no state, and sums that are too large.
SELECT backorder.ratio_accum('{1}', 1, 1);
SELECT backorder.average_duration_accum('{1,2,86400000000}', '2024-01-01', '2024-01-02');
SELECT backorder.average_duration(opened, '2024-01-01') FROM (VALUES ('-infinity'::timestamptz)) AS v (opened);
SELECT backorder.average_duration(opened, '294276-01-01') FROM (VALUES ('4713-01-01 BC'::timestamptz)) AS v (opened);
\set VERBOSITY sqlstate
SELECT backorder.ratio_accum('{}', 1, 1);
SELECT backorder.ratio_accum('{1,2,3}', 1, 1);
SELECT backorder.ratio_accum('{1,NULL}', 1, 1);
SELECT backorder.ratio_accum('{{1,2},{3,4}}', 1, 1);
SELECT backorder.weighted_average_accum('{1}', 1, 1);
SELECT backorder.ratio_combine('{1,2}', '{}');
SELECT backorder.ratio_combine('{}', '{1,2}');
SELECT backorder.ratio_final('{1}');
SELECT backorder.fill_rate_final('{1,2,3}');
SELECT backorder.average_duration_accum('{}', '2024-01-01', '2024-01-02');
SELECT backorder.average_duration_accum('{1,NULL,3}', '2024-01-01', '2024-01-02');
SELECT backorder.average_duration_accum('{-1,2,3}', '2024-01-01', '2024-01-02');
SELECT backorder.average_duration_accum('{9223372036854775807,2,3}', '2024-01-01', '2024-01-02');
SELECT backorder.average_duration_accum('{1,2,-3}', '2024-01-01', '2024-01-02');
SELECT backorder.average_duration_accum('{1,9223372036854775807,86399999999}', '2024-01-01', '2024-01-01 00:00:01');
SELECT backorder.average_duration_combine('{1,2,3}', '{1}');
SELECT backorder.average_duration_combine('{1}', '{1,2,3}');
SELECT backorder.average_duration_combine('{1,9223372036854775807,0}', '{1,9223372036854775807,0}');
SELECT backorder.average_duration_final('{}');
SELECT backorder.average_duration_final('{1,9223372036854775807,0}');
SELECT backorder.ratio(part, 1e-16383) FROM (VALUES (1e131071::numeric)) AS v (part);
SELECT backorder.weighted_average(value, 10) FROM (VALUES (1e131071::numeric)) AS v (value);
-- NULL is no state and no row: nothing comes of it
SELECT backorder.ratio_accum(NULL, 1, 1), backorder.ratio_combine('{1,2}', NULL), backorder.ratio_final(NULL),
	backorder.average_duration_accum('{1,2,3}', NULL, now()), backorder.average_duration_final(NULL);
\set VERBOSITY default

DROP TABLE demand;
