# Ten sessions at once.  First only orders, line by line as ORMs write them, of items
# with ample stock and of items without any: nobody may deadlock.  Then everything
# together near zero stock, one statement a transaction: nobody may deadlock there
# either, for a statement takes its locks in order.  At last the same with orders line
# by line: whatever meets 40001 or 40P01 is tried again, as the documentation says.
# In the end every sum must be right, and nobody may have jumped the queue.
#
# BACKORDER_CONCURRENCY_SECONDS=N is the length of the last part (24); the others
# take a third of it each.
use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use Audit;
use BackorderTest;
use Session;
use Traffic;

use constant SESSIONS => 10;

my $seconds = $ENV{BACKORDER_CONCURRENCY_SECONDS} // 24;
my $node = start_node('concurrency', 'deadlock_timeout = 100ms', 'fsync = off');
my @connection = ('-U', 'merchant', '-d', $node->connstr('store'));
my $first = Session->new(@connection);
Traffic::prepare($first);

my $lines = 0;
my $orders = in_parallel('orders of items with stock and of items without', $seconds / 3, \&Traffic::place_anything);
is($orders->{retried}{'40P01'} // 0, 0, 'no deadlock among orders of items with stock or without any');
check('after the orders');

my $single = in_parallel('everything near zero stock, a statement each', $seconds / 3, sub { Traffic::do_anything(@_, 1) });
is($single->{retried}{'40P01'} // 0, 0, 'no deadlock among transactions of one statement');
check('after single statements');

in_parallel('everything near zero stock, orders line by line', $seconds, \&Traffic::do_anything);
check('after everything');

# Promise 2, asked of the views alone, once every item allocates by itself again.
$first->rows('UPDATE item SET auto_allocate = true;');
is(join("\n", $first->rows('SELECT item, location, available, backordered FROM stock WHERE available > 0 AND backordered > 0;')),
	'', 'nobody waits while stock lies idle');
check('after all items allocate by themselves again');

$first->quit;
$node->stop;
done_testing();

sub in_parallel
{
	my ($what, $time, $work) = @_;
	my $sum = Traffic::in_parallel(connect => \@connection, sessions => SESSIONS, seconds => $time, seed => 1, work => $work,
		say => sub { diag "$what: $_[0]" });
	$lines += $sum->{lines};
	is(join("\n", @{ $sum->{failed} }), '', "$what: no unexpected error");
	cmp_ok($sum->{transactions}, '>', 50, "$what: $sum->{transactions} transactions");
	diag sprintf "%s: %d transactions, %.0f a second; deadlocks (40P01) %d, serialization failures (40001) %d",
	  $what, $sum->{transactions}, $sum->{transactions} / $sum->{seconds}, $sum->{retried}{'40P01'} // 0, $sum->{retried}{'40001'} // 0;
	is($sum->{retried}{'40001 under READ COMMITTED'} // 0, 0, "$what: no serialization failure under READ COMMITTED");
	my $counts = sub { join(', ', map { "$_[0]{$_} $_" } sort keys %{ $_[0] }) || 'none' };
	note 'done: ', $counts->($sum->{done});
	note 'refused: ', $counts->($sum->{refused});
	note 'tried again: ', $counts->($sum->{retried});
	return $sum;
}

sub check
{
	my ($when) = @_;
	is($first->value('SELECT count(*) FROM order_line;'), $lines, "every committed line is there $when");
	is(join("\n", Audit::wrongs($first)), '', "all that must hold holds $when");
	return;
}
