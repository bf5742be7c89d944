# How the main operations cost as a ledger grows; sourced by bench/run for bench/grow.

name=growth
rounds=3
steps=(10000 100000 1000000)
[[ -z ${GROW_LARGEST:-} ]] || (( GROW_LARGEST <= 1000000 )) || steps+=("$GROW_LARGEST")

items=$(size 10000)
make_ledger grow_extension
make_items grow_extension 1 "$items" 1000000000
make_items grow_extension 1000001 1000010

cat >line.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + :n
\set item random(1, :items)
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :item, 1);
SQL
cat >receipt.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, location, quantity) VALUES (1000001, 'main', 1);
SQL

have=0
printf 'lines,measure,unit,value\n' >results.csv
for step in "${steps[@]}"; do
	lines=$(size "$step")
	progress "$lines lines:"
	# nine of ten in stock, one waiting; three quarters of these for one item, which serves all receipts below
	sql -c "INSERT INTO grow_extension.order_line (order_id, line_no, item, quantity, customer, placed_at)
		SELECT 'g' || lpad((n / 3)::text, 9, '0'), n % 3,
			CASE WHEN n % 40 = 30 THEN 1000002 + n % 7 WHEN n % 10 = 0 THEN 1000001 ELSE 1 + n * 7919 % $items END, 1, 'c' || n / 3 % 1000,
			timestamptz '2025-01-01' + n * interval '1 second'
		FROM generate_series($((have + 1)), $lines::bigint) AS n"
	have=$lines
	settle
	tick
	for (( round = 1; round <= rounds; round++ )); do
		prefix=$((step / 1000 * 10 + round))
		note "$lines,one line in stock,us" "$round" "$(transactions grow_extension 1 -D "round=$prefix" -D n=0 -D "items=$items" line.pgb | awk '{ print 1000000 / $1 }')"
		note "$lines,receipt of one unit,us" "$round" "$(transactions grow_extension 1 -t "$(size 120)" receipt.pgb | awk '{ print 1000000 / $1 }')"
		awk -v r="$prefix" -v lines="$(size 10000)" -v items="$items" 'BEGIN { srand(r)
			for (n = 1; n <= lines; n++) printf "f%06d%08d\t1\t%d\t1\n", r, n, int(rand() * items) + 1 }' >copy.txt
		chmod 644 copy.txt
		note "$lines,COPY: each of 10000 lines,us" "$round" "$(milliseconds <<<"COPY grow_extension.order_line (order_id, line_no, item, quantity) FROM '$PWD/copy.txt';" | awk -v n="$(size 10000)" '{ print $1 * 1000 / n }')"
		note "$lines,receipt filling 100 lines: each,us" "$round" "$(milliseconds <<-SQL | awk -v n="$(size 100)" '{ print $1 * 1000 / n }'
			INSERT INTO grow_extension.stock_move (item, location, quantity) VALUES ('1000002', 'main', 1);
			INSERT INTO grow_extension.stock_move (item, location, quantity) VALUES ('1000001', 'main', $(size 100));
		SQL
		)"
		note "$lines,view kpi,ms" "$round" "$(milliseconds <<<"SELECT * FROM grow_extension.kpi;")"
		note "$lines,fill_rate(),ms" "$round" "$(milliseconds <<<"SELECT grow_extension.fill_rate();")"
		tick
	done
	note "$lines,check_ledger,ms" 1 "$(milliseconds <<<"SELECT * FROM backorder.check_ledger('grow_extension');")"
	for measure in "one line in stock,us" "receipt of one unit,us" "COPY: each of 10000 lines,us" "receipt filling 100 lines: each,us" "view kpi,ms" "fill_rate(),ms" "check_ledger,ms"; do
		printf '%s,%s,%s\n' "$lines" "$measure" "$(median_of "$lines,$measure")" >>results.csv
	done
done
check_all
print_table() { column -t -s , results.csv 2>/dev/null || cat results.csv; cat table.txt; }
