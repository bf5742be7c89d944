# the baselines give the same allocations as the extension, on a random workload in one session

# One workload as text, the same for every awk, over few items near zero stock.  No order has an item twice: who sees
# its lines one by one gives the item to the first of them, not to the higher, and fills one that is cancelled next.
random_workload() {
	awk -v seed="$1" -v steps="$2" '
		function chance() { return (seed = seed * 16807 % 2147483647) / 2147483647 }
		function units() { return int(chance() * 9) + 1 }
		function thing() { return int(chance() * 12) + 1 }
		BEGIN {
			for (s = 1; s <= steps; s++) {
				dice = chance()
				if (dice < 0.55) {
					orders++
					count = int(chance() * 4) + 1
					first = thing()
					printf "INSERT INTO ledger.order_line (order_id, line_no, item, quantity, priority) VALUES "
					for (l = 1; l <= count; l++)
						printf "%s(\x27%05d\x27, %d, \x27%d\x27, %d, %d)", (l > 1 ? ", " : ""), orders, l, (first + 5 * l) % 12 + 1, units(), (chance() < 0.1)
					print ";"
				} else if (dice < 0.75) {
					count = int(chance() * 3) + 1
					printf "INSERT INTO ledger.stock_move (item, location, quantity) VALUES "
					for (l = 1; l <= count; l++)
						printf "%s(\x27%d\x27, \x27main\x27, %d)", (l > 1 ? ", " : ""), thing(), units() * 3
					print ";"
				} else if (dice < 0.83)
					printf "UPDATE ledger.order_line SET cancelled = quantity - shipped WHERE order_id = \x27%05d\x27 AND cancelled + shipped < quantity;\n", int(chance() * orders) + 1
				else if (dice < 0.9)
					printf "UPDATE ledger.order_line SET cancelled = cancelled + 1 WHERE order_id = \x27%05d\x27 AND line_no = 1 AND cancelled + shipped < quantity;\n", int(chance() * orders) + 1
				else
					printf "INSERT INTO ledger.stock_move (kind, order_id, line_no, item, location, quantity) SELECT \x27shipment\x27, order_id, line_no, item, location, allocated FROM ledger.order_line_status WHERE order_id = \x27%05d\x27 AND allocated > 0;\n", int(chance() * orders) + 1
			}
		}'
}

# What became of it, in comparable rows.
state_of() {
	sql -F ' ' <<-SQL
		SELECT order_id, line_no, item, quantity, cancelled, shipped, backordered_at_entry, allocated, backordered
		FROM $1.order_line_status ORDER BY order_id, line_no;
		SELECT 'fills', b.order_id, b.line_no, sum(j.quantity) FROM $1.journal AS j JOIN $1.backorder AS b USING (backorder_id)
		WHERE j.kind = 'filled' GROUP BY b.order_id, b.line_no ORDER BY b.order_id, b.line_no;
		SELECT item, sum(available), sum(allocated) FROM $1.$2 GROUP BY item HAVING sum(available) > 0 OR sum(allocated) > 0 ORDER BY item;
	SQL
}

make_ledger same_extension
make_items same_extension 1 12
for kind in row_trigger statement_trigger; do
	make_baseline "same_$kind" "$kind" same_extension
	make_items "same_$kind" 1 12
done
random_workload 1 "$(size 2500)" >workload.sql
for kind in extension row_trigger statement_trigger; do
	in_schema "same_$kind" <workload.sql | sql
	tick
done
state_of same_extension stock_slot >same_extension.txt
for kind in row_trigger statement_trigger; do
	state_of "same_$kind" stock >"same_$kind.txt"
	different=$(diff same_extension.txt "same_$kind.txt" | grep -c '^[<>]' || true)
	(( different == 0 )) || diff same_extension.txt "same_$kind.txt" | head -n 20 >&2 || true
	fact "rows in which $kind ends differently" "$different" rows "<= 0"
done
