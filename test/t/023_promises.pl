# Real orders, and a purchase-order plan made from them.  Every promise is
# compared with an independent computation in plain SQL with window functions:
# when it is given, after supply slips by random days, after receipts; whose date
# does not change is told nothing, and the first promise stays.
#
# The file has the columns order_id, line_no, order_date, ship_date, ship_mode,
# customer_id, segment, region, item, category, quantity, unit_price.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Session;

my $file = $ENV{BACKORDER_ORDERS_CSV} // "$FindBin::RealBin/../../../shared/data/superstore_orders.csv";
plan skip_all => "there is no file of orders: $file (BACKORDER_ORDERS_CSV names another)" unless -r $file;

my $seed = $ENV{BACKORDER_SEED} // 20260;
my $node = start_node('promises');
my $session = Session->new('-U', 'merchant', '-d', $node->connstr('store'));

run("SELECT backorder.create_ledger('shop', 'UTC'); SET search_path = shop; SET jit = off; SET TimeZone = 'UTC';");
note "seed $seed";
load_orders();
make_plan();
independent_computation();

# Dates as of entry, month by month: each line is promised what is true when it enters.
my ($months, $told, $wrong) = (0, 0, 0);
for my $month (map { $_->[0] } rows("SELECT DISTINCT to_char(placed_at, 'YYYY-MM') FROM waiting ORDER BY 1"))
{
	run(<<"SQL");
INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at, attributes)
SELECT order_id, line_no, item, quantity, customer, placed_at, attributes FROM waiting
WHERE to_char(placed_at, 'YYYY-MM') = '$month' ORDER BY md5(order_id || line_no);
SQL
	my ($row) = rows(<<"SQL");
SELECT count(*), count(*) FILTER (WHERE (b.promised_at, b.promise_basis, b.first_promised_at) IS DISTINCT FROM (c.expected_at, c.basis, c.expected_at))
FROM backorder AS b JOIN computed AS c USING (backorder_id) WHERE to_char(b.opened_at, 'YYYY-MM') = '$month'
SQL
	$months++;
	$told += $row->[0];
	$wrong += $row->[1];
}
is($wrong, 0, "$told promises given at entry, in $months statements, are those computed in SQL");
my ($length) = rows("SELECT max(n), count(*) FROM (SELECT count(*) AS n FROM backorder GROUP BY item, location) AS q");
note "longest queue $length->[0], $length->[1] queues";
my ($bases) = rows("SELECT string_agg(DISTINCT promise_basis, ', ' ORDER BY promise_basis) FROM backorder");
is($bases->[0], 'inbound, lead time, unknown', 'on every basis that there is without stock by hand');

# Some have passed others since: expected dates know, promises know after a refresh.
compare_expected('as loaded');
my ($drifted) = rows("SELECT count(*) FROM computed AS c JOIN backorder AS b USING (backorder_id) WHERE " . differs('b.promised_at', 'b.promise_basis', 'c'));
is_rows("SELECT refresh_promises()", $drifted->[0], 'a refresh moves those who were passed, and no others');
ok($drifted->[0] > 0, "which are $drifted->[0]");
compare_promises('after the refresh');
is_rows("SELECT refresh_promises()", 0, 'a second one moves nobody');

# Supply slips: all rows at once, some rows, one row after the other.
my $day = "(('x' || substr(md5('$seed' || round || inbound_id), 1, 7))::bit(28)::integer % 51 - 10) * interval '1 day'";
slip('a third of the plan, in one statement', 1, "inbound_id % 3 = 0");
slip('all of the plan, in one statement', 2, 'true');
slip("one row, number $_", $_ + 2, "inbound_id = (SELECT inbound_id FROM inbound ORDER BY md5('$seed$_') LIMIT 1)") for 1 .. 6;
change('less is sent', "UPDATE inbound SET quantity = ceil(quantity / 2) WHERE inbound_id % 7 = 0");
change('some is cancelled', "UPDATE inbound SET cancelled = quantity WHERE inbound_id % 11 = 0");
change('rows lose their date', "UPDATE inbound SET expected_at = NULL WHERE inbound_id % 13 = 0");
change('rows are deleted', "DELETE FROM inbound WHERE inbound_id % 17 = 0");
change('new supply', "INSERT INTO inbound (item, quantity, expected_at) SELECT item, 40, max(expected_at) + '10 days' FROM inbound GROUP BY item");
change('the next delivery arrives, a part of it', receipt('ceil(quantity / 3)'), 1);
change('and the rest of it', receipt('quantity - cancelled - received'), 1);
change('and more than was expected', receipt('quantity - cancelled - received + 5'));
change('a later one comes first', <<"SQL");
INSERT INTO stock_move (item, quantity, inbound_id, moved_at)
SELECT DISTINCT ON (item) item, quantity - cancelled - received, inbound_id, expected_at FROM inbound
WHERE quantity > cancelled + received AND expected_at IS NOT NULL ORDER BY item, expected_at DESC, inbound_id
SQL
my ($bad) = rows("SELECT count(*) FROM firsts JOIN backorder AS b USING (backorder_id) WHERE b.first_promised_at IS DISTINCT FROM firsts.first_promised_at");
is($bad->[0], 0, 'the first promise of everybody is what it was');
my ($moves) = rows("SELECT count(*) FROM journal WHERE kind = 'promised'");
note "$moves->[0] promises moved";
is_rows("SELECT count(*) FROM backorder.check_ledger('shop')", 0, 'the ledger is whole');

