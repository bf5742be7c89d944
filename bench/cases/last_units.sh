# 32 clients, orders of 3 lines while each item has only a few units left: the slots are nearly empty

# Orders take three units, so nine receipts of three in every hundred transactions would
# keep stock at zero; with eleven of 27 units it is always a few, now and then none.
items=200
cat >order.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + 1000000000 * :client_id + :n
\set a random(1, :items)
\set b random(1, :items)
\set c random(1, :items)
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :a, 1), (:o, 2, :b, 1), (:o, 3, :c, 1);
SQL
cat >restock.pgb <<'SQL'
\set a random(1, :items)
INSERT INTO ledger.stock_move (item, location, quantity) VALUES (:a, 'main', 27);
SQL
cat >cancel.pgb <<'SQL'
\set o 1000000000000 * :round + 1000000000 * :client_id + :n
UPDATE ledger.order_line SET cancelled = quantity WHERE order_id = :o AND cancelled = 0;
SQL

make_ledger last_extension
make_items last_extension 1 "$items" 8
make_items last_extension 100001 110000 1000000000
for kind in row_trigger statement_trigger; do
	make_baseline "last_$kind" "$kind" last_extension
	beside copy_state last_extension "last_$kind"
done
settle

last_units() {
	local schema=${1%_all} round=$2
	if [[ $1 == *_all ]]; then
		# the same work where nothing ever runs short
		sed 's/random(1, :items)/random(100001, 110000)/' order.pgb >order_all.pgb
		sed 's/random(1, :items)/random(100001, 110000)/' restock.pgb >restock_all.pgb
		transactions "last_$schema" 32 -D "round=$((round + 1000))" -D n=0 order_all.pgb@85 restock_all.pgb@10 cancel.pgb@5
		return
	fi
	start_sampling
	transactions "last_$schema" 32 -D "round=$round" -D n=0 -D "items=$items" order.pgb@85 restock.pgb@10 cancel.pgb@5
	note "$1 waiting" "$round" "$(stop_sampling)"
	note "$1 deadlocks" "$round" "$(cat deadlocks)"
}

interleave last_units extension extension_all statement_trigger
once last_units row_trigger
report "32 clients: 3-line orders of the last units" extension tx/s "the same with 10000 items in stock" extension_all
report "32 clients: 3-line orders of the last units" extension tx/s "PL/pgSQL row trigger" row_trigger
report "32 clients: 3-line orders of the last units" extension tx/s "PL/pgSQL statement trigger" statement_trigger
report "clients that wait for a lock: last units" "extension waiting" "of 32" "PL/pgSQL statement trigger" "statement_trigger waiting"
for kind in extension row_trigger statement_trigger; do
	fact "deadlocks of $kind: last units" "$(sum_of "$kind deadlocks")" tx "$([[ $kind != extension ]] || echo '<= 0')"
done
