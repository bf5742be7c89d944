# Ten sessions at once.  First only orders, line by line as ORMs write them, of items
# with ample stock and of items without any: nobody may deadlock.  Then everything
# together near zero stock, one statement a transaction: nobody may deadlock there
# either, for a statement takes its locks in order.  At last the same with orders line
# by line: whatever meets 40001 or 40P01 is tried again, as the documentation says.
# In the end every sum must be right.
#
# BACKORDER_CONCURRENCY_SECONDS=N is the length of the last part (36); the others
# take a third of it each.
use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Session;

use constant SESSIONS => 10;
use constant ATTEMPTS => 50;

my $seconds = $ENV{BACKORDER_CONCURRENCY_SECONDS} // 36;
my $node = start_node('concurrency', 'deadlock_timeout = 100ms', 'fsync = off');
my @connection = ('-U', 'merchant', '-d', $node->connstr('store'));

my @ample = map { "ample $_" } 1 .. 15;
my @none = map { "none $_" } 1 .. 15;
my @scarce = map { "scarce $_" } 1 .. 12;

my $first = Session->new(@connection);
$first->rows("SELECT backorder.create_ledger('shop'); SET search_path = shop;");
$first->rows('INSERT INTO item (item) VALUES ' . join(', ', map { "('$_')" } @ample, @none, @scarce) . ';');
$first->rows("INSERT INTO location VALUES ('east');");
$first->rows('INSERT INTO item (item, backorder_limit) VALUES (\'limited\', 40);');
$first->rows('INSERT INTO priority_rule (name, condition, priority) VALUES (\'vip\', \'$.customer == "vip"\', 5);');
$first->rows('INSERT INTO stock_move (item, location, quantity) VALUES '
	  . join(', ', (map { "('$_', 'main', 10000000)" } @ample), (map { "('$_', 'main', 20)" } @scarce)) . ';');

