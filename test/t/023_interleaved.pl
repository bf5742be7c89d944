# Random statements in several sessions with open transactions, each compared with
# the model (test/model/Interleaved.pm).
#
# BACKORDER_MODEL_SEED=N is the first seed, BACKORDER_INTERLEAVED_SECONDS=N how long
# it goes on with the next ones (40), BACKORDER_MODEL_SESSIONS=N the number of
# sessions (8).  A failure prints the seed and the last statements.
use strict;
use warnings;

use FindBin;
use List::Util 'max';
use Test::More;

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Interleaved;

my $seed = $ENV{BACKORDER_MODEL_SEED} // 20260;
my $until = time + ($ENV{BACKORDER_INTERLEAVED_SECONDS} // 40);
my $operations = $ENV{BACKORDER_MODEL_OPERATIONS} // 300;
my $sessions = $ENV{BACKORDER_MODEL_SESSIONS} // 8;

my $node = start_node('interleaved', 'deadlock_timeout = 100ms', 'fsync = off');
my %sum;
my $failure;
while (time < $until && !$failure)
{
	my %how = (connect => [ '-U', 'merchant', '-d', $node->connstr('store') ], seed => $seed, sessions => $sessions, operations => $operations);
	my $model = Interleaved->new(%how, until => $until);
	$failure = $model->run;
	$sum{$_} += $model->{count}{$_} for keys %{ $model->{count} };
	$sum{operations} += $model->{done};
	if ($failure)
	{
		diag "seed $seed: $failure";
		my @trace = @{ $model->{trace} };
		diag 'the last statements:', map { "\n$_" } @trace[ max(0, @trace - ($ENV{BACKORDER_MODEL_TRACE} // 30)) .. $#trace ];
	}
	$seed++ unless $failure;
}
ok(!$failure, "the ledger agrees with the model, up to seed $seed");
diag sprintf '%d operations in %d sessions: %d transactions committed, %d rolled back, %d prepared; %d statements waited; 40001 %d, 40P01 %d',
  map { $_ // 0 } $sum{operations}, $sessions, @sum{ 'committed', 'rolled back', 'prepared', 'waited', '40001', '40P01' };
note sprintf '%-30s %d', $_, $sum{$_} for sort keys %sum;
$node->stop('immediate') if $failure;
$node->stop unless $failure;
done_testing();
