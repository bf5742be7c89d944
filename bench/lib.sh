# What the cases share.  They are sourced by bench/run, in a directory of their own.
#
# A case makes what it needs, calls interleave, and ends with report lines.  The
# measurements are kept in values.tsv: case, series, round, value.

: >values.tsv
printf 'case,measure,value,unit,compared_with,its_value,ratio,aim,met,rounds,lowest,highest\n' >results.csv
: >table.txt
: >ledgers.txt
failed=0
case_began=$SECONDS

# ---- Progress

progress() { printf '\n%s ' "$*" >&2; case_began=$SECONDS; }
tick() { printf '.' >&2; }
progress_end() { printf '\n' >&2; }
end_case() { printf ' %s s' "$((SECONDS - case_began))" >&2; }

# ---- SQL

sql() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

# A size, divided by --scale.
size() { local n=$(($1 / scale)); echo "$((n > 0 ? n : 1))"; }

# Milliseconds of the last statement on standard input, as psql sees them; those
# before it warm the session.
milliseconds() {
	{ echo '\timing on'; cat; } | sql -o /dev/null | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1
}

# A copy of an SQL text with "ledger." as the schema $1.
in_schema() { sed "s/\bledger\./$1./g"; }

# ---- Ledgers and baselines

make_ledger() {
	sql -c "CREATE EXTENSION IF NOT EXISTS backorder" -c "SELECT backorder.create_ledger('$1')" >/dev/null 2>&1 || { sql -c "SELECT backorder.create_ledger('$1')" >/dev/null; }
	printf '%s\t%s\n' "${PGDATABASE:-postgres}" "$1" >>ledgers.txt
}

has_schema() { [[ -n $(sql -c "SELECT 1 FROM pg_namespace WHERE nspname = '$1'") ]]; }

# make_baseline SCHEMA KIND TEMPLATE: plain, row_trigger or statement_trigger.
make_baseline() {
	local file
	for file in plain "$2"; do
		[[ $file != plain || $2 != plain ]] || continue
		sed "s/\bbaseline\./$1./g; s/SCHEMA baseline\b/SCHEMA $1/; s/\btemplate\./$3./g; s/'template'/'$3'/g" "$here/baseline/$file.sql" | sql
	done
	[[ $2 != plain ]] || sed "s/\bbaseline\./$1./g; s/SCHEMA baseline\b/SCHEMA $1/; s/\btemplate\./$3./g; s/'template'/'$3'/g" "$here/baseline/plain.sql" | sql
}

# make_items SCHEMA FIRST LAST [STOCK]: items named by numbers, with that much stock each.
make_items() {
	sql -c "INSERT INTO $1.item (item) SELECT n::text FROM generate_series($2, $3) AS n"
	[[ -z ${4:-} ]] ||
		sql -c "INSERT INTO $1.stock_move (item, location, quantity) SELECT n::text, 'main', $4 FROM generate_series($2, $3) AS n"
}

# Before time is measured: nothing runs beside, and what was written is vacuumed and analyzed.
settle() {
	local tables
	wait_beside
	tables=$(sql -c "SELECT string_agg(format('%I.%I', schemaname, relname), ', ') FROM pg_stat_user_tables WHERE n_mod_since_analyze > 0 OR n_ins_since_vacuum > 0 OR n_dead_tup > 0")
	[[ -z $tables ]] || sql -c "VACUUM (ANALYZE) $tables"
}

# beside COMMAND ...: runs it while the next case makes what it needs.
beside() {
	( "$@" ) &
	besides+=("$!")
}
besides=()
wait_beside() {
	local job
	for job in "${besides[@]}"; do
		wait "$job" || die "what ran beside has failed"
	done
	besides=()
}

# copy_state LEDGER BASELINE [no_lines]: what a baseline must have to start where a ledger stands.
copy_state() {
	local lines=true
	[[ ${3:-} != no_lines ]] || lines=false
	sql -o /dev/null <<-SQL
		BEGIN;
		SET session_replication_role = replica;
		INSERT INTO $2.item SELECT * FROM $1.item;
		INSERT INTO $2.order_line SELECT * FROM $1.order_line WHERE $lines;
		INSERT INTO $2.stock_move SELECT * FROM $1.stock_move;
		INSERT INTO $2.backorder SELECT * FROM $1.backorder;
		INSERT INTO $2.journal SELECT * FROM $1.journal;
		INSERT INTO $2.stock (item, location, available, allocated)
		SELECT i.item, 'main', coalesce(sum(s.available), 0), coalesce(sum(s.allocated), 0)
		FROM $1.item AS i LEFT JOIN $1.stock_slot AS s ON s.item = i.item GROUP BY i.item;
		SELECT setval(pg_get_serial_sequence('$2.stock_move', 'move_id'), (SELECT coalesce(max(move_id), 1) FROM $2.stock_move));
		SELECT setval(pg_get_serial_sequence('$2.backorder', 'backorder_id'), (SELECT coalesce(max(backorder_id), 1) FROM $2.backorder));
		SELECT setval(pg_get_serial_sequence('$2.journal', 'journal_id'), (SELECT coalesce(max(journal_id), 1) FROM $2.journal));
		COMMIT;
	SQL
}

