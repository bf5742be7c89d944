# the popular items beside a snapshot that is held open for the whole case (as a running pg_dump does)

# The horizon of a snapshot is its database's: one database with it, one without.
cat >popular.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + 1000000000 * :client_id + :n
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, 1, 1);
SQL
cat >multi.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + 1000000000 * :client_id + :n
\set a random(1, 20)
\set b random(1, 20)
\set c random(1, 20)
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :a, 1), (:o, 2, :b, 1), (:o, 3, :c, 1);
SQL
cat >receipt.pgb <<'SQL'
INSERT INTO ledger.stock_move (item, location, quantity) VALUES (21, 'main', 1);
SQL

make_database() {
	export PGDATABASE=$1
	make_ledger snapshot_extension
	make_items snapshot_extension 1 20 1000000000
	make_items snapshot_extension 21 21
	sql -c "INSERT INTO snapshot_extension.order_line (order_id, line_no, item, quantity) SELECT n / 3, n % 3, 21, 1 FROM generate_series(1, $(size 20000)) AS n"
}
for database in without beside; do
	[[ -n $(sql -c "SELECT 1 FROM pg_database WHERE datname = '$database'") ]] || sql -c "CREATE DATABASE $database"
	beside make_database "$database"
done
for database in without beside; do
	PGDATABASE=$database settle
done
mkfifo hold
PGDATABASE=beside psql -X -q <hold >/dev/null 2>&1 &
holder=$!
background+=("$holder")
exec 8>hold
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM snapshot_extension.item;" >&8
sleep 0.5
held_since=$SECONDS

beside_snapshot() {
	local what=${1%%_*} database=${1##*_} schema=snapshot_extension script round=$2
	export PGDATABASE=$database
	case $what in
	popular) script=popular.pgb ;;
	multi) script=multi.pgb; round=$((round + 1000)) ;;
	receipt)
		transactions "$schema" 1 -t "$(size 500)" receipt.pgb
		return ;;
	esac
	transactions "$schema" 32 -D "round=$round" -D n=0 "$script"
}

interleave beside_snapshot popular_beside popular_without multi_beside multi_without receipt_beside receipt_without
held=$((SECONDS - held_since))
echo "COMMIT; \\q" >&8
exec 8>&-
wait "$holder" 2>/dev/null || true
export PGDATABASE=postgres
report "one popular item beside a snapshot of $held s" popular_beside tx/s "without it" popular_without
report "3-line orders over 20 items beside it" multi_beside tx/s "without it" multi_without
report "receipt of one unit beside it" receipt_beside tx/s "without it" receipt_without
for series in popular_beside multi_beside receipt_beside; do
	note "$series first" 1 "$(of_series "$series" | head -n 1)"
	note "$series last" 1 "$(of_series "$series" | tail -n 1)"
	report "${series%_beside} beside it: the last round" "$series last" tx/s "the first round" "$series first"
done
