# 32 clients, orders of 3 lines over 20 items in stock

cat >multi.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + 1000000000 * :client_id + :n
\set a random(1, :items)
\set b random(1, :items)
\set c random(1, :items)
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :a, 1), (:o, 2, :b, 1), (:o, 3, :c, 1);
SQL

multi_items=$(size 10000)
multi_stock=1000000000
make_multi() {
	make_ledger "$1_extension"
	make_items "$1_extension" 1 "$multi_items" "$2"
	for kind in row_trigger statement_trigger; do
		make_baseline "$1_$kind" "$kind" "$1_extension"
		make_items "$1_$kind" 1 "$multi_items"
		[[ -z $2 ]] || sql -c "UPDATE $1_$kind.stock SET available = $2"
	done
	settle
}

# multi SERIES ROUND: extension_few and so on; deadlocks are noted as a series of their own.
multi() {
	local series=$1 round=$2 range=$multi_items
	[[ $series != *_few ]] || range=20
	[[ $series == *_few ]] || round=$((round + 1000))
	transactions "${name}_${series%_*}" 32 -D "round=$round" -D n=0 -D "items=$range" multi.pgb
	note "$series deadlocks" "$2" "$(cat deadlocks)"
}

report_multi() {
	report "32 clients: 3-line orders over 20 items$1" extension_few tx/s "over $multi_items items" extension_all rate ">= 0.8"
	report "32 clients: 3-line orders over 20 items$1" extension_few tx/s "PL/pgSQL row trigger: 20 items" row_trigger_few
	report "32 clients: 3-line orders over 20 items$1" extension_few tx/s "PL/pgSQL statement trigger: 20 items" statement_trigger_few
	fact "deadlocks of the extension$1" "$(sum_of 'extension_few deadlocks')" orders "<= 0"
	fact "deadlocks of the PL/pgSQL row trigger$1" "$(sum_of 'row_trigger_few deadlocks')" orders
}

make_multi multi "$multi_stock"
interleave multi extension_few extension_all statement_trigger_few
once multi row_trigger_few
report_multi ""
