# one COPY of receipts filling 10,000 lines of 1,000 items

items=$(size 1000)
make_ledger many_extension
make_items many_extension 1 "$items"
sql -c "INSERT INTO many_extension.order_line (order_id, line_no, item, quantity)
	SELECT n / 3, n % 3, 1 + n % $items, 1 FROM generate_series(1, $items * 100) AS n"
for kind in row_trigger statement_trigger; do
	make_baseline "many_$kind" "$kind" many_extension
	beside copy_state many_extension "many_$kind"
done
awk -v items="$items" 'BEGIN { for (n = 1; n <= items; n++) printf "%d\tmain\t10\n", n }' >receipts.txt
chmod 644 receipts.txt
settle

fill_many() {
	milliseconds <<<"COPY many_$1.stock_move (item, location, quantity) FROM '$PWD/receipts.txt';"
}

interleave fill_many extension row_trigger statement_trigger
report "COPY of $items receipts filling $((items * 10)) lines" extension ms "PL/pgSQL row trigger" row_trigger faster
report "COPY of $items receipts filling $((items * 10)) lines" extension ms "PL/pgSQL statement trigger" statement_trigger faster
