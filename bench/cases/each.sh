# each kind of statement by itself, one client

cat >three.pgb <<'SQL'
\set n :n + 1
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES ('t' || :n::text, 1, '1', 1), ('t' || :n::text, 2, '2', 1), ('t' || :n::text, 3, '3', 1);
SQL
cat >short.pgb <<'SQL'
\set n :n + 1
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES ('s' || :n::text, 1, '101', 1);
SQL
cat >receipt.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, location, quantity) VALUES ('102', 'main', 1);
SQL
cat >stocked.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, location, quantity) VALUES ('4', 'main', 1);
SQL
cat >shipment.pgb <<'SQL'
\set n :n + 1
INSERT INTO ledger.stock_move (kind, order_id, line_no, item, location, quantity) VALUES ('shipment', 'a' || :n::text, 1, '5', 'main', 1);
SQL
cat >cancel.pgb <<'SQL'
\set n :n + 1
UPDATE ledger.order_line SET cancelled = 1 WHERE order_id = 'w' || :n::text;
SQL
cat >release.pgb <<'SQL'
\set n :n + 1
UPDATE ledger.order_line SET cancelled = 1 WHERE order_id = 'r' || :n::text;
SQL

times=$(size 500)
make_ledger each_extension
make_items each_extension 1 10 1000000000
make_items each_extension 101 110
sql -c "INSERT INTO each_extension.order_line (order_id, line_no, item, quantity)
	SELECT v.prefix || n, 1, v.item, 1 FROM generate_series(1, $times * ($rounds + 1)) AS n,
		(VALUES ('x', '102'), ('a', '5'), ('w', '103'), ('r', '6')) AS v (prefix, item)"
for kind in row_trigger statement_trigger; do
	make_baseline "each_$kind" "$kind" each_extension
	copy_state each_extension "each_$kind"
done
settle

each() {
	transactions "each_${1% *}" 1 -t "$times" -D "n=$((times * $2))" "${1##* }.pgb" | awk '{ print 1000000 / $1 }'
}

kinds=(three short receipt stocked shipment cancel release)
for kind in "${kinds[@]}"; do
	for series in extension row_trigger statement_trigger; do
		each "$series $kind" 0 >/dev/null
	done
	interleave each "extension $kind" "row_trigger $kind" "statement_trigger $kind"
done
label() {
	case $1 in
	three) echo "order of 3 lines in stock" ;;
	short) echo "line out of stock" ;;
	receipt) echo "receipt filling one line" ;;
	stocked) echo "receipt that nobody waits for" ;;
	shipment) echo "shipment of a line" ;;
	cancel) echo "cancel of a waiting line" ;;
	release) echo "cancel of a line in stock" ;;
	esac
}
for kind in "${kinds[@]}"; do
	report "$(label "$kind")" "extension $kind" us "PL/pgSQL row trigger" "row_trigger $kind" faster
	report "$(label "$kind")" "extension $kind" us "PL/pgSQL statement trigger" "statement_trigger $kind" faster
done
