# a receipt filling 10,000 of 500,000 waiting lines

# wait_more LEDGER ITEM COUNT: so many more lines of one unit that wait for an item; many are placed by two sessions.
wait_more() {
	local jobs=() count=$3 part
	(( count < 100000 )) || count=$((count / 2))
	for (( part = 0; part < $3 / count; part++ )); do
		sql -c "INSERT INTO $1.order_line (order_id, line_no, item, quantity, customer)
			SELECT 'w$BASHPID-$EPOCHREALTIME-$part-' || n / 3, n % 3, '$2', 1, 'c' || n % 1000 FROM generate_series(1, $count) AS n" &
		jobs+=("$!")
	done
	wait "${jobs[@]}"
}

fill=$(size 10000)
make_ledger queue_extension
make_items queue_extension 1 10
wait_more queue_extension 1 "$(size 500000)"
for kind in row_trigger statement_trigger least; do
	make_baseline "queue_$kind" "${kind/least/plain}" queue_extension
	beside copy_state queue_extension "queue_$kind" no_lines	# receipts do not look at them
done
settle

# The least that must be written: a backorder closed and a journal row for each line, in one statement each.
least() {
	cat <<-SQL
		DROP TABLE IF EXISTS front;
		CREATE TEMP TABLE front AS SELECT b.ctid AS tid, b.* FROM queue_least.backorder AS b
			WHERE item = '1' AND location = 'main' AND closed_at IS NULL ORDER BY priority DESC, rank_at, backorder_id LIMIT $fill;
		ANALYZE front;
		WITH closed AS (
			UPDATE queue_least.backorder AS b SET remaining = 0, closed_at = now(), outcome = 'filled' FROM front AS f WHERE b.ctid = f.tid
		)
		INSERT INTO queue_least.journal (kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id, priority, rank_at, rules, happened_at)
		SELECT 'filled', 'receipt', order_id, line_no, item, location, quantity, backorder_id, 1, priority, rank_at, rules, now() FROM front;
	SQL
}

# Sessions of applications last: as many lines are filled before by the session whose time is measured,
# so that plans are made, and what all sessions share is in its reach.
receipt_fill() {
	if [[ $1 == least ]]; then
		{
			printf 'SET %s;\n' enable_hashjoin=off enable_mergejoin=off enable_seqscan=off jit=off client_min_messages=warning
			least
			least
		} | milliseconds
		return
	fi
	milliseconds <<-SQL
		INSERT INTO queue_$1.stock_move (item, location, quantity) VALUES ('1', 'main', $fill);
		INSERT INTO queue_$1.stock_move (item, location, quantity) VALUES ('1', 'main', $fill);
	SQL
}

usual_rounds=$rounds
rounds=$((rounds * 2))		# they are short
interleave receipt_fill extension row_trigger statement_trigger least
rounds=$usual_rounds
report "receipt filling $fill of $(size 500000) waiting lines" extension ms "PL/pgSQL loop over the same index" row_trigger faster ">= 4"
report "receipt filling $fill of $(size 500000) waiting lines" extension ms "PL/pgSQL set-based" statement_trigger faster
report "receipt filling $fill of $(size 500000) waiting lines" extension ms "the least: an UPDATE and an INSERT" least
sql -c "DROP SCHEMA queue_least, queue_row_trigger, queue_statement_trigger CASCADE" 2>/dev/null
