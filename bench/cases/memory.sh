# private memory of the server process: a long COPY, a large receipt, many single statements

# Prints the private memory (kB, without shared buffers) of the process $1 every 20 ms, until it ends.
memory_of() {
	perl -e '
		my $pid = shift;
		while (open(my $f, "<", "/proc/$pid/status")) {
			while (<$f>) { print "$1\n" if /^RssAnon:\s+(\d+)/ }
			close $f;
			select(undef, undef, undef, 0.02);
		}' "$1"
}

# watched PROGRAM: runs a command whose backend has that application_name; samples go to memory.out.
watched() {
	local program=$1 pid= tries=0 child
	shift
	"$@" &
	child=$!
	while [[ -z $pid ]] && (( tries++ < 200 )); do
		sleep 0.02
		pid=$(sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = '$program' AND pid <> pg_backend_pid()" | head -n 1)
	done
	memory_of "$pid" >memory.out || true
	wait "$child" || { head -n 20 pgbench.out >&2; die "$name: the watched session failed"; }
}

with_output() { local file=$1; shift; "$@" >"$file" 2>&1; }

# Megabytes above the start: the highest.
growth() { awk 'NR == 1 { first = $1 } $1 > max { max = $1 } END { printf "%.1f", (max - first) / 1024 }' memory.out; }

# The session rests first, so that its start is seen.
statement() {
	printf 'SELECT pg_sleep(0.4);\n%s\n' "$1" >statement.sql
	watched watched env PGAPPNAME=watched psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -f statement.sql
	growth
}

items=$(size 10000)
make_ledger memory_extension
make_items memory_extension 1 "$items" 1000000000
make_items memory_extension 1000001 1000002
make_baseline memory_plain plain memory_extension
make_baseline memory_row_trigger row_trigger memory_extension
make_items memory_row_trigger 1 "$items"
sql -c "UPDATE memory_row_trigger.stock SET available = 1000000000"

copied=0
for lines in "$(size 100000)" "$(size 1000000)"; do
	awk -v from="$copied" -v lines="$lines" -v items="$items" 'BEGIN {
		for (n = from + 1; n <= from + lines; n++) printf "%09d\t1\t%d\t1\n", n, n * 7919 % items + 1
	}' >memory.txt
	chmod 644 memory.txt
	copied=$((copied + lines))
	for kind in extension plain row_trigger; do
		# they take their time, and tell nothing new
		[[ $kind == extension ]] || (( lines < 1000000 )) || continue
		note "$kind $lines" 1 "$(statement "COPY memory_$kind.order_line (order_id, line_no, item, quantity) FROM '$PWD/memory.txt';")"
		tick
	done
done
few=$(size 100000)
many=$(size 1000000)
report "memory of a COPY of $many lines: extension" "extension $many" MB "COPY of $few lines" "extension $few" rate
fact "memory of a COPY of $many lines" "$(median_of "extension $many")" MB "<= 16"
for kind in "plain:no triggers" "row_trigger:PL/pgSQL row trigger"; do
	report "memory of a COPY of $few lines: ${kind#*:}" "${kind%%:*} $few" MB "extension" "extension $few" rate
done

# the queue that other cases have left, where they were run before
ledger=queue_extension
if ! has_schema $ledger; then
	make_ledger $ledger
	make_items $ledger 1 1
	declare -F wait_more >/dev/null || . <(sed -n '/^wait_more()/,/^}/p' "$here/cases/receipt_fill.sh")
	wait_more $ledger 1 "$(size 600000)"
fi
for lines in "$(size 50000)" "$(size 500000)"; do
	note "fill $lines" 1 "$(statement "INSERT INTO $ledger.stock_move (item, location, quantity) VALUES ('1', 'main', $lines);")"
	tick
done
report "memory of a receipt filling $(size 500000) lines" "fill $(size 500000)" MB "filling $(size 50000)" "fill $(size 50000)" rate
fact "memory of a receipt filling $(size 500000)" "$(median_of "fill $(size 500000)")" MB "<= 16"

for lines in "$(size 50000)" "$(size 250000)"; do
	note "short $lines" 1 "$(statement "INSERT INTO memory_extension.order_line (order_id, line_no, item, quantity) SELECT 'short$lines-' || n, 1, '1000001', 1 FROM generate_series(1, $lines) AS n;")"
	tick
done
report "memory of placing $(size 250000) short lines" "short $(size 250000)" MB "placing $(size 50000)" "short $(size 50000)" rate "<= 1.2"

for lines in "$(size 100000)" "$(size 500000)"; do
	note "update $lines" 1 "$(statement "UPDATE memory_extension.order_line SET customer = 'c$lines' WHERE order_id <= '$(printf %09d "$lines")';")"
	tick
done
report "memory of an UPDATE of the customer of $(size 500000) lines" "update $(size 500000)" MB "of $(size 100000)" "update $(size 100000)" rate "<= 1.2"

# One session, fifty statements in each round trip.
{
	printf '\\set n :n + 50\n\\startpipeline\n'
	for k in $(seq 1 46); do
		printf '\\set o 1000000000000 + :n + %s\n\\set item random(1, :items)\nINSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :item, 1);\n' "$k"
	done
	printf 'UPDATE ledger.order_line SET cancelled = 1 WHERE order_id = :o AND line_no = 1;\n'
	for k in 47 48; do
		printf '\\set o 1000000000000 + :n + %s\nINSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, 1000002, 1);\n' "$k"
	done
	printf '%s\n' "INSERT INTO ledger.stock_move (item, location, quantity) VALUES (1000002, 'main', 2);" '\endpipeline'
} >session.pgb
in_schema memory_extension <session.pgb >memory_session.pgb
statements=$(size 1000000)
watched pgbench with_output pgbench.out pgbench -n -M prepared -c 1 -t "$((statements / 50))" -D n=0 -D "items=$items" -f memory_session.pgb
note "session" 1 "$(awk '{ v[NR] = $1 } END { printf "%.2f", (v[NR - 1] - v[int(NR / 5) + 1]) / 1024 }' memory.out)"
report "memory gained by the last 80 % of $statements statements" session MB
fact "the same" "$(median_of session)" MB "<= 1"
tick
