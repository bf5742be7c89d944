# a receipt filling 10,000 of 500,000 waiting lines

# wait_more LEDGER ITEM COUNT: so many more lines of one unit that wait for an item.
wait_more() {
	sql -c "INSERT INTO $1.order_line (order_id, line_no, item, quantity, customer)
		SELECT 'w$BASHPID-$EPOCHREALTIME-' || n / 3, n % 3, '$2', 1, 'c' || n % 1000 FROM generate_series(1, $3) AS n"
}

fill=$(size 10000)
make_ledger queue_extension
make_items queue_extension 1 10
wait_more queue_extension 1 "$(size 500000)"
for kind in row_trigger statement_trigger; do
	make_baseline "queue_$kind" "$kind" queue_extension
	copy_state queue_extension "queue_$kind"
done
settle

receipt_fill() {
	milliseconds <<-SQL
		INSERT INTO queue_$1.stock_move (item, location, quantity) VALUES ('2', 'main', 1);
		INSERT INTO queue_$1.stock_move (item, location, quantity) VALUES ('1', 'main', $fill);
	SQL
}

interleave receipt_fill extension row_trigger statement_trigger
report "receipt filling $fill of $(size 500000) waiting lines" extension ms "PL/pgSQL loop over the same index" row_trigger faster ">= 4"
report "receipt filling $fill of $(size 500000) waiting lines" extension ms "PL/pgSQL set-based" statement_trigger faster
sql -c "DROP SCHEMA queue_row_trigger, queue_statement_trigger CASCADE" 2>/dev/null
