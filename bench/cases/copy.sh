# 200,000 lines in stock by one COPY, 10,000 items

items=$(size 10000)
lines=$(size 200000)
make_ledger copy_extension
make_items copy_extension 1 "$items" 1000000000
copy_baseline() {
	make_baseline "copy_$1" "$1" copy_extension
	make_items "copy_$1" 1 "$items"
	sql -c "UPDATE copy_$1.stock SET available = 1000000000"
}
for kind in plain row_trigger statement_trigger; do
	beside copy_baseline "$kind"
done
settle

copy_file() {
	awk -v r="$1" -v lines="$2" -v items="$items" 'BEGIN {
		srand(r)
		for (n = 1; n <= lines; n++)
			printf "%04d%08d\t%d\t%d\t%d\n", r, int(n / 3), n % 3, int(rand() * items) + 1, int(rand() * 5) + 1
	}'
}

copy_lines() {
	local file=copy.$2.txt
	if [[ ! -e $file ]]; then
		rm -f copy.*.txt
		copy_file "$2" "$lines" >"$file"
		chmod 644 "$file"
	fi
	# what the round before left behind is nobody's fault: a row updated twenty times in a transaction has twenty versions
	if [[ $1 == extension ]]; then sql -c "VACUUM copy_extension.stock_slot"; else sql -c "VACUUM copy_$1.stock"; fi
	milliseconds <<<"COPY copy_$1.order_line (order_id, line_no, item, quantity) FROM '$PWD/$file';"
}

interleave copy_lines extension plain statement_trigger
once copy_lines row_trigger
report "COPY of $lines lines in stock" extension ms "the same without triggers" plain rate "<= 1.5"
report "COPY of $lines lines in stock" extension ms "PL/pgSQL row trigger" row_trigger faster ">= 5"
report "COPY of $lines lines in stock" extension ms "PL/pgSQL statement trigger" statement_trigger faster
report "the same without triggers" plain ms "PL/pgSQL row trigger" row_trigger faster
sql -c "DROP SCHEMA copy_plain, copy_row_trigger, copy_statement_trigger CASCADE" 2>/dev/null
