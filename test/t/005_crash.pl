# The server dies in the middle of the work, again and again: an immediate stop, a
# backend killed with signal 9 (the postmaster then restarts everything), another of
# its processes, the postmaster itself.  Whatever it had acknowledged is there,
# whatever it had not is there whole or not at all, prepared transactions can be
# finished, and check_ledger finds nothing.
#
# BACKORDER_CRASH_ROUNDS=N is the number of crashes (5), BACKORDER_CRASH_SEED=N
# chooses what the sessions do (not who comes first).
use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Load;

my $rounds = $ENV{BACKORDER_CRASH_ROUNDS} // 5;
my $seed = $ENV{BACKORDER_CRASH_SEED} // 7;

my $node = start_node('crash', 'restart_after_crash = on', 'autovacuum_naptime = 1',
	'autovacuum_vacuum_cost_delay = 0', 'deadlock_timeout = 100ms', 'checkpoint_timeout = 30');
my $load = Load->new(node => $node, seed => $seed, two_phase => 1);
sql($node, $load->prepare);
srand $seed;

my %crashes = (
	'immediate stop' => sub { $node->stop('immediate'); $node->start },
	'kill -9 of a session' => sub { kill_one("backend_type = 'client backend' AND usename = 'merchant'") },
	'kill -9 of another process' => sub { kill_one("backend_type IN ('checkpointer', 'background writer', 'walwriter', 'autovacuum launcher', 'autovacuum worker')") },
	'kill -9 of the postmaster' => \&kill_postmaster,
);

my @order;
my %done;
foreach my $round (1 .. $rounds)
{
	@order = sort { rand() <=> 0.5 } sort keys %crashes unless @order;
	my $crash = shift @order;
	$load->start;
	sleep 0.3 + rand 0.9;
	$node->safe_psql('postgres', 'CHECKPOINT') if rand() < 0.3;
	$crashes{$crash}->();
	$load->finish;
	wait_until_up();
	my @wrong = $load->disagreements;
	my $check = sql($node, "SELECT * FROM backorder.check_ledger('shop')");
	$done{$crash}++;
	ok(!@wrong && $check eq '', "round $round, $crash: nothing lost, nothing half done") or do
	{
		splice @wrong, 20;
		diag "seed $seed", map { "\n  $_" } @wrong, substr $check, 0, 3000;
		last;
	};
}
is(sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', 'no lock is left');
diag join(', ', map { "$done{$_} x $_" } sort keys %done) . '; ' . $load->report if $rounds > 5;
note $load->report;
cmp_ok($load->{done}, '>', 5 * $rounds, 'there was work going on');

# All balances can be recomputed, and are what they were.
my $slots = 'SELECT item, location, sum(available), sum(allocated) FROM shop.stock_slot GROUP BY 1, 2 ORDER BY 1, 2';
my $before = sql($node, $slots);
sql($node, "SELECT backorder.rebuild_ledger('shop')");
is(sql($node, $slots), $before, 'rebuild_ledger finds the same balances');
$node->stop;
done_testing();

sub kill_one
{
	my ($which) = @_;
	my $offset = -s $node->logfile;
	my @pids = split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $which ORDER BY state = 'active' DESC, random() LIMIT 1");
	kill 'KILL', @pids;
	wait_for_text($offset, qr/database system is ready to accept connections/);
	return;
}

sub kill_postmaster
{
	my $pid = $node->{_pid};
	$node->kill9;
	foreach (1 .. 300)
	{
		sleep 0.1;
		next if kill 0, $pid;
		# The others notice, and the memory they share is in use until the last has gone.
		return if $node->start(fail_ok => 1);
		$node->{_pid} = undef;    # what it has read is the old file
	}
	die 'the server does not come back';
}

sub wait_for_text
{
	my ($offset, $text) = @_;
	foreach (1 .. 600)
	{
		return if PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset) =~ $text;
		sleep 0.1;
	}
	die "the server's log does not say $text";
}

sub wait_until_up
{
	return $node->poll_query_until('postgres', 'SELECT true') || die 'the server does not come back';
}
