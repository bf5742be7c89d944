# Four years of real orders, replayed by plain SQL, twice: by article, where few
# wait for the same thing, and by product family, where queues are long.  Then
# the ledger's figures are compared with the same figures computed without its
# views, and the journal is read for anybody who was passed over.
#
# The file has the columns order_id, line_no, order_date, ship_date, ship_mode,
# customer_id, segment, region, item, category, quantity, unit_price.
use strict;
use warnings;

use FindBin;
use List::Util qw(max sum);
use Test::More;
use Time::Local 'timegm';

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Session;

my $file = $ENV{BACKORDER_ORDERS_CSV} // "$FindBin::RealBin/../../../shared/data/superstore_orders.csv";
plan skip_all => "there is no file of orders: $file (BACKORDER_ORDERS_CSV names another)" unless -r $file;

use constant ZONE => 'America/New_York';
use constant LEAD_WEEKS => 6;

my @by_order = qw(order_fill_rate backorder_rate);
my @figures = (qw(fill_rate line_fill_rate backorder_fill_rate backorder_cancellation_rate average_backorder_duration
  average_days_on_backorder average_open_age_days), @by_order);

my @orders = read_orders($file);
my $node = start_node('real_orders');
my $session = Session->new('-U', 'merchant', '-d', $node->connstr('store'));
my $reported = time;

# The session's time zone is nobody's: calendar days are the ledger's.
$session->rows("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'ISO'; SET jit = off;");

my @lines = map { @{ $_->{lines} } } @orders;
note scalar(@orders), ' orders, ', scalar(@lines), ' lines';