my $lines = 0;
my $orders = in_parallel('orders of items with stock and of items without', $seconds / 3, \&place_anything);
is($orders->{retried}{'40P01'} // 0, 0, 'no deadlock among orders of items with stock or without any');
check('after the orders');

my $single = in_parallel('everything near zero stock, a statement each', $seconds / 3, sub { do_anything(@_, 1) });
is($single->{retried}{'40P01'} // 0, 0, 'no deadlock among transactions of one statement');
check('after single statements');

in_parallel('everything near zero stock, orders line by line', $seconds, \&do_anything);
check('after everything');
no_idle_stock();

$first->quit;
$node->stop;
done_testing();

# ---- sessions

# Runs the work in ten processes and adds up what they say.
sub in_parallel
{
	my ($what, $time, $work) = @_;
	my @children;
	my $started = time;
	for my $number (1 .. SESSIONS)
	{
		pipe(my $from, my $to) or die "cannot make a pipe: $!";
		my $pid = fork // die "cannot fork: $!";
		if (!$pid)
		{
			close $from;
			my $said = eval { run_session($number, $started + $time, $work) } // { failed => ["$@"] };
			print {$to} encode_json($said);
			close $to;
			# Not exit: the server and the test's counters are the parent's.
			require POSIX;
			POSIX::_exit(0);
		}
		close $to;
		push @children, [ $pid, $from ];
	}
	for (my $reported = time; time < $started + $time; sleep 0.2)
	{
		next if time - $reported < 8;
		$reported = time;
		diag sprintf '%s: %d of %d s', $what, time - $started, $time;
	}
	my %sum = (done => {}, refused => {}, retried => {}, failed => [], lines => 0);
	for my $child (@children)
	{
		my ($pid, $from) = @$child;
		local $/;
		my $said = decode_json(readline($from) || '{"failed": ["a session said nothing"]}');
		waitpid $pid, 0;
		push @{ $sum{failed} }, @{ $said->{failed} // [] };
		$sum{lines} += $said->{lines} // 0;
		for my $kind (qw(done refused retried))
		{
			$sum{$kind}{$_} += $said->{$kind}{$_} for keys %{ $said->{$kind} // {} };
		}
	}
	$lines += $sum{lines};
	is(join("\n", @{ $sum{failed} }), '', "$what: no unexpected error");
	my $count = 0;
	$count += $_ for values %{ $sum{done} };
	cmp_ok($count, '>', 50, "$what: $count transactions");
	my $counts = sub { join(', ', map { "$_[0]{$_} $_" } sort keys %{ $_[0] }) || 'none' };
	diag sprintf "%s: %d transactions, %.0f a second; deadlocks (40P01) %d, serialization failures (40001) %d",
	  $what, $count, $count / (time - $started), $sum{retried}{'40P01'} // 0, $sum{retried}{'40001'} // 0;
	is($sum{retried}{'40001 under READ COMMITTED'} // 0, 0, "$what: no serialization failure under READ COMMITTED");
	note 'done: ', $counts->($sum{done});
	note 'refused: ', $counts->($sum{refused});
	note 'tried again: ', $counts->($sum{retried});
	return \%sum;
}

# Transactions until the time is over.
sub run_session
{
	my ($number, $until, $work) = @_;
	srand 1000 + $number;
	my $session = Session->new(@connection);
	$session->rows('SET search_path = shop;');
	my %me = (number => $number, orders => 0, phase => int($until), done => {}, refused => {}, retried => {}, failed => [], lines => 0);
	while (time < $until && !@{ $me{failed} })
	{
		my ($name, $lines_placed, @statements) = $work->(\%me);
		attempt($session, \%me, $name, $lines_placed, @statements);
	}
	$session->quit;
	return \%me;
}

sub attempt
{
	my ($session, $me, $name, $lines_placed, @statements) = @_;
	my $level = $me->{number} == 10 ? 'SERIALIZABLE' : $me->{number} == 9 ? 'REPEATABLE READ' : 'READ COMMITTED';
	$level = 'READ COMMITTED' if $name eq 'orders';
	for my $try (1 .. ATTEMPTS)
	{
		my $reply = $session->run(join "\n", "BEGIN ISOLATION LEVEL $level;", @statements, 'COMMIT;');
		my $state = $reply->{state};
		if ($state eq '00000')
		{
			$me->{done}{$name}++;
			$me->{lines} += $lines_placed;
			return;
		}
		if ($state eq '40001' || $state eq '40P01')
		{
			$me->{retried}{$state}++;
			$me->{retried}{"$name $state"}++;
			$me->{retried}{"$state under $level"}++;
			sleep rand 0.005 * $try;
			next;
		}
		# What the others did in between can make it impossible.
		if ($state =~ /^(23B01|23B02|23514)$/ || $reply->{constraint} eq 'stock_move_line_on_hold'
			|| ($state eq '23503' && $name eq 'cancel order'))    # no such order
		{
			$me->{refused}{"$name $state"}++;
			return;
		}
		push @{ $me->{failed} }, "$name: $state $reply->{message}\n@statements";
		return;
	}
	push @{ $me->{failed} }, "$name: given up after " . ATTEMPTS . " attempts\n@statements";
	return;
}

# ---- transactions: a name, the number of lines it places, statements

sub pick { return $_[ int rand @_ ] }
sub some { my ($n, @from) = @_; return map { pick(@from) } 1 .. $n }

sub order_name { my ($me) = @_; return "$me->{phase}-$me->{number}-" . ++$me->{orders} }

sub line_values
{
	my ($order, $line_no, $item, $highest) = @_;
	return sprintf "('%s', %d, '%s', %d, '%s')", $order, $line_no, $item, 1 + int rand $highest, pick(qw(ann bob vip));
}

use constant INSERT => 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ';

# Items as they come, line by line or all in one statement.
sub place
{
	my ($me, $name, $highest, $at_once, @items) = @_;
	my $order = order_name($me);
	my $line_no = 0;
	my @values = map { line_values($order, ++$line_no, $_, $highest) } some(1 + int rand 5, @items);
	my @statements = $at_once ? INSERT . join(', ', @values) . ';' : map { INSERT . "$_;" } @values;
	return ($name, $line_no, @statements);
}

sub place_anything { my ($me) = @_; return place($me, 'orders', 5, rand() < 0.25, @ample, @none) }

# An order that probably exists, of any session.
sub known_order
{
	my ($me) = @_;
	my $last = $me->{orders} || 1;
	my $recent = $last > 30 ? $last - 30 : 1;
	return sprintf '%d-%d-%d', $me->{phase}, 1 + int rand SESSIONS, $recent + int rand($last - $recent + 1);
}

sub do_anything
{
	my ($me, $at_once) = @_;
	my $order = known_order($me);
	my $item = pick(@scarce);
	my $chance = rand;
	# An UPDATE locks rows as its scan finds them; in order only where it is one row.
	my $these = "order_id = '$order'" . ($at_once ? ' AND line_no = ' . (1 + int rand 2) : '');
	return place($me, 'place', 4, $at_once || rand() < 0.25, @scarce, 'limited') if $chance < 0.38;
	return ('receive', 0, "SELECT * FROM receive('$item', " . (1 + int rand 20) . ');') if $chance < 0.50;
	return ('receive several', 0, 'INSERT INTO stock_move (item, location, quantity) VALUES '
		  . join(', ', map { "('$_', 'main', " . (1 + int rand 12) . ')' } some(3, @scarce, 'limited')) . ';') if $chance < 0.58;
	return ('ship', 0, "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment', order_id, line_no, allocated FROM order_line_status WHERE order_id = '$order' AND allocated > 0;")
	  if $chance < 0.66;
	return ('ship what is needed', 0, "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment', order_id, line_no, 1 FROM order_line WHERE order_id = '$order' AND cancelled + shipped < quantity AND NOT on_hold LIMIT 1;")
	  if $chance < 0.69;
	return ('take back', 0, "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment_reversal', order_id, line_no, 1 FROM order_line WHERE order_id = '$order' AND shipped > 0 LIMIT 1;")
	  if $chance < 0.71;
	return ('cancel order', 0, "SELECT * FROM cancel('$order');") if $chance < 0.74;
	return ('cancel lines', 0, "UPDATE order_line SET cancelled = quantity - shipped WHERE $these AND cancelled + shipped < quantity;") if $chance < 0.77;
	return ('cancel line', 0, "UPDATE order_line SET cancelled = cancelled + 1 WHERE order_id = '$order' AND line_no = 1 AND cancelled + shipped < quantity;") if $chance < 0.81;
	return ('change quantity', 0, "UPDATE order_line SET quantity = greatest(quantity + " . (int(rand 5) - 2) . ", cancelled + shipped, 1) WHERE $these;") if $chance < 0.84;
	return ('hold or release', 0, "UPDATE order_line SET not_before = CASE WHEN on_hold THEN NULL ELSE 'infinity'::timestamptz END WHERE $these AND line_no <= 2;") if $chance < 0.86;
	return ('move', 0, "UPDATE order_line SET location = CASE location WHEN 'main' THEN 'east' ELSE 'main' END WHERE order_id = '$order' AND line_no = 1 AND NOT on_hold;") if $chance < 0.875;
	return ('rerank', 0, "UPDATE order_line SET customer = 'vip' WHERE $these;") if $chance < 0.89;
	return ('reprioritize', 0, "SELECT reprioritize('$item');") if $chance < 0.90;
	return ('count', 0, "SELECT * FROM record_count('$item', " . int(rand 25) . ');') if $chance < 0.935;
	return ('lose', 0, "INSERT INTO stock_move (kind, item, location, quantity) VALUES ('adjustment', '$item', 'main', -2);") if $chance < 0.955;
	return ('transfer', 0, "SELECT * FROM transfer('$item', 'main', 'east', 2);") if $chance < 0.97;
	return ('by hand', 0, "UPDATE item SET auto_allocate = NOT auto_allocate WHERE item = '$item';") if $chance < 0.98;
	# What the documentation warns of: short, and then a receipt of the same.
	return $at_once ? ('receive', 0, "SELECT * FROM receive('$item', 5);") : place_and_receive($me, $item);
}

sub place_and_receive
{
	my ($me, $item) = @_;
	my (undef, $count, @statements) = place($me, '', 6, 0, $item, pick(@scarce));
	return ('place and receive', $count, @statements, "SELECT * FROM receive('$item', 5);");
}

# ---- the end

sub check
{
	my ($when) = @_;
	is($first->value('SELECT count(*) FROM order_line;'), $lines, "every committed line is there $when");
	is(join("\n", $first->rows("SELECT * FROM backorder.check_ledger('shop');")), '', "check_ledger is empty $when");
	return;
}

# Promise 2, asked of the views alone, once every item allocates by itself again.
sub no_idle_stock
{
	$first->rows('UPDATE item SET auto_allocate = true;');
	is(join("\n", $first->rows('SELECT item, location, available, backordered FROM stock WHERE available > 0 AND backordered > 0;')),
		'', 'nobody waits while stock lies idle');
	check('after all items allocate by themselves again');
	return;
}