$session->quit;
$node->stop;
done_testing();

# ---- SQL

sub run
{
	my ($sql) = @_;
	my $reply = $session->run($sql =~ s/;?\s*\z/;/r);
	BAIL_OUT("$reply->{state}: $reply->{message}\n" . substr($sql, 0, 2000)) if $reply->{state} ne '00000';
	return $reply;
}

sub rows { return map { [ split /\|/, $_, -1 ] } @{ run($_[0])->{rows} } }

sub is_rows { my ($sql, $expected, $name) = @_; my ($row) = rows($sql); return is($row->[0], $expected, $name) }

# ---- the orders, a hundred years later: what is to come must be in the future

sub load_orders
{
	open my $in, '<:encoding(UTF-8)', $file or die "cannot read $file: $!";
	my @columns = split /,/, <$in> =~ s/\s+\z//r;
	my @values;
	run("CREATE TEMP TABLE waiting (order_id text, line_no bigint, item text, quantity numeric, customer text, placed_at timestamptz, attributes jsonb)");
	while (my $text = <$in>)
	{
		my %line;
		@line{@columns} = split /,/, $text =~ s/\s+\z//r;
		my $family = $line{item} =~ s/-\d+$//r;
		push @values, "('$line{order_id}', $line{line_no}, '$family', $line{quantity}, '$line{customer_id}', '$line{order_date}'::timestamptz + '100 years', "
		  . "jsonb_build_object('segment', '$line{segment}', 'ship_mode', '$line{ship_mode}'))";
	}
	while (my @part = splice @values, 0, 500)
	{
		run('INSERT INTO waiting VALUES ' . join(', ', @part));
	}
	run(<<"SQL");
INSERT INTO item (item, lead_time) SELECT DISTINCT item, CASE WHEN md5(item) < '8' THEN interval '42 days' END FROM waiting;
INSERT INTO priority_rule (name, condition, priority, head_start) VALUES
	('same day', '\$.attributes.ship_mode == "Same Day"', 10, '0'),
	('corporate', '\$.attributes.segment == "Corporate"', 0, '7 days');
SQL
	my ($row) = rows('SELECT count(*), count(DISTINCT order_id), count(DISTINCT item) FROM waiting');
	note "$row->[0] lines, $row->[1] orders, $row->[2] items";
	return;
}

# What was ordered in a quarter is bought a month after its end, nine tenths of it.
sub make_plan
{
	run(<<"SQL");
INSERT INTO inbound (item, quantity, expected_at, reference)
SELECT item, ceil(sum(quantity) * 0.9), date_trunc('quarter', placed_at) + '4 months', to_char(placed_at, '"PO" YYYY-Q')
FROM waiting GROUP BY item, date_trunc('quarter', placed_at), to_char(placed_at, '"PO" YYYY-Q') ORDER BY md5(item || min(placed_at))
SQL
	my ($row) = rows('SELECT count(*) FROM inbound');
	note "$row->[0] purchase orders";
	return;
}

# The definition of the dates, with window functions and without the engine.
sub independent_computation
{
	run(<<"SQL");
CREATE TEMP VIEW supply AS
SELECT item, location, expected_at, inbound_id,
	sum(quantity - cancelled - received) OVER (PARTITION BY item, location ORDER BY expected_at, inbound_id) AS until,
	max(expected_at) OVER (PARTITION BY item, location) AS last_at
FROM inbound WHERE expected_at IS NOT NULL AND quantity > cancelled + received;
CREATE TEMP VIEW demand AS
SELECT backorder_id, item, location, opened_at,
	sum(remaining) OVER (PARTITION BY item, location ORDER BY priority DESC, rank_at, backorder_id) AS need
FROM backorder WHERE closed_at IS NULL;
CREATE TEMP VIEW computed AS
SELECT d.backorder_id,
	CASE WHEN min(s.expected_at) FILTER (WHERE s.until >= d.need) IS NOT NULL
			THEN greatest(min(s.expected_at) FILTER (WHERE s.until >= d.need), d.opened_at)
		WHEN i.lead_time IS NOT NULL THEN greatest(d.opened_at + i.lead_time, max(s.last_at))
		ELSE max(s.last_at) END AS expected_at,
	CASE WHEN bool_or(s.until >= d.need) THEN 'inbound' WHEN i.lead_time IS NOT NULL THEN 'lead time' ELSE 'unknown' END AS basis
FROM demand AS d JOIN item AS i USING (item) LEFT JOIN supply AS s USING (item, location)
GROUP BY d.backorder_id, d.need, d.opened_at, i.lead_time;
SQL
	return;
}

