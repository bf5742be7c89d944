# Soak test: for so many seconds, in turns, sessions that run free (Traffic.pm, looked
# into by Audit.pm) and sessions interleaved and compared with the model
# (Interleaved.pm).  Called by ./run soak SECONDS [SEED] with a server at hand.
#
# Every turn has a seed of its own.  A failure prints it with the last statements:
# ./run soak 1 SEED does that turn again.  Interleaved turns are compared after every
# end of a transaction, so what is printed is the shortest beginning that fails.
use strict;
use warnings;

use FindBin;
use List::Util qw(max min);
use lib $FindBin::RealBin;
use Audit;
use Interleaved;
use Session;
use Traffic;

use constant SESSIONS => 8;
use constant TURN => 45;    # seconds of free running at a time

my ($seconds, $seed, $database) = @ARGV;
my @connect = ('-U', 'merchant', '-d', $database);
my $until = time + $seconds;
my $started = time;
my (%free, %interleaved);
$| = 1;

for (my $turn = 0; time < $until; $turn++, $seed++)
{
	if ($turn % 2 == 0) { interleaved() for 1 .. 3 }
	else                { free(max(1, min(TURN, $until - time))) }
	printf "%5d s: interleaved %d operations, %d commits, %d waits, %d prepared; free %d transactions; 40001 %d, 40P01 %d\n",
	  time - $started, map { $_ // 0 } @interleaved{qw(operations committed waited prepared)}, $free{transactions},
	  ($interleaved{'40001'} // 0) + ($free{'40001'} // 0), ($interleaved{'40P01'} // 0) + ($free{'40P01'} // 0);
}
print "nothing found\n";

sub interleaved
{
	my %how = (connect => \@connect, seed => $seed, sessions => SESSIONS, operations => 300);
	my $model = Interleaved->new(%how);
	my $why = $model->run;
	$interleaved{$_} += $model->{count}{$_} for keys %{ $model->{count} };
	$interleaved{operations} += $model->{done};
	if ($why && $why =~ /check_ledger/)
	{
		# Not asked each time: once more, asked each time, for the shortest beginning.
		my $again = Interleaved->new(%how, check => 1);
		my $first = $again->run;
		($model, $why) = ($again, $first) if $first;
	}
	fail("interleaved, seed $seed: $why", @{ $model->{trace} }) if $why;
	$seed++;
	return;
}

sub free
{
	my ($time) = @_;
	my $first = Session->new(@connect);
	$first->rows('SET client_min_messages = warning; DROP SCHEMA IF EXISTS shop CASCADE;');
	Traffic::prepare($first);
	my $sum = Traffic::in_parallel(connect => \@connect, sessions => SESSIONS, seconds => $time, seed => $seed, work => \&Traffic::do_everything);
	fail("free running, seed $seed: unexpected errors", @{ $sum->{failed} }) if @{ $sum->{failed} };
	fail("free running, seed $seed: 40001 under READ COMMITTED") if $sum->{retried}{'40001 under READ COMMITTED'};
	my @wrongs = Audit::wrongs($first);
	fail("free running, seed $seed: at rest", splice @wrongs, 0, 60) if @wrongs;
	my $lines = $first->value('SELECT count(*) FROM order_line;');
	fail("free running, seed $seed: $sum->{lines} lines were committed and $lines are there") if $lines != $sum->{lines};
	$free{$_} += $sum->{retried}{$_} // 0 for qw(40001 40P01);
	$free{$_} += $sum->{$_} for qw(transactions lines);
	$first->quit;
	return;
}

sub fail
{
	my ($why, @trace) = @_;
	print "FAILED $why\n";
	splice @trace, 0, max(0, @trace - 400);
	print "$_\n" for @trace;
	print "FAILED $why\n";
	exit 1;
}
