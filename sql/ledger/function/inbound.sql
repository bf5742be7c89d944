/*
 * Discrete available to promise (APICS Dictionary): for each time at which supply
 * comes, that supply less the demand before the next one; where that is below
 * zero, the nearest earlier supply is kept for it, and what is still missing is
 * taken from what comes next.  Summed up, what is free at a time is the least that
 * the balance of all supply and demand falls to from then on.
 */
CREATE OR REPLACE FUNCTION available_to_promise(
	item text,
	location text DEFAULT NULL,
	horizon timestamptz DEFAULT NULL
) RETURNS TABLE (location text, available_at timestamptz, supply numeric, demand numeric, available numeric, cumulative numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT c.location, c.at, c.supply, c.demand, c.cumulative - lag(c.cumulative, 1, 0::numeric) OVER p, c.cumulative
	FROM (
		SELECT b.location, b.at, b.supply, b.demand,
			greatest(min(b.balance) OVER (PARTITION BY b.location ORDER BY b.at DESC), 0) AS cumulative
		FROM (
			SELECT t.location, t.at, sum(t.supply) AS supply, sum(t.demand) AS demand,
				sum(sum(t.supply) - sum(t.demand)) OVER (PARTITION BY t.location ORDER BY t.at) AS balance
			FROM (
				SELECT s.location, s.supply, s.demand,
					coalesce(max(s.at) FILTER (WHERE s.supply > 0) OVER (PARTITION BY s.location ORDER BY s.at), now()) AS at
				FROM supply_and_demand AS s
				WHERE s.item = $1 AND (s.location = $2 OR $2 IS NULL) AND (s.at <= greatest($3, now()) OR $3 IS NULL)
			) AS t
			GROUP BY t.location, t.at
		) AS b
	) AS c
	WINDOW p AS (PARTITION BY c.location ORDER BY c.at)
	ORDER BY c.location, c.at;
END;
COMMENT ON FUNCTION available_to_promise(text, text, timestamptz) IS
	'How much of an item can be promised, and from when: for each time at which supply comes, how much of it is free (available), and how much is free by then in all (cumulative). What the queue and lines on hold until a date ask for is kept for them, also where it is later. location NULL: each location. What is known beyond the horizon is neither supply nor demand.';
