# receipts one after the other while closed backorders pile up before the queue's head, no vacuum

head=$(size 6000)
cat >receipt.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, location, quantity) VALUES (1, 'main', 1);
SQL

settle

# One round is a ledger of its own: the first receipts, many fills, and the last receipts.
queue_head() {
	local ledger=head_extension_$2 part=$((head / 10 + 1))
	if [[ $1 == first ]]; then
		make_ledger "$ledger"
		make_items "$ledger" 1 2
		sql -c "ALTER TABLE $ledger.backorder SET (autovacuum_enabled = off)" -c "ALTER TABLE $ledger.stock_slot SET (autovacuum_enabled = off)"
		sql -c "INSERT INTO $ledger.order_line (order_id, line_no, item, quantity)
			SELECT n / 3, n % 3, 1, 1 FROM generate_series(1, $head * 3 / 2) AS n"
		sql -c "VACUUM ANALYZE $ledger.backorder" -c "VACUUM ANALYZE $ledger.stock_slot"
	else
		transactions "$ledger" 1 -t "$((head - part))" receipt.pgb >/dev/null
	fi
	transactions "$ledger" 1 -t "$part" receipt.pgb | awk '{ print 1000000 / $1 }'
}

# the order of the two is the matter here
for (( round = 1; round <= rounds; round++ )); do
	note first "$round" "$(queue_head first "$round")"
	note last "$round" "$(queue_head last "$round")"
	tick
done
report "receipt of one unit after $head fills without vacuum" last us "the first receipts" first
