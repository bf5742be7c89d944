# 32 clients order one popular item

cat >popular.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + 1000000000 * :client_id + :n
\set item random(1, :items)
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :item, 1);
SQL

items=$(size 10000)
make_ledger popular_extension
make_items popular_extension 1 "$items" 1000000000
make_baseline popular_row_trigger row_trigger popular_extension
make_items popular_row_trigger 1 "$items"
sql -c "UPDATE popular_row_trigger.stock SET available = 1000000000"
settle

popular() {
	local series=$1 round=$2 range=$items
	[[ $series != *_one ]] || range=1
	# numbers of orders that no other series uses
	[[ $series == *_one ]] || round=$((round + 1000))
	transactions "popular_${series%_*}" 32 -D "round=$round" -D n=0 -D "items=$range" popular.pgb
}

interleave popular extension_one extension_all row_trigger_one row_trigger_all
report "32 clients order one popular item" extension_one tx/s "32 clients with $items items" extension_all rate ">= 0.8"
report "32 clients order one popular item" extension_one tx/s "PL/pgSQL row trigger: one item" row_trigger_one
report "32 clients with $items items" extension_all tx/s "PL/pgSQL row trigger: $items items" row_trigger_all