# ---- comparisons

# A promise moves when its date does, or when it becomes one, or is one no more.
sub differs
{
	my ($at, $basis, $other) = @_;
	return "($at IS DISTINCT FROM $other.expected_at OR ($basis = 'unknown') <> ($other.basis = 'unknown'))";
}

sub compare_expected
{
	my ($when) = @_;
	my ($row) = rows(<<"SQL");
SELECT count(*), count(*) FILTER (WHERE (o.expected_at, o.expected_basis) IS DISTINCT FROM (c.expected_at, c.basis)
		OR (s.expected_at, s.basis, s.quantity) IS DISTINCT FROM (c.expected_at, c.basis, o.remaining))
FROM open_backorder AS o
LEFT JOIN computed AS c USING (backorder_id)
LEFT JOIN (
	SELECT backorder_id, max(expected_at) AS expected_at, sum(quantity) AS quantity,
		(array_agg(expected_basis ORDER BY expected_basis <> 'inbound' DESC, expected_at DESC))[1] AS basis
	FROM promise_schedule() GROUP BY backorder_id
) AS s USING (backorder_id)
SQL
	is($row->[1], 0, "$when: $row->[0] expected dates are those computed in SQL");
	return;
}

sub compare_promises
{
	my ($when) = @_;
	my ($row) = rows("SELECT count(*), count(*) FILTER (WHERE " . differs('b.promised_at', 'b.promise_basis', 'c') . ") FROM backorder AS b JOIN computed AS c USING (backorder_id)");
	is($row->[1], 0, "$when: $row->[0] promises are those computed in SQL");
	return;
}

sub receipt
{
	my ($quantity) = @_;
	return <<"SQL";
INSERT INTO stock_move (item, quantity, inbound_id, moved_at)
SELECT DISTINCT ON (item) item, $quantity, inbound_id, expected_at FROM inbound
WHERE quantity > cancelled + received AND expected_at IS NOT NULL ORDER BY item, expected_at, inbound_id
SQL
}

sub slip
{
	my ($what, $round, $which) = @_;
	change("$what slips", "UPDATE inbound SET expected_at = expected_at + $day WHERE $which" =~ s/\bround\b/$round/r);
	return;
}

# Whose date a change moves is told, and nobody else.  Receipts of what was expected
# next serve the head of the queue, and leave everybody else where he stands.
sub change
{
	my ($what, $sql, $no_moves) = @_;
	run('CREATE TEMP TABLE IF NOT EXISTS firsts AS SELECT backorder_id, first_promised_at FROM backorder WHERE first_promised_at IS NOT NULL');
	run('CREATE TEMP TABLE past AS SELECT backorder_id, promised_at, promise_basis FROM backorder WHERE closed_at IS NULL');
	my ($before) = rows('SELECT max(journal_id) FROM journal');
	run($sql);
	my ($row) = rows(<<"SQL");
SELECT count(*) FILTER (WHERE @{[ differs('p.promised_at', 'p.promise_basis', 'c') ]}),
	count(*) FILTER (WHERE (j.backorder_id IS NOT NULL) <> @{[ differs('p.promised_at', 'p.promise_basis', 'c') ]}),
	count(*) FILTER (WHERE j.moves > 1 OR j.former IS DISTINCT FROM CASE WHEN j.backorder_id IS NOT NULL THEN p.promised_at END)
FROM past AS p JOIN computed AS c USING (backorder_id)
LEFT JOIN (
	SELECT backorder_id, count(*) AS moves, max(former_promised_at) AS former FROM journal
	WHERE kind = 'promised' AND journal_id > $before->[0] GROUP BY backorder_id
) AS j USING (backorder_id)
SQL
	is($row->[1], 0, "$what: $row->[0] dates move, and each is told");
	is($row->[2], 0, "$what: once, with the date told before");
	is($row->[0], 0, "$what: nobody's") if $no_moves;
	compare_promises($what);
	compare_expected($what);
	run('DROP TABLE past');
	return;
}