# Every ledger that was used must prove itself: while later cases make what they
# need, and at the end.
check_one() {
	local rows
	echo begun >"checked.$1.$2"
	rows=$(sql -d "$1" -c "SELECT count(*) FROM backorder.check_ledger('$2')") || rows=broken
	printf ' %s %s' "$2" "$([[ $rows == 0 ]] && echo ok || echo "$rows DISAGREEMENTS")" >&2
	echo "$rows" >"checked.$1.$2"
	[[ $rows == 0 ]] || sql -d "$1" -c "SELECT * FROM backorder.check_ledger('$2') LIMIT 5" >&2
}
check_all() {
	local database ledger checks=0 bad
	wait_beside
	progress "check_ledger on every other ledger:"
	while IFS=$'\t' read -r database ledger; do
		[[ ! -e checked.$database.$ledger ]] || continue
		(( checks++ < $(nproc) )) || wait -n
		check_one "$database" "$ledger" &
	done < <(sort -u ledgers.txt)
	wait
	bad=$(grep -Lx 0 checked.* || true)
	if [[ -n $bad || $(ls checked.* | wc -l) != $(sort -u ledgers.txt | wc -l) ]]; then
		failed=1
		printf 'check_ledger: rows disagree in %s\n' "$bad" >>table.txt
	else
		printf 'check_ledger: %s ledgers, no disagreement\n' "$(sort -u ledgers.txt | wc -l)" >>table.txt
	fi
}

# ---- Measuring

# note SERIES ROUND VALUE
note() { printf '%s\t%s\t%s\t%s\n' "$name" "$1" "$2" "$3" >>values.tsv; }

# interleave FUNCTION SERIES ...: calls "FUNCTION SERIES ROUND", which prints a
# value; every other round in reverse, so that what drifts does not favour one.
interleave() {
	local function=$1 round series value
	shift
	for (( round = 1; round <= rounds; round++ )); do
		local order=("$@")
		if (( round % 2 == 0 )); then
			mapfile -t order < <(printf '%s\n' "$@" | tac)
		fi
		for series in "${order[@]}"; do
			value=$("$function" "$series" "$round") || die "$name: $series failed"
			[[ -n $value ]] || die "$name: $series measured nothing"
			note "$series" "$round" "$value"
			tick
		done
	done
}

# once FUNCTION SERIES: a single, longer round, of what would spend short ones waiting for deadlocks to be noticed.
once() {
	local seconds=$((seconds * rounds)) rounds=1
	interleave "$1" "$2"
}

# All deadlocks so far.  (pgbench counts only those of transactions that end in time.)
deadlocks_until_now() { sql -c "SELECT sum(deadlocks) FROM pg_stat_database"; }

# A single client and its server process share a core: else what is measured is
# how long an idle one takes to wake up, which is more than the work of a transaction.
cores=$(taskset -cp $$ | sed 's/.*: //')
one_core() {
	local server status=0 client
	server=$(head -n 1 "$work/data/postmaster.pid")
	taskset -cp "${cores%%[,-]*}" "$server" >/dev/null
	taskset -c "${cores%%[,-]*}" "$@" &
	client=$!
	sleep 0.05		# until it is connected
	taskset -cp "$cores" "$server" >/dev/null
	wait "$client" || status=$?
	return "$status"
}

# transactions SCHEMA CLIENTS [pgbench option ...] SCRIPT...: transactions per
# second; scripts are files, "ledger." in them is the schema.  The number of
# deadlocks goes to the file deadlocks.
transactions() {
	local schema=$1 clients=$2 arguments=() argument status=0 threads=1 deadlocks on=one_core
	shift 2
	for argument in "$@"; do
		case $argument in
		*.pgb | *.pgb@*)
			in_schema "$schema" <"${argument%@*}" >"$schema.${argument%@*}"
			arguments+=(-f "$schema.$argument")
			;;
		*) arguments+=("$argument") ;;
		esac
	done
	(( clients == 1 )) || { threads=2; on=; }
	[[ " ${arguments[*]} " == *" -t "* ]] || arguments+=(-T "$seconds")
	deadlocks=$(deadlocks_until_now)
	$on pgbench -n -M prepared --random-seed=42 -c "$clients" -j "$threads" "${arguments[@]}" >pgbench.out 2>pgbench.err || status=$?
	if (( status != 0 )) || grep -q aborted pgbench.err; then
		head -n 20 pgbench.err >&2
		return 1
	fi
	if (( clients > 1 )); then
		sleep 0.1		# until the sessions have told their counts
		echo "$(($(deadlocks_until_now) - deadlocks))" >deadlocks
	fi
	# none at all is a rate, too
	awk '/^tps = / { rate = $3 } END { print rate + 0 }' pgbench.out
}

