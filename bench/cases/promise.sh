# dates: the schedule of a long queue, and what inbound supply adds to receipts and to short lines

waiting=$(size 100000)
rows=$(size 1000)
few=$(size 100)
lines=$(size 400)

# $1 a ledger with item 1 in it, for which $2 lines wait, and $3 inbound rows that cover three quarters of a long queue
promise_ledger() {
	make_ledger "$1"
	make_items "$1" 1 2
	sql -c "UPDATE $1.item SET lead_time = '30 days'"
	sql -c "INSERT INTO $1.order_line (order_id, line_no, item, quantity)
		SELECT n / 3, n % 3, 1, 1 + n % 5 FROM generate_series(1, $2) AS n"
	(( $3 == 0 )) || sql -c "INSERT INTO $1.inbound (item, quantity, expected_at)
		SELECT 1, greatest($waiting * 9 / 4 / $3, 1), now() + n * interval '1 hour' FROM generate_series(1, $3) AS n"
}
promise_few() {
	promise_ledger promise_few "$few" "$rows"
	# as many lines wait there, for something else: indexes are as large
	sql -c "INSERT INTO promise_few.order_line (order_id, line_no, item, quantity)
		SELECT 'o' || n / 3, n % 3, 2, 1 + n % 5 FROM generate_series(1, $waiting) AS n"
}
sql -c "CREATE EXTENSION IF NOT EXISTS backorder" 2>/dev/null
beside promise_ledger promise_extension "$waiting" "$rows"
beside promise_ledger promise_plain "$waiting" 0
beside promise_few
settle

# what the schedule is made of, read in the same order
schedule() {
	case $1 in
	schedule) milliseconds <<<"SET jit = off; SELECT count(quantity), max(expected_at) FROM promise_extension.promise_schedule('1', 'main');" ;;
	scan) milliseconds <<<"SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET max_parallel_workers_per_gather = 0;
		SELECT count(remaining), max(opened_at) FROM (SELECT backorder_id, order_id, line_no, remaining, opened_at FROM promise_extension.backorder
			WHERE item = '1' AND location = 'main' AND closed_at IS NULL ORDER BY priority DESC, rank_at, backorder_id OFFSET 0) AS b;" ;;
	dates) milliseconds <<<"SET jit = off; SELECT max(expected_at) FROM promise_extension.open_backorder WHERE item = '1';" ;;
	places) milliseconds <<<"SET jit = off; SELECT max(position) FROM promise_extension.open_backorder WHERE item = '1';" ;;
	esac
}
interleave schedule schedule scan dates places
report "schedule of $waiting lines by $rows inbound rows" schedule ms "an index scan of these lines" scan rate "<= 3"
report "open_backorder with expected dates" dates ms "without" places

cat >short.pgb <<'SQL'
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (gen_random_uuid(), 1, 1, 1);
SQL
cat >receipt.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, quantity) VALUES (1, 1);
SQL

one() {
	local ledger=promise_extension script=${1%_*}.pgb
	case $1 in
	*_plain) ledger=promise_plain ;;
	*_few) ledger=promise_few ;;
	esac
	transactions "$ledger" 1 -t "$lines" "$script" | awk '{ print 1000000 / $1 }'
}
for series in short_inbound short_plain short_few receipt_inbound receipt_plain; do
	one "$series" >/dev/null
done
usual_rounds=$rounds
rounds=$((rounds * 2))		# they are short
interleave one short_inbound short_plain short_few receipt_inbound receipt_plain
rounds=$usual_rounds
report "short line behind $waiting with $rows inbound rows" short_inbound us "nothing inbound" short_plain
report "short line behind $waiting with $rows inbound rows" short_inbound us "behind $few" short_few rate "<= 1.2"
report "receipt with $rows inbound rows" receipt_inbound us "nothing inbound" receipt_plain rate

move() {
	case $1 in
	slip) milliseconds <<<"UPDATE promise_extension.inbound SET expected_at = expected_at + interval '1 day' * CASE WHEN $2 % 2 = 1 THEN 1 ELSE -1 END WHERE inbound_id > 1;" ;;
	one) milliseconds <<<"UPDATE promise_extension.inbound SET expected_at = expected_at + interval '1 second' * CASE WHEN $2 % 2 = 1 THEN 1 ELSE -1 END WHERE inbound_id = $rows / 2;" ;;
	esac
}
usual_rounds=$rounds
rounds=1
interleave move slip one
rounds=$usual_rounds
report "all $rows inbound rows slip by a day" slip ms
report "one inbound row slips by a second" one ms
