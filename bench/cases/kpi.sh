# the figures on 5,000,000 lines

# Two years of orders of three lines; every twentieth item is out of stock and gets half of what it lacks later.
lines=$(size 5000000)
items=1000
make_ledger kpi_extension
make_items kpi_extension 1 "$items"
sql -c "INSERT INTO kpi_extension.stock_move (item, location, quantity, moved_at)
	SELECT n::text, 'main', 1000000000, '2023-01-01' FROM generate_series(1, $items) AS n WHERE n % 20 > 0"
lines_of_part() {
	sql -c "INSERT INTO kpi_extension.order_line (order_id, line_no, item, quantity, customer, placed_at)
		SELECT lpad((n / 3)::text, 9, '0'), n % 3, 1 + (n * 7919 % 10007) % $items, 1 + n % 5, 'c' || n / 3 % 5000, timestamptz '2023-01-01' + n / 3 * (interval '730 days' / ($lines / 3))
		FROM generate_series($1 * $lines / 10 + 1, ($1 + 1) * $lines / 10::bigint) AS n"
}
for part in 0 2 4 6 8; do
	lines_of_part "$part" &
	lines_of_part "$((part + 1))"
	wait "$!"
	sql -c "INSERT INTO kpi_extension.stock_move (item, location, quantity, moved_at)
		SELECT item, 'main', ceil(sum(remaining) / 2), max(opened_at) + interval '9 days' FROM kpi_extension.backorder WHERE closed_at IS NULL GROUP BY item ORDER BY item"
	tick
done
settle

figure() {
	case $1 in
	fill_rate) milliseconds <<<"SELECT kpi_extension.fill_rate();" ;;
	by_hand) milliseconds <<<"SELECT 1 - sum(backordered_at_entry) / sum(coalesce(entered_quantity, quantity)) FROM kpi_extension.order_line WHERE (NOT on_hold OR entered_at IS NOT NULL) AND demand_class = 'regular';" ;;
	month) milliseconds <<<"SELECT kpi_extension.fill_rate(since => '2024-06-01', until => '2024-07-01');" ;;
	*) milliseconds <<<"SELECT * FROM kpi_extension.$1;" ;;
	esac
}

interleave figure fill_rate by_hand
usual_rounds=$rounds
rounds=1		# long ones, compared with nothing
interleave figure month kpi kpi_by_item kpi_by_customer kpi_monthly
rounds=$usual_rounds
report "fill_rate() over $lines lines" fill_rate ms "sums written by hand" by_hand
report "fill_rate() of one month" month ms "over all" fill_rate
for view in kpi kpi_by_item kpi_by_customer kpi_monthly; do
	report "view $view over $lines lines" "$view" ms "one pass of sums by hand" by_hand
done