# Samples how many clients wait for a lock, until stopped.
start_sampling() {
	printf "SELECT count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity WHERE application_name = 'pgbench' \\\\watch 0.1\n" >waiting.sql
	psql -X -q -At -f waiting.sql >waiting.out 2>/dev/null &
	sampler=$!
}
stop_sampling() {
	kill "$sampler" 2>/dev/null || true
	wait "$sampler" 2>/dev/null || true
	awk '/^[0-9]+$/ { n++; s += $1 } END { printf "%.2f", n ? s / n : 0 }' waiting.out
}

# ---- Results

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR == 0) exit; print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
median_of() { of_series "$1" | median; }
lowest_of() { of_series "$1" | sort -g | head -n 1; }
highest_of() { of_series "$1" | sort -g | tail -n 1; }
count_of() { of_series "$1" | wc -l; }
of_series() { awk -F '\t' -v c="$name" -v s="$1" '$1 == c && $2 == s { print $4 }' values.tsv; }

# The median of the ratios of the rounds, whose two sides were measured one after
# the other: what slows the machine down for a while is in both.  Where one side
# has a single long round, the ratio of the medians.
ratio_of() {
	local first=$1 second=$2
	awk -F '\t' -v c="$name" -v a="$first" -v b="$second" '
		$1 == c && $2 == a { n++; first[$3] = $4 }
		$1 == c && $2 == b { m++; second[$3] = $4 }
		END { if (n == m) for (r in first) print (second[r] > 0 ? first[r] / second[r] : 0) }' values.tsv | median | grep . ||
		awk -v a="$(median_of "$first")" -v b="$(median_of "$second")" 'BEGIN { print (b > 0 ? a / b : 0) }'
}

# report MEASURE SERIES UNIT [OTHER_LABEL OTHER_SERIES RATIO AIM]
#
# RATIO is "rate" (this over the other) or "faster" (the other over this); AIM is
# like ">= 0.7" or "<= 1.5", or "" where there is none.
report() {
	local measure=$1 series=$2 unit=$3 with=${4:-} other=${5:-} kind=${6:-rate} aim=${7:-}
	local value other_value= ratio= met=
	value=$(median_of "$series")
	if [[ -n $other ]]; then
		other_value=$(median_of "$other")
		if [[ $kind == faster ]]; then ratio=$(ratio_of "$other" "$series"); else ratio=$(ratio_of "$series" "$other"); fi
		ratio=$(printf '%.3f' "$ratio")
	fi
	if [[ -n $aim ]]; then
		met=$(awk -v r="${ratio:-$value}" -v aim="$aim" 'BEGIN { split(aim, p, " "); print ((p[1] == ">=" ? r >= p[2] : r <= p[2]) ? "yes" : "NO") }')
	fi
	printf '%s,"%s",%s,%s,"%s",%s,%s,%s,%s,%s,%s,%s\n' "$name" "$measure" "$value" "$unit" "$with" "$other_value" "$ratio" \
		"$aim" "$met" "$(count_of "$series")" "$(lowest_of "$series")" "$(highest_of "$series")" >>results.csv
}

sum_of() { of_series "$1" | awk '{ s += $1 } END { print s + 0 }'; }

# fact MEASURE VALUE UNIT [AIM]: something counted rather than timed.
fact() {
	note "$1" 1 "$2"
	report "$1" "$1" "$3" "" "" rate "${4:-}"
}

print_table() {
	awk -F , '
		function show(v) { return v == "" ? "" : v + 0 >= 1000 ? sprintf("%.0f", v) : v + 0 >= 10 ? sprintf("%.1f", v) : sprintf("%.3g", v) }
		NR == 1 { printf "%-12s %-54s %12s %-5s %-42s %12s %8s %8s %s\n", "case", "measure", "median", "", "compared with", "its median", "ratio", "aim", "met"; next }
		{ gsub(/"/, ""); printf "%-12s %-54s %12s %-5s %-42s %12s %8s %8s %s\n", $1, $2, show($3), $4, $5, show($6), $7, $8, $9 }' results.csv
	cat table.txt
}
