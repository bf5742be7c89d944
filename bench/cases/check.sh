# check_ledger and rebuild_ledger on a ledger of 1,000,000 lines

# The ledger that the case copy leaves, where it was run before, with one in twenty lines short.
lines=$(size 1000000)
if ! has_schema copy_extension; then
	make_ledger copy_extension
	make_items copy_extension 1 "$(size 10000)" 1000000000
fi
make_items copy_extension 1000001 1000100
sql -c "INSERT INTO copy_extension.order_line (order_id, line_no, item, quantity)
	SELECT 'short' || n, 1, 1000001 + n % 100, 1 FROM generate_series(1, $lines / 20) AS n" \
	-c "INSERT INTO copy_extension.stock_move (item, location, quantity) SELECT 1000001 + n, 'main', $lines / 4000 FROM generate_series(0, 99) AS n"
missing=$((lines - $(sql -c "SELECT count(*) FROM copy_extension.order_line")))
if (( missing > 0 )); then
	sql -c "INSERT INTO copy_extension.order_line (order_id, line_no, item, quantity)
		SELECT 'more' || n / 3, n % 3, 1 + n % $(size 10000), 1 FROM generate_series(1, $missing) AS n"
fi
settle

check_or_rebuild() {
	case $1 in
	check) milliseconds <<<"SELECT * FROM backorder.check_ledger('copy_extension');" ;;
	rebuild) milliseconds <<<"SELECT backorder.rebuild_ledger('copy_extension');" ;;
	esac
}

usual_rounds=$rounds
rounds=1		# long ones, compared with nothing
interleave check_or_rebuild check rebuild
rounds=$usual_rounds
report "check_ledger with $lines lines" check ms
report "rebuild_ledger with $lines lines" rebuild ms
