# a receipt of one unit with 1,000,000 lines waiting

if ! has_schema queue_extension; then
	make_ledger queue_extension
	make_items queue_extension 1 10
fi
declare -F wait_more >/dev/null || . <(sed -n '/^wait_more()/,/^}/p' "$here/cases/receipt_fill.sh")
make_ledger short_extension
make_items short_extension 1 10
many=$(size 1000000)
few=$(size 1000)
receipts=$(((few + 1) / 2))
wait_more queue_extension 1 "$((many - $(sql -c "SELECT count(*) FROM queue_extension.backorder WHERE item = '1' AND closed_at IS NULL")))"
wait_more short_extension 1 "$few"
settle

cat >receipt.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, location, quantity) VALUES (1, 'main', 1);
SQL

receipt_one() {
	local ledger=queue_extension
	[[ $1 == many ]] || ledger=short_extension
	transactions "$ledger" 1 -t "$receipts" receipt.pgb | awk '{ print 1000000 / $1 }'
	wait_more "$ledger" 1 "$receipts"
}

receipt_one many 0 >/dev/null
receipt_one few 0 >/dev/null
usual_rounds=$rounds
rounds=$((rounds * 2))		# they are short
interleave receipt_one many few
rounds=$usual_rounds
report "receipt of one unit with $many lines waiting" many us "with $few waiting" few rate "<= 1.2"
