# a receipt of one unit with 1,000,000 lines waiting

if ! has_schema queue_extension; then
	make_ledger queue_extension
	make_items queue_extension 1 10
fi
declare -F waiting >/dev/null || . <(sed -n '/^waiting()/,/^}/p' "$here/cases/receipt_fill.sh")
make_ledger short_extension
make_items short_extension 1 10
many=$(size 1000000)
few=$(size 1000)
waiting queue_extension 1 "$many"
waiting short_extension 1 "$few"
settle

cat >receipt.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, location, quantity) VALUES (1, 'main', 1);
SQL

receipt_one() {
	local ledger=queue_extension waiting=$many
	if [[ $1 == few ]]; then
		ledger=short_extension
		waiting=$few
	fi
	waiting "$ledger" 1 "$waiting"
	transactions "$ledger" 1 -t "$((few / 2 + 1))" receipt.pgb | awk '{ print 1000000 / $1 }'
}

receipt_one many 0 >/dev/null
receipt_one few 0 >/dev/null
usual_rounds=$rounds
rounds=$((rounds * 3))		# they are short
interleave receipt_one many few
rounds=$usual_rounds
report "receipt of one unit with $many lines waiting" many us "with $few waiting" few rate "<= 1.2"