replay('article', 6, sub { $_[0] });
examine('article');
replay('family', 110, sub { $_[0] =~ s/-\d+$//r });
examine('family');

$session->quit;
$node->stop;
done_testing();

# ---- the file

# Orders in the order of their dates: { id, date, lines => [ { ... } ] }.
sub read_orders
{
	my ($name) = @_;
	open my $in, '<:encoding(UTF-8)', $name or die "cannot read $name: $!";
	my @columns = split /,/, <$in> =~ s/\s+\z//r;
	my (%order, @all);
	while (my $text = <$in>)
	{
		$text =~ s/\s+\z//;
		my %line;
		@line{@columns} = split /,/, $text;
		my $id = $line{order_id};
		push @all, $order{$id} = { id => $id, date => $line{order_date}, lines => [] } if !$order{$id};
		push @{ $order{$id}{lines} }, \%line;
	}
	my @sorted = sort { $a->{date} cmp $b->{date} || $a->{id} cmp $b->{id} } @all;
	my $number = 0;
	$_->{number} = ++$number for @sorted;
	return @sorted;
}

sub day_number { my ($date) = @_; my ($y, $m, $d) = split /-/, $date; return timegm(0, 0, 0, $d, $m - 1, $y) / 86400 }

sub date_of { my ($day) = @_; my @g = gmtime($day * 86400); return sprintf '%04d-%02d-%02d', $g[5] + 1900, $g[4] + 1, $g[3] }

# ---- the replay

sub run_sql
{
	my ($sql) = @_;
	my $reply = $session->run($sql);
	BAIL_OUT("$reply->{state}: $reply->{message}\n" . substr($sql, 0, 2000)) if $reply->{state} ne '00000';
	return @{ $reply->{rows} };
}

sub progress
{
	my ($what) = @_;
	return if time - $reported < 5;
	$reported = time;
	diag $what;
	return;
}

# A week is what was ordered in it; then the truck comes, and the warehouse ships.
sub replay
{
	my ($ledger, $starting_stock, $item_of) = @_;
	my $zone = ZONE;
	my $started = time;
	run_sql("SELECT backorder.create_ledger('$ledger', '$zone'); SET search_path = $ledger;");
	my %items = map { ($item_of->($_->{item}) => 1) } @lines;
	my $first = day_number($orders[0]{date});
	run_sql('INSERT INTO item (item, lead_time) VALUES ' . join(', ', map { "('$_', '42 days')" } sort keys %items) . ';');
	run_sql(<<"SQL");
INSERT INTO priority_rule (name, condition, priority, head_start) VALUES
	('same day', '\$.attributes.ship_mode == "Same Day"', 10, '0'),
	('corporate', '\$.attributes.segment == "Corporate"', 0, '7 days');
SQL
	run_sql('INSERT INTO stock_move (item, location, quantity, moved_at, reference) VALUES '
		. join(', ', map { "('$_', 'main', $starting_stock, '" . date_of($first - 1) . " 12:00 $zone', 'starting stock')" } sort keys %items) . ';');

	my @waiting_orders = @orders;
	my @demand;    # of each week
	my $last_week = int((day_number($orders[-1]{date}) - $first) / 7) + 3;
	for my $week (0 .. $last_week)
	{
		my $next_week = $first + 7 * ($week + 1);
		my (@sql, %demand);
		while (@waiting_orders && day_number($waiting_orders[0]{date}) < $next_week)
		{
			my $order = shift @waiting_orders;
			push @sql, order_sql($order, $item_of);
			$demand{ $item_of->($_->{item}) } += $_->{quantity} for @{ $order->{lines} };
		}
		push @demand, \%demand;
		push @sql, week_end_sql($week, date_of($next_week), $week >= LEAD_WEEKS ? $demand[ $week - LEAD_WEEKS ] : {});
		run_sql(join "\n", @sql);
		progress("$ledger: week $week of $last_week");
	}
	note "$ledger: replayed in ", time - $started, ' s';
	return;
}

# A whole order is one plain INSERT.  Days begin at midnight in the ledger's zone,
# where windows and calendar days have their edges.
sub order_sql
{
	my ($order, $item_of) = @_;
	my $zone = ZONE;
	return 'INSERT INTO order_line (order_id, line_no, item, quantity, customer, attributes, unit_price, placed_at) VALUES '
	  . join(', ', map {
		sprintf q{('%s', %d, '%s', %s, '%s', '{"segment": "%s", "ship_mode": "%s", "region": "%s", "category": "%s"}', %s, '%s %s')},
		  $order->{id}, $_->{line_no}, $item_of->($_->{item}), $_->{quantity}, $_->{customer_id},
		  @$_{qw(segment ship_mode region category unit_price)}, $order->{date}, $zone
	} @{ $order->{lines} }) . ';';
}

sub week_end_sql
{
	my ($week, $date, $wanted) = @_;
	my $zone = ZONE;
	my @sql;
	if (%$wanted)
	{
		push @sql, "INSERT INTO stock_move (item, location, quantity, moved_at, reference) VALUES "
		  . join(', ', map { "('$_', 'main', $wanted->{$_}, '$date 06:00 $zone', 'week $week')" } sort keys %$wanted) . ';';
	}
	# Who has waited a month: one in five gives up what is missing.
	push @sql, <<"SQL";
UPDATE order_line AS l SET cancelled = l.cancelled + w.missing, cancel_reason = 'waited too long'
FROM (
	SELECT order_id, line_no, sum(remaining) AS missing
	FROM open_backorder
	WHERE opened_at BETWEEN timestamptz '$date $zone' - interval '37 days' AND timestamptz '$date $zone' - interval '30 days'
		AND right(order_id, 1) IN ('0', '5')
	GROUP BY order_id, line_no
) AS w
WHERE w.order_id = l.order_id AND w.line_no = l.line_no;
SQL
	# Some change their mind before anything left.
	push @sql, <<"SQL";
UPDATE order_line SET cancelled = quantity, cancel_reason = 'changed mind'
WHERE placed_at >= timestamptz '$date $zone' - interval '4 days' AND right(order_id, 2) = '17' AND shipped = 0 AND cancelled < quantity;
SQL
	push @sql, <<"SQL";
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at)
SELECT 'shipment', order_id, line_no, allocated, '$date 15:00 $zone'
FROM ready_to_ship
WHERE placed_at < timestamptz '$date $zone' - interval '4 days';
SQL
	# Once a month, a little comes back or is lost.
	push @sql, <<"SQL" if $week % 4 == 3;
INSERT INTO stock_move (kind, item, location, quantity, moved_at)
SELECT 'customer_return', item, location, 1, '$date 16:00 $zone'
FROM order_line
WHERE shipped > 0 AND right(order_id, 2) = '42' AND placed_at >= timestamptz '$date $zone' - interval '28 days'
GROUP BY item, location;
INSERT INTO stock_move (kind, item, location, quantity, moved_at)
SELECT 'adjustment', item, location, -1, '$date 17:00 $zone'
FROM stock
WHERE on_hand >= 2 AND hashtext(item) % 17 = $week % 17;
SQL
	return @sql;
}

# ---- the examination

sub examine
{
	my ($ledger) = @_;
	my @counted = run_sql('SELECT count(*), sum(quantity) FROM order_line;');
	is($counted[0], @lines . '|' . sum(map { $_->{quantity} } @lines), "$ledger: every line is there");
	is(join("\n", run_sql("SELECT * FROM backorder.check_ledger('$ledger');")), '', "$ledger: check_ledger is empty");
	progress("$ledger: figures");
	facts();
	compare_figures($ledger);
	compare_views($ledger);
	progress("$ledger: journal");
	read_journal($ledger);
	return;
}

# What is compared with, from order_line and the journal alone.
sub facts
{
	run_sql(<<'SQL');
SET client_min_messages = warning;
DROP TABLE IF EXISTS pg_temp.l, pg_temp.o, pg_temp.b, pg_temp.f;
CREATE TEMP TABLE l AS
SELECT order_id, line_no, item, location, customer, demand_class, unit_price,
	CASE WHEN entered_at IS NULL THEN placed_at ELSE entered_at END AS entered_at,
	CASE WHEN entered_quantity IS NULL THEN quantity ELSE entered_quantity END AS units,
	backordered_at_entry AS short
FROM order_line;
CREATE TEMP TABLE o AS
SELECT order_id, min(entered_at) AS entered_at, min(customer) AS customer, min(demand_class) AS demand_class, bool_or(short > 0) AS short
FROM l GROUP BY order_id;
CREATE TEMP TABLE b AS
SELECT opening.backorder_id, opening.item, opening.location, l.customer, l.demand_class, l.unit_price, opening.quantity AS units,
	opening.happened_at AS opened_at, coalesce(ending.filled, 0) AS filled, coalesce(ending.cancelled, 0) AS cancelled,
	opening.quantity - coalesce(ending.filled, 0) - coalesce(ending.cancelled, 0) AS remaining,
	CASE WHEN ending.filled + ending.cancelled = opening.quantity THEN ending.at END AS closed_at
FROM journal AS opening
JOIN l USING (order_id, line_no)
LEFT JOIN (
	SELECT backorder_id, coalesce(sum(quantity) FILTER (WHERE kind = 'filled'), 0) AS filled,
		coalesce(sum(quantity) FILTER (WHERE kind = 'cancelled'), 0) AS cancelled,
		max(happened_at) AS at
	FROM journal WHERE kind IN ('filled', 'cancelled') GROUP BY backorder_id
) AS ending USING (backorder_id)
WHERE opening.kind = 'backordered';
CREATE TEMP TABLE f AS
SELECT b.item, b.location, b.customer, b.demand_class, j.quantity AS units, j.happened_at AS filled_at,
	extract(epoch FROM j.happened_at - b.opened_at) / 86400 AS days
FROM journal AS j JOIN b USING (backorder_id)
WHERE j.kind = 'filled';
ANALYZE l, o, b, f;
SQL
	return;
}

# Each figure for many scopes; only those that differ come back.
sub compare_figures
{
	my ($ledger) = @_;
	my $zone = ZONE;
	my @windows = ('NULL, NULL', "NULL, '2018-01-01 $zone'", "'2018-01-01 $zone', NULL", "'2016-03-01 $zone', '2016-03-01 $zone'",
		map { my $year = $_; map { sprintf "'%d-%02d-01 %s', '%d-%02d-01 %s'", $year, $_, $zone, $_ > 9 ? ($year + 1, $_ - 9) : ($year, $_ + 3), $zone } 1, 2, 4, 10 } 2016 .. 2019);
	my @items = run_sql('SELECT item FROM l GROUP BY item ORDER BY sum(short) DESC, item LIMIT 5;');
	my @customers = run_sql('SELECT customer FROM l GROUP BY customer ORDER BY sum(short) DESC, customer LIMIT 4;');
	my @scopes = map { ("$_, NULL, NULL, NULL, 'regular'") } @windows;
	for my $window (@windows[ 0, 2, 5 ])
	{
		push @scopes, map { "$window, '$_', 'main', NULL, NULL" } @items;
		push @scopes, map { "$window, NULL, NULL, '$_', 'regular'" } @customers;
	}
	push @scopes, "NULL, NULL, NULL, NULL, NULL, 'preorder'", "NULL, NULL, NULL, 'elsewhere', NULL, NULL";
	my $scopes = join ",\n", map { "($_)" } @scopes;

	my %in = (entered => window('entered_at'), opened => window('opened_at'), closed => window('closed_at'), filled => window('filled_at'));
	my $what = '(s.item IS NULL OR x.item = s.item) AND (s.location IS NULL OR x.location = s.location)';
	my $who = '(s.customer IS NULL OR x.customer = s.customer) AND (s.demand_class IS NULL OR x.demand_class = s.demand_class)';
	my %plain = (
		fill_rate => "SELECT 1 - sum(short) / sum(units) FROM l AS x WHERE $in{entered} AND $what AND $who",
		line_fill_rate => "SELECT 1.0 * count(*) FILTER (WHERE short = 0) / nullif(count(*), 0) FROM l AS x WHERE $in{entered} AND $what AND $who",
		order_fill_rate => "SELECT 1.0 * count(*) FILTER (WHERE NOT short) / nullif(count(*), 0) FROM o AS x WHERE $in{entered} AND $who",
		backorder_rate => "SELECT 1.0 * count(*) FILTER (WHERE short) / nullif(count(*), 0) FROM o AS x WHERE $in{entered} AND $who",
		backorder_fill_rate => "SELECT sum(filled) / sum(units) FROM b AS x WHERE $in{opened} AND $what AND $who",
		backorder_cancellation_rate => "SELECT sum(cancelled) / sum(units) FROM b AS x WHERE $in{opened} AND $what AND $who",
		average_backorder_duration => "SELECT avg(extract(epoch FROM closed_at - opened_at)) FROM b AS x WHERE filled = units AND $in{closed} AND $what AND $who",
		average_days_on_backorder => "SELECT sum(units * days) / sum(units) FROM f AS x WHERE $in{filled} AND $what AND $who",
		average_open_age_days => "SELECT sum(remaining * extract(epoch FROM now() - opened_at) / 86400) / sum(remaining) FROM b AS x WHERE remaining > 0 AND $in{opened} AND $what AND $who",
	);
	for my $figure (@figures)
	{
		my @where = (grep { $_ eq $figure } @by_order) ? () : qw(item location);
		my $arguments = join ', ', map { "s.$_" } qw(since until), @where, qw(customer demand_class);
		my $call = "$figure($arguments)";
		# To the microsecond: an interval has no more.
		my ($says, $digits) = $figure =~ /duration/ ? ("extract(epoch FROM $call)", 6) : ($call, 12);
		my @wrong = run_sql(<<"SQL");
SELECT s.*, g.says, g.is FROM (VALUES $scopes) AS v (since, until, item, location, customer, demand_class)
CROSS JOIN LATERAL (SELECT v.since::timestamptz, v.until::timestamptz, v.item, v.location, v.customer, v.demand_class) AS s
CROSS JOIN LATERAL (SELECT round($says, $digits) AS says, round(($plain{$figure}), $digits) AS is) AS g
WHERE g.says IS DISTINCT FROM g.is;
SQL
		is(join("\n", @wrong), '', "$ledger: $figure is right in " . @scopes . ' scopes');
		note "$figure = ", run_sql("SELECT $figure();");
		progress("$ledger: $figure");
	}
	return;
}

sub window
{
	my ($column) = @_;
	return "(s.since IS NULL OR x.$column >= s.since) AND (s.until IS NULL OR x.$column < s.until)";
}

# The views kpi…, column by column.  Every fact becomes a row of numbers, summed by
# the key of the view; the ratios are those of the sums.
sub compare_views
{
	my ($ledger) = @_;
	my $month = sub { "date_trunc('month', $_[0] AT TIME ZONE '" . ZONE . "')::date" };
	my %view = (
		kpi => [ '', map { "''" } 1 .. 5 ],
		kpi_by_item => [ 'item', 'item', undef, map { 'item' } 1 .. 3 ],
		kpi_by_customer => [ 'customer', map { 'customer' } 1 .. 5 ],
		kpi_monthly => [ 'month', map { $month->($_) } qw(entered_at entered_at opened_at closed_at filled_at) ]);
	my @of_orders = qw(orders orders_filled order_fill_rate orders_backordered backorder_rate);
	for my $name (sort keys %view)
	{
		my ($key, $entered, $ordered, $opened, $closed, $filled) = @{ $view{$name} };
		my @parts = (
			"SELECT $entered AS key, 1 AS lines, (short = 0)::int AS filled_lines, units, short, 0 AS orders, 0 AS short_orders, 0 AS opened, 0 AS came, 0 AS given_up, "
			  . '0 AS still, 0 AS still_days, 0 AS closed, 0 AS closed_days, 0 AS fills, 0 AS fill_days FROM l',
			"SELECT $opened, 0, 0, 0, 0, 0, 0, units, filled, cancelled, remaining, remaining * extract(epoch FROM now() - opened_at) / 86400, 0, 0, 0, 0 FROM b",
			"SELECT $closed, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, extract(epoch FROM closed_at - opened_at) / 86400, 0, 0 FROM b WHERE filled = units",
			"SELECT $filled, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, units, units * days FROM f");
		push @parts, "SELECT $ordered, 0, 0, 0, 0, 1, short::int, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM o" if $ordered;
		my @columns = (
			lines => 'sum(lines)',
			lines_filled => 'sum(filled_lines)',
			line_fill_rate => 'sum(filled_lines) / nullif(sum(lines), 0)::numeric',
			units => 'sum(units)',
			units_backordered => 'sum(short)',
			fill_rate => '1 - sum(short) / nullif(sum(units), 0)',
			($ordered ? (
				orders => 'sum(orders)',
				orders_filled => 'sum(orders) - sum(short_orders)',
				order_fill_rate => '(sum(orders) - sum(short_orders)) / nullif(sum(orders), 0)::numeric',
				orders_backordered => 'sum(short_orders)',
				backorder_rate => 'sum(short_orders) / nullif(sum(orders), 0)::numeric') : ()),
			opened_units => 'sum(opened)',
			opened_units_filled => 'sum(came)',
			backorder_fill_rate => 'sum(came) / nullif(sum(opened), 0)',
			opened_units_cancelled => 'sum(given_up)',
			backorder_cancellation_rate => 'sum(given_up) / nullif(sum(opened), 0)',
			opened_units_open => 'sum(still)',
			open_unit_days => 'sum(still_days)',
			average_open_age_days => 'sum(still_days) / nullif(sum(still), 0)',
			backorders_filled => 'sum(closed)',
			backorders_filled_days => 'sum(closed_days)',
			average_backorder_duration_days => 'sum(closed_days) / nullif(sum(closed), 0)',
			fill_units => 'sum(fills)',
			fill_unit_days => 'sum(fill_days)',
			average_days_on_backorder => 'sum(fill_days) / nullif(sum(fills), 0)');
		my (@says, @is);
		while (my ($column, $formula) = splice @columns, 0, 2)
		{
			push @says, "round($column, 9)";
			push @is, "round($formula, 9)";
		}
		my $says = join ', ', ($key || "''") . '::text', @says;
		my $is = join ', ', 'key::text', @is;
		my $facts = "SELECT $is FROM (" . join(' UNION ALL ', @parts) . ') AS part GROUP BY key';
		# a month in which nothing but a promise fell due is for 023_promises.pl
		my $told = "$name WHERE (lines, opened_units, backorders_filled, fill_units) <> (0, 0, 0, 0)";
		my @wrong = run_sql("SELECT 'says', * FROM (SELECT $says FROM $told EXCEPT ALL $facts) AS a "
			  . "UNION ALL SELECT 'is', * FROM ($facts EXCEPT ALL SELECT $says FROM $told) AS a LIMIT 20;");
		my ($rows) = run_sql("SELECT count(*) FROM $name;");
		is(join("\n", @wrong), '', "$ledger: $name is right in $rows rows");
	}
	return;
}

# Nobody jumps the queue: whoever is filled is the first of those who wait, by what
# the journal has said until then.
sub read_journal
{
	my ($ledger) = @_;
	my (%queue, @jumped, %count);
	my ($overtaking, $longest) = (0, 0);
	for (run_sql(<<'SQL'))
SELECT kind, cause, backorder_id, item || ' ' || location, quantity, priority, extract(epoch FROM rank_at), extract(epoch FROM happened_at)
FROM journal
WHERE kind IN ('backordered', 'filled', 'cancelled', 'reranked') AND backorder_id IS NOT NULL
ORDER BY journal_id;
SQL
	{
		my ($kind, $cause, $id, $place, $quantity, $priority, $rank_at, $at) = split /\|/;
		my $waiting = $queue{$place} //= {};
		$count{"$kind, $cause"}++;
		if ($kind eq 'backordered')
		{
			$waiting->{$id} = { id => $id, left => $quantity, priority => $priority, rank_at => $rank_at, at => $at };
			$longest = max($longest, scalar keys %$waiting);
			next;
		}
		my $one = $waiting->{$id};
		if (!$one)
		{
			push @jumped, "$kind of $id, which does not wait";
			next;
		}
		if ($kind eq 'reranked')
		{
			@$one{qw(priority rank_at)} = ($priority, $rank_at);
			next;
		}
		if ($kind eq 'filled' && $cause !~ /^(reallocated|allocate)$/)
		{
			push @jumped, map { "$id was filled before $_->{id}" } grep { is_before($_, $one) } values %$waiting;
			$overtaking++ if grep { $_->{at} < $one->{at} } values %$waiting;
			push @jumped, "$id was ranked otherwise when filled"
			  if $priority != $one->{priority} || $rank_at != $one->{rank_at};
		}
		$one->{left} -= $quantity;
		push @jumped, "$id got more than it waited for" if $one->{left} < 0;
		delete $waiting->{$id} if $one->{left} == 0;
	}
	splice @jumped, 20 if @jumped > 20;
	is(join("\n", @jumped), '', "$ledger: nobody jumped the queue");
	note join ', ', map { "$_: $count{$_}" } sort keys %count;
	note "longest queue $longest, fills by rank ahead of an earlier line: $overtaking";
	cmp_ok($count{'filled, receipt'} // 0, '>', 300, "$ledger: many fills by receipts");
	cmp_ok($overtaking, '>', 0, "$ledger: rules decided some of them");
	is(join("\n", run_sql(<<'SQL')), '', "$ledger: what still waits is what the journal says");
SELECT backorder_id, b.remaining, w.remaining FROM (SELECT backorder_id, remaining FROM b WHERE remaining > 0) AS b
FULL JOIN (SELECT backorder_id, remaining FROM backorder WHERE closed_at IS NULL) AS w USING (backorder_id)
WHERE b.remaining IS DISTINCT FROM w.remaining;
SQL
	return;
}

sub is_before
{
	my ($x, $y) = @_;
	return ($y->{priority} <=> $x->{priority} || $x->{rank_at} <=> $y->{rank_at} || $x->{id} <=> $y->{id}) < 0;
}
