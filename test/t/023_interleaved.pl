# Random statements in several sessions with open transactions, each compared with
# the model (test/model/Interleaved.pm).
#
# BACKORDER_MODEL_SEED=N is the first seed, BACKORDER_INTERLEAVED_RUNS=N the number of
# runs (4), each with the next seed and a fresh ledger.  A failure prints the seed and
# the last statements.
use strict;
use warnings;

use FindBin;
use List::Util 'max';
use Test::More;

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Interleaved;

my $seed = $ENV{BACKORDER_MODEL_SEED} // 20260;
my $runs = $ENV{BACKORDER_INTERLEAVED_RUNS} // 4;

use constant OPERATIONS => 300;
use constant SESSIONS => 8;

my $node = start_node('interleaved', 'deadlock_timeout = 100ms', 'fsync = off');
my %sum;
my $failure;
for my $seed ($seed .. $seed + $runs - 1)
{
	my $model = Interleaved->new(connect => [ '-U', 'merchant', '-d', $node->connstr('store') ], seed => $seed,
		sessions => SESSIONS, operations => OPERATIONS);
	$failure = $model->run;
	$sum{$_} += $model->{count}{$_} for keys %{ $model->{count} };
	$sum{operations} += $model->{done};
	if ($failure)
	{
		diag "seed $seed: $failure";
		my @trace = @{ $model->{trace} };
		diag 'the last statements:', map { "\n$_" } @trace[ max(0, @trace - 40) .. $#trace ];
		last;
	}
	diag "seed $seed: $model->{done} operations";
}
ok(!$failure, "the ledger agrees with the model, $runs runs from seed $seed");
diag sprintf '%d operations in %d sessions: %d transactions committed, %d rolled back, %d prepared; %d statements waited; 40001 %d, 40P01 %d',
  map { $_ // 0 } $sum{operations}, SESSIONS, @sum{ 'committed', 'rolled back', 'prepared', 'waited', '40001', '40P01' };
note sprintf '%-30s %d', $_, $sum{$_} for sort keys %sum;
$node->stop($failure ? 'immediate' : 'fast');
done_testing();
