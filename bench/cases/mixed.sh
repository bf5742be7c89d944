# a mixed day, 16 clients: 90 % orders, 5 % shipments, 3 % receipts, 2 % cancels

# Items are asked for as unevenly as in life (Zipf), orders have one to three lines.
items=$(size 10000)
cat >order.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + 1000000000 * :client_id + :n
\set a random_zipfian(1, :items, 1.1)
\set b random_zipfian(1, :items, 1.1)
\set c random_zipfian(1, :items, 1.1)
\set lines random(1, 3)
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) SELECT :o, v.n, v.item, 1 FROM (VALUES (1, :a::text), (2, :b::text), (3, :c::text)) AS v (n, item) WHERE v.n <= :lines;
SQL
cat >ship.pgb <<'SQL'
\set back random(1, 200)
\set o 1000000000000 * :round + 1000000000 * :client_id + :n - :back
INSERT INTO ledger.stock_move (kind, order_id, line_no, item, location, quantity) SELECT 'shipment', order_id, line_no, item, location, allocated FROM ledger.order_line_status WHERE order_id = :o AND allocated > 0;
SQL
cat >receive.pgb <<'SQL'
\set a random_zipfian(1, :items, 1.1)
INSERT INTO ledger.stock_move (item, location, quantity) VALUES (:a, 'main', 60);
SQL
cat >cancel.pgb <<'SQL'
\set back random(1, 200)
\set o 1000000000000 * :round + 1000000000 * :client_id + :n - :back
UPDATE ledger.order_line SET cancelled = quantity - shipped WHERE order_id = :o AND cancelled + shipped < quantity;
SQL

make_ledger mixed_extension
make_items mixed_extension 1 "$items" 200
for kind in row_trigger statement_trigger; do
	make_baseline "mixed_$kind" "$kind" mixed_extension
	beside copy_state mixed_extension "mixed_$kind"
done
settle

mixed() {
	# a minute of the extension in all; the others tell as much in less
	local seconds=$((seconds * 12))
	[[ $1 == extension ]] || seconds=$((seconds / 12))
	start_sampling
	transactions "mixed_$1" 16 -D "round=$2" -D n=0 -D "items=$items" order.pgb@90 ship.pgb@5 receive.pgb@3 cancel.pgb@2
	note "$1 waiting" "$2" "$(stop_sampling)"
	note "$1 deadlocks" "$2" "$(cat deadlocks)"
}

interleave mixed extension
once mixed statement_trigger
once mixed row_trigger
report "mixed day with 16 clients" extension tx/s "PL/pgSQL row trigger" row_trigger
report "mixed day with 16 clients" extension tx/s "PL/pgSQL statement trigger" statement_trigger
report "clients that wait for a lock: mixed day" "extension waiting" "of 16" "PL/pgSQL statement trigger" "statement_trigger waiting"
for kind in extension row_trigger statement_trigger; do
	fact "deadlocks of $kind: mixed day" "$(sum_of "$kind deadlocks")" tx
done
