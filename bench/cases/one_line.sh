# one line in stock per transaction, one client

cat >one_line.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + :n
\set item random(1, :items)
INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :item, 1);
SQL
cat >least.pgb <<'SQL'
\set n :n + 1
\set o 1000000000000 * :round + :n
\set item random(1, :items)
WITH line AS (INSERT INTO ledger.order_line (order_id, line_no, item, quantity) VALUES (:o, 1, :item, 1)) UPDATE ledger.stock SET available = available - 1, allocated = allocated + 1 WHERE item = :item AND location = 'main';
SQL

items=$(size 10000)
make_ledger one_extension
make_items one_extension 1 "$items" 1000000000
for kind in plain least row_trigger statement_trigger; do
	make_baseline "one_$kind" "${kind/least/plain}" one_extension
	make_items "one_$kind" 1 "$items"
	sql -c "UPDATE one_$kind.stock SET available = 1000000000"
done
settle

# Sessions of applications last: what is learnt in the first moments shall not be all that is measured.
one_line() {
	local script=one_line.pgb seconds=$((seconds * 4))
	[[ $1 != *_trigger ]] || seconds=$((seconds / 4))
	[[ $1 != least ]] || script=least.pgb
	transactions "one_$1" 1 -D "round=$2" -D n=0 -D "items=$items" "$script"
}

interleave one_line extension least plain row_trigger statement_trigger
report "one line in stock per transaction" extension tx/s "INSERT and balance UPDATE by hand" least rate ">= 1.0"
report "one line in stock per transaction" extension tx/s "plain INSERT without triggers" plain rate ">= 0.7"
report "one line in stock per transaction" extension tx/s "PL/pgSQL row trigger" row_trigger
report "one line in stock per transaction" extension tx/s "PL/pgSQL statement trigger" statement_trigger
