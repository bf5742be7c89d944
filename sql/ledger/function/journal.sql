/*
 * The journal as an outbox.  Rows are delivered up to the last one whose horizon
 * lies behind: see src/outbox.c.  A horizon that this server has not reached was
 * drawn by another one, whose transactions are not running here (a restored
 * dump, a promoted standby).  But a standby may know of a row before it knows of
 * all the transactions below its horizon; there, only the row's own number tells.
 * A whole row is selected, so that columns users have added are in it.
 */
CREATE OR REPLACE FUNCTION journal_since(after bigint DEFAULT 0, max_rows integer DEFAULT 1000) RETURNS SETOF journal
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	SELECT j FROM journal AS j
	WHERE j.journal_id > coalesce($1, 0) AND j.journal_id <= (
		SELECT b.journal_id FROM journal AS b
		WHERE b.horizon <= pg_snapshot_xmin(pg_current_snapshot())
			OR (b.horizon > backorder.next_transaction_id()
				AND (NOT pg_is_in_recovery() OR b.transaction_id >= backorder.next_transaction_id()))
		ORDER BY b.journal_id DESC LIMIT 1)
	ORDER BY j.journal_id
	LIMIT $2;
END;
COMMENT ON FUNCTION journal_since(bigint, integer) IS
	'The next rows of the journal, at most max_rows, in an order in which a row of a transaction that commits late is never skipped: those with a journal_id above after, up to the last one below which nothing can appear any more. The last journal_id returned is the new position, which the caller keeps; 0 is the beginning. Reads only, also on a standby.';
